# SPDX-License-Identifier: GPL-3.0-or-later
"""The one engine of this Blender: which Python runs it, where its log goes, and its start and end."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import bpy
from bpy.types import Context

from ..engine.errors import EngineError
from . import client, engine_check, engine_log, preferences
from .interpreters import Interpreter, search
from .user_folder import user_folder

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT = 120.0  # seconds; a virus scanner may read every file of PyTorch at its first start

_engine: client.EngineProcess | None = None


def engine(context: Context) -> client.EngineProcess:
    """The engine, started where it does not run, replaced where it hangs or another Python was chosen.

    Raises:
        EngineStopped: it cannot be started.
    """
    global _engine
    python = interpreter(context).path
    if _engine is not None and _engine.python != python:
        stop()
    if _engine is None:
        _engine = client.EngineProcess(python, ROOT, log(), _wheels(python), user_folder("bytecode"))
    if _engine.busy:  # Nobody may have looked since a job was cancelled.
        with contextlib.suppress(EngineError):  # One that ended meanwhile is started again below.
            _engine.poll()
    _engine.start()
    return _engine


def restart(context: Context) -> client.EngineProcess:
    """End the engine and start another; raises as `engine` does."""
    stop()
    return engine(context)


def cancel(job: int) -> None:
    """Tell the engine that nobody waits for a job any longer."""
    if _engine is not None:
        _engine.cancel(job)


def running() -> client.EngineProcess | None:
    """The engine where it runs; starts nothing."""
    return _engine if _engine is not None and _engine.alive else None


def stop() -> None:
    """End the engine, if it runs."""
    global _engine
    if _engine is not None:
        _engine.kill()
    _engine = None
    engine_check.forget()


def interpreter(context: Context) -> Interpreter:
    """The Python that runs the engine, as `interpreters.search` finds it; raises as that does."""
    chosen, _ = preferences.of(context)
    return search(bpy.path.abspath(chosen) if chosen else "", own_python())


def own_python() -> str:
    """Blender's own Python, which Blender takes for itself where it does not find it; then nothing."""
    return sys.executable if sys.executable and sys.executable != bpy.app.binary_path else ""


def _wheels(python: str) -> tuple[Path, ...]:
    """Where Blender installs the wheels of extensions, for its own Python only."""
    if python != sys.executable:
        return ()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    local = Path(bpy.utils.user_resource("EXTENSIONS"), ".local")
    packages = (
        local / "Lib" / "site-packages" if os.name == "nt" else local / "lib" / version / "site-packages"
    )
    return (packages,) if packages.is_dir() else ()


def log() -> Path:
    """The file of the engine's standard error, of this Blender alone, where Blender wants a user's data."""
    return engine_log.path(user_folder())
