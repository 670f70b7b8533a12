# SPDX-License-Identifier: GPL-3.0-or-later
"""The one engine of this Blender: which Python runs it, where its log goes, and its start and end."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import bpy
from bpy.types import Context

from ..engine.protocol import Header
from . import preferences
from .client import EngineProcess, EngineStopped
from .preferences import ROOT_PACKAGE

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT = 120.0  # seconds; a virus scanner may read every file of PyTorch at its first start
_CANCEL_LIMIT = 2.0  # seconds an engine gets to leave a cancelled job

# The answer to the last "Check Engine", for the panel, which must not ask while it draws.
checked: Header | None = None

_engine: EngineProcess | None = None
_cancelled_at = 0.0


def engine(context: Context) -> EngineProcess:
    """The engine, started where it does not run, replaced where it hangs or another Python was chosen.

    Raises:
        EngineStopped: it cannot be started.
    """
    global _engine
    python = interpreter(context)
    if _engine is not None and _engine.python != python:
        stop()
    if _engine is None:
        _engine = EngineProcess(python, ROOT, _log(), _wheels(python))
    if _engine.busy and time.monotonic() - _cancelled_at > _CANCEL_LIMIT:
        _engine.kill()  # It still computes what was cancelled long ago.
    _engine.start()
    return _engine


def restart(context: Context) -> EngineProcess:
    """End the engine and start another; raises as `engine` does."""
    stop()
    return engine(context)


def cancel(job: int) -> None:
    """Tell the engine that nobody waits for a job any longer."""
    global _cancelled_at
    if _engine is not None:
        _engine.cancel(job)
        _cancelled_at = time.monotonic()


def running() -> EngineProcess | None:
    """The engine where it runs; starts nothing."""
    return _engine if _engine is not None and _engine.alive else None


def stop() -> None:
    """End the engine, if it runs."""
    global _engine, checked
    if _engine is not None:
        _engine.kill()
    _engine = checked = None


def interpreter(context: Context) -> str:
    """The Python that runs the engine: the preference, else ``DPOSER_PYTHON``, else Blender's own.

    Raises:
        EngineStopped: Blender does not know its own Python.
    """
    chosen, _ = preferences.of(context)
    path = bpy.path.abspath(chosen) if chosen else os.environ.get("DPOSER_PYTHON", "")
    if path:
        return path
    if sys.executable and sys.executable != bpy.app.binary_path:
        return sys.executable
    raise EngineStopped("Blender's own Python was not found; choose an interpreter in DPoser's preferences.")


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


def _log() -> Path:
    """The file of the engine's standard error, where Blender wants a user's data."""
    try:
        folder = Path(bpy.utils.extension_path_user(ROOT_PACKAGE, create=True))
    except ValueError:  # not installed as an extension; Blender's own temporary folder goes with each file
        folder = Path(tempfile.gettempdir(), "dposer")
        folder.mkdir(exist_ok=True)
    return folder / "engine.log"
