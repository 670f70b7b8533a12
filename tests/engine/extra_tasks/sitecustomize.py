# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that misbehave in known ways, for an engine process started with this folder on its PYTHONPATH.

Python imports a module of this name before the program, so the engine itself stays as it is shipped.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from engine import protocol
from engine.errors import MotionError
from engine.protocol import Arrays, Header
from engine.requests import TASKS, Answer
from engine.tasks.steps import OnStep


def nap(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Sleep ``steps`` times ``seconds`` with a progress report before each; give the arrays back."""
    for step in range(params["steps"]):
        on_step(step, params["steps"], "napping")
        time.sleep(params["seconds"])
    return {"slept": params["steps"]}, arrays


def deaf(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Say that it begins and sleep for ``seconds``, or until there is a file ``until``, without a further step."""
    on_step(0, 1, "deaf")
    end = time.monotonic() + params["seconds"]
    while time.monotonic() < end and not ("until" in params and Path(params["until"]).exists()):
        time.sleep(0.01)
    return {"deaf": True}, {}


def chatter(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Write to standard output in every way a library might, and read standard input."""
    print("python prints", flush=True)
    os.write(1, b"native code prints\n")
    subprocess.run(["echo", "a child prints"], check=True)
    return {"stdin": os.read(0, 10).decode()}, {}


def flood(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Write so many lines to standard error."""
    for number in range(params["lines"]):
        print(f"a warning, number {number}", file=sys.stderr)
    return {}, {}


def half(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Give half an answer, and then end the process or close its pipe."""
    frame = io.BytesIO()
    protocol.write_frame(frame, {"id": 1, "type": "result", "result": {}}, {"a": np.zeros(100_000)})
    count = 10 if params["how"] == "half a header" else 400_000
    sink = on_step.func.__self__._sink  # type: ignore[attr-defined]
    sink.write(frame.getvalue()[:count])
    sink.flush()
    if params["ending"] == "closed":
        sink.close()
        time.sleep(60)
    os.kill(os.getpid(), signal.SIGKILL)
    return {}, {}


def fail(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Raise an error of the kind asked for."""
    if params["how"] == "foreseen":
        raise MotionError("The animation has no frames.")
    if params["how"] == "memory":
        bytearray(1 << 62)
    if params["how"] == "torch memory":
        import torch

        torch.empty(1 << 55)
    if params["how"] == "module":
        import a_module_that_is_not_there  # type: ignore[import-not-found]  # noqa: F401
    if params["how"] == "exit":
        raise SystemExit(3)
    if params["how"] == "not json":
        return {"figure": float("nan")}, {}
    raise KeyError("left_hip")


def beside(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """How the process lives beside others: its variables, and how many threads PyTorch computes with."""
    import torch

    return {"variables": dict(os.environ), "threads": torch.get_num_threads()}, {}


def crash(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """End the whole process as a fault in native code does."""
    os.abort()


def leave(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Say ``words`` in the log and end the whole process."""
    print(params["words"], flush=True)
    os._exit(7)


TASKS |= {task.__name__: task for task in (nap, deaf, chatter, beside, flood, half, fail, crash, leave)}
