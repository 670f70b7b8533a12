# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong on Blender's side of a job; the engine's own errors are in `engine.errors`."""

from __future__ import annotations

from ..engine.errors import EngineError


class ArmatureError(EngineError):
    """The armature or its action cannot be read or written as it is."""


class EngineStopped(EngineError):
    """The engine process could not be started, or has ended; `client.EngineProcess.restart` starts another."""


class EngineNotStarted(EngineStopped):
    """The interpreter that was chosen does not run the engine at all."""
