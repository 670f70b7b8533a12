# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of a real engine that is started with this folder on its PYTHONPATH: that which ``DPOSER_FAULT`` names.

Python imports a module of this name before the program, so the engine itself stays as it is shipped. Each fault has
its way with the first cleaning; all that is not a fault is the engine's own. PyTorch is not there, unless the fault is
"none": what is not asked for need not be waited for.
"""

from __future__ import annotations

import faulthandler
import io
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import engine
from engine import protocol
from engine.protocol import Arrays, Header
from engine.requests import TASKS, Answer
from engine.tasks.steps import OnStep

FAULT = os.environ["DPOSER_FAULT"]
if FAULT != "none":
    sys.modules["torch"] = None  # type: ignore[assignment]
_clean = TASKS["clean"]


def chatter() -> None:
    """Write to standard output in every way that a library might."""
    print("python prints", flush=True)
    os.write(1, b"native code prints\n")
    subprocess.run(["echo", "a child prints"], check=True)


def clean(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Clean, but for the fault."""
    TASKS["clean"] = _clean
    server = on_step.func.__self__  # type: ignore[attr-defined]
    if FAULT == "chatter":
        chatter()
    if FAULT == "flood":
        for number in range(50_000):
            warnings.warn_explicit(f"number {number} of a flood", UserWarning, "library.py", number)
    while FAULT == "waits" and not Path(os.environ["DPOSER_GO"]).exists():
        on_step(0, 1, "cleaning")
        time.sleep(0.02)
    if FAULT == "hang":
        time.sleep(600)
    if FAULT == "garbage":
        _say(server, b"Segmentation fault imminent.\n" * 10)
    if FAULT == "wrong fields":
        _say(server, _frame({"id": server._running.id, "type": "progress"}))
    if FAULT in {"half", "half and hang"}:
        answer = _frame({"id": server._running.id, "type": "result", "result": {}})
        with server._lock:  # so that nothing else gets between
            _say(server, answer[: len(answer) // 2])
            if FAULT == "half and hang":
                time.sleep(600)
    return _clean(params, arrays, on_step)


def _say(server: object, content: bytes) -> None:
    server._sink.write(content)  # type: ignore[attr-defined]
    server._sink.flush()  # type: ignore[attr-defined]


def _frame(header: Header) -> bytes:
    stream = io.BytesIO()
    protocol.write_frame(stream, header)
    return stream.getvalue()


TASKS["clean"] = clean
if FAULT == "chatter":
    chatter()
if FAULT == "another version":
    engine.__version__ = "99.0"
if FAULT == "another protocol":
    protocol.VERSION = 22
if FAULT == "dies":
    print("python: error while loading shared libraries: libexample.so.7", file=sys.stderr)
    os._exit(127)
if FAULT == "crashes":
    faulthandler.enable()
    print("loading")
    os.abort()
