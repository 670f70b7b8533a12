# SPDX-License-Identifier: GPL-3.0-or-later
"""Every failure the engine reports: one sentence that says what is wrong and what to do."""

from __future__ import annotations


class EngineError(Exception):
    """Base of all errors meant for the user; ``str(error)`` is the sentence shown to them."""


class FileError(EngineError):
    """A file cannot be read or written: missing, truncated, not of its format, read-only, disk full."""


class MotionError(EngineError):
    """The animation itself cannot be used: no frames, NaN, wrong shapes."""


class MappingError(EngineError):
    """The rig's bones cannot be matched to the body; the sentence lists what is missing."""


class WeightsError(EngineError):
    """Trained weights are missing, damaged, or made for another network."""


class PackageError(EngineError):
    """A package that is needed is missing from the engine's Python, or cannot be loaded there."""


class DeviceError(EngineError):
    """The requested compute device is not there."""


class OutOfMemory(EngineError):
    """Memory was too small, whatever was tried."""


class ProtocolError(EngineError):
    """The two sides of the pipe do not understand each other."""


class Cancelled(EngineError):
    """The user cancelled; nothing was written."""
