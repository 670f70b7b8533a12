# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's client without Blender, and engine processes that it starts."""

from __future__ import annotations

import importlib
import os
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EXTRA_TASKS = ROOT / "tests" / "engine" / "extra_tasks"


def installed(module: str) -> Any:
    """A module of an installed extension, where ``engine`` lies beside ``dposer_blender``."""
    name = "installed_dposer"
    if name not in sys.modules:
        extension = types.ModuleType(name)
        extension.__path__ = [str(ROOT)]
        sys.modules[name] = extension
    return importlib.import_module(f"{name}.{module}")


client = installed("dposer_blender.client")
engine_log = installed("dposer_blender.engine_log")
errors = installed("engine.errors")


def until(process: Any, done: Callable[[], Any] = lambda: None, seconds: float = 10.0) -> list[Any]:
    """Poll as Blender's timer does until a job's last message comes, or ``done``; fails after ``seconds``."""
    end = time.monotonic() + seconds
    messages: list[Any] = []
    while time.monotonic() < end:
        messages += process.poll()
        if done() or (messages and messages[-1].last):
            return messages
        time.sleep(0.01)
    raise AssertionError(f"nothing within {seconds} s; {process.last_words()}")


def runs(pid: int) -> bool:
    """Whether a process has not ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")  # A zombie whose new parent has not looked yet has ended, too.
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
