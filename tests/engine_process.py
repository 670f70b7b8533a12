# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's client without Blender, and engine processes that it starts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from installed_extension import ROOT, installed

EXTRA_TASKS = ROOT / "tests" / "engine" / "extra_tasks"
LIMIT = 120.0
"""Seconds after which what has to come is given up: many times what a slow and busy machine needs."""
AT_ONCE = 5.0
"""Seconds that what waits for nobody may take on such a machine; what it must not wait for takes longer."""


client: Any = installed("dposer_blender.client")
engine_log: Any = installed("dposer_blender.engine_log")
errors: Any = installed("engine.errors")


def until(process: Any, done: Callable[[], Any] = lambda: None) -> list[Any]:
    """Poll as Blender's timer does until a job's last message comes, or ``done``; fails after `LIMIT`."""
    end = time.monotonic() + LIMIT
    messages: list[Any] = []
    while time.monotonic() < end:
        messages += process.poll()
        if done() or (messages and messages[-1].last):
            return messages
        time.sleep(0.01)
    raise AssertionError(f"nothing within {LIMIT} s; {process.last_words()}")


def begun(process: Any) -> list[Any]:
    """Poll until the engine tells of a job, as it does when it begins one."""
    messages: list[Any] = []

    def told() -> bool:
        messages.extend(process.poll())
        return bool(messages)

    wait(told)
    return messages


def wait(there: Callable[[], object]) -> None:
    """Wait until something is so; fails after `LIMIT`."""
    end = time.monotonic() + LIMIT
    while not there():
        assert time.monotonic() < end, f"not within {LIMIT} s"
        time.sleep(0.01)


def has_answered(process: Any) -> bool:
    """Whether a job's result has come and waits to be read."""
    found = []
    while not process._answers.empty():
        found.append(process._answers.get())
    for answer in found:
        process._answers.put(answer)
    headers = [answer[0] for answer in found if isinstance(answer, tuple)]
    return any(header["type"] == "result" and header["id"] for header in headers)  # 0 is the greeting's


def runs(pid: int) -> bool:
    """Whether a process has not ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")  # A zombie whose new parent has not looked yet has ended, too.
    try:
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # gone meanwhile
        return False
