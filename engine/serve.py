# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine serve``: the engine as Blender's child, asked over stdin and answering over stdout.

The main thread reads requests, so a cancellation or the end of Blender is seen at once, whatever is being
computed; one worker thread computes, one job after the other; a third loads PyTorch meanwhile.
"""

from __future__ import annotations

import contextlib
import faulthandler
import math
import os
import platform
import queue
import signal
import sys
import threading
import time
import traceback
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np

import engine
from engine import protocol
from engine.errors import Cancelled, DeviceError, EngineError, ProtocolError
from engine.failures import explain
from engine.notes import listening
from engine.packages import need_torch
from engine.process import end_with_parent, spare_threads
from engine.protocol import Arrays, Header
from engine.requests import TASKS
from engine.wording import fit

PROGRESS_INTERVAL = 0.1  # seconds
MAX_MESSAGE = 2000  # letters of a sentence that names what came from outside
LEAVE_LIMIT = 1.0  # seconds a task has to stop when it is cancelled
_UNKNOWN: Header = {"ready": False, "torch": None, "devices": {"cpu": ""}}  # while PyTorch is loaded
WEIGHTS = Path(__file__).resolve().parent / "weights"


def main() -> NoReturn:
    """Serve on this process's stdin and stdout until stdin closes, then end the process at once."""
    # Ctrl-C in a terminal is for Blender, which then closes our stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    end_with_parent()
    source, sink = _claim_pipes()
    status = Server(source, sink).run()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    # A job in progress has nothing to save, and its thread would not end before it leaves native code.
    os._exit(status)


def _claim_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipe to ourselves: what else reads stdin finds it empty, what prints reaches the log."""
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    # Native libraries print to descriptor 1, Python code to sys.stdout.
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return source, sink


@dataclass
class Job:
    """A request that is computed: in the queue or in progress."""

    id: int
    op: str
    params: Header
    arrays: Arrays
    cancelled: threading.Event = field(default_factory=threading.Event)
    last_progress: float = -math.inf


class Server:
    """Reads requests, computes one at a time, answers.

    Args:
        source: where requests come from; buffered and blocking.
        sink: where answers go; buffered.
    """

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source, self._sink = source, sink
        self._queue: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._lock = (
            threading.Lock()
        )  # of the pipe and the jobs: a last answer and a job's removal are one step
        self._open: dict[int, Job] = {}
        self._running: Job | None = None
        self._broken = False
        self._torch: Future[Header] = Future()

    def run(self) -> int:
        """Serve until the source ends; returns the exit status."""
        threading.Thread(target=self._load_torch, name="load torch", daemon=True).start()
        threading.Thread(target=self._work, name="worker", daemon=True).start()
        try:
            while self._receive():
                pass
        except (ProtocolError, MemoryError) as error:  # Nothing after this can be understood.
            failure = explain(error, "the log")
            with contextlib.suppress(OSError):
                print(failure, file=sys.stderr)
            self._send({"id": None, "type": "error", "kind": "ProtocolError", "message": str(failure)})
            return 1
        except OSError:  # Windows says so where others report the end of the file.
            pass
        return 0

    def _receive(self) -> bool:
        """Take one request; whether there was one. A method of its own, so that waiting holds no arrays."""
        frame = protocol.read_frame(self._source)
        if frame is not None:
            self._dispatch(*frame)
        return frame is not None

    def _dispatch(self, header: Header, arrays: Arrays) -> None:
        op, number, params = header.get("op"), header.get("id"), header.get("params")
        if not isinstance(op, str) or type(number) is not int or not isinstance(params, dict):
            raise ProtocolError("A request to the engine lacks its op, id or params; reinstall DPoser.")
        if number in self._open:
            raise ProtocolError(f"Two requests to the engine have the id {number}; restart the engine.")
        if op == "hello":
            self._hello(number, params)
        elif op == "cancel":
            self._cancel(params.get("job"))
        elif op in TASKS:
            job = Job(number, op, params, arrays)
            with self._lock:
                self._open[number] = job
            self._queue.put(job)
        else:
            message = f"The engine knows no request called {fit(op)}; reinstall DPoser."
            self._send({"id": number, "type": "error", "kind": "ProtocolError", "message": message})

    def _hello(self, number: int, params: Header) -> None:
        """Say what this engine is: at once, or with ``{"wait": true}`` when it also knows about PyTorch."""

        def answer(loaded: Future[Header]) -> None:
            torch = loaded.result() if loaded.done() else _UNKNOWN
            self._send({"id": number, "type": "result", "result": _identity() | torch})

        if params.get("wait"):
            self._torch.add_done_callback(answer)
        else:
            answer(self._torch)

    def _load_torch(self) -> None:
        self._torch.set_result(_torch_state())

    def _cancel(self, number: object) -> None:
        """End a job for its owner now; the worker leaves it at its next step, or the process ends."""
        with self._lock:
            job = self._open.get(number) if isinstance(number, int) else None
        if job is not None:
            job.cancelled.set()
            self._finish(job, _failure(Cancelled("Cancelled; nothing was changed.")))
            threading.Timer(LEAVE_LIMIT, self._end_if_stuck, [job]).start()

    def _end_if_stuck(self, job: Job) -> None:
        with self._lock:  # Nobody is in the middle of a message.
            if self._running is job:
                with contextlib.suppress(OSError):
                    print("A cancelled task did not stop, so the engine ends with it.", file=sys.stderr, flush=True)
                os._exit(protocol.EXIT_STUCK)

    def _work(self) -> None:
        while True:
            self._compute(self._queue.get())

    def _compute(self, job: Job) -> None:
        with self._lock:
            if job.cancelled.is_set():
                return
            self._running = job
        try:
            with listening() as notes:
                result, arrays = TASKS[job.op](job.params, job.arrays, partial(self._step, job))
            if notes:
                result = result | {"notes": notes}
            self._finish(job, {"type": "result", "result": result}, arrays)
        except BaseException as error:  # Even SystemExit: it must not end the thread of the jobs to come.
            self._finish(job, _failure(explain(error, "the log")))
        finally:
            with self._lock:
                self._running = None

    def _step(self, job: Job, done: int, total: int, stage: str) -> None:
        """Pass progress on, ten times a second at most, and leave the job if it was cancelled."""
        if job.cancelled.is_set():
            raise Cancelled("Cancelled; nothing was changed.")
        now = time.monotonic()
        if done < total and now - job.last_progress < PROGRESS_INTERVAL:
            return
        job.last_progress = now
        header = {"id": job.id, "type": "progress", "done": done, "total": total, "stage": stage}
        with self._lock:
            if job.id in self._open:
                self._write(header)

    def _finish(self, job: Job, answer: Header, arrays: Arrays | None = None) -> None:
        """A job's one last answer; none where it has had one."""
        with self._lock:
            if job.id in self._open:
                self._write({"id": job.id} | answer, arrays)
                del self._open[job.id]

    def _send(self, header: Header) -> None:
        with self._lock:
            self._write(header)

    def _write(self, header: Header, arrays: Arrays | None = None) -> None:
        """Write a frame; the lock is held. If nobody reads any more the main thread is about to find out."""
        if self._broken:
            return
        try:
            protocol.write_frame(self._sink, header, arrays)
        except OSError:
            self._broken = True


def _failure(error: EngineError) -> Header:
    message = str(error)
    if len(message) > MAX_MESSAGE:
        message = f"{message[:MAX_MESSAGE]}..."
    return {"type": "error", "kind": type(error).__name__, "message": message}


def _identity() -> dict[str, Any]:
    return {
        "engine": engine.__version__,
        "protocol": protocol.VERSION,
        "python": platform.python_version(),
        "executable": sys.executable,
        "numpy": np.__version__,
        "weights": sorted(path.stem for path in WEIGHTS.glob("*.safetensors")),
        "pid": os.getpid(),
    }


def _torch_state() -> Header:
    """Load PyTorch and say what it is.

    Returns:
        ``ready`` (true), ``torch`` (version or null), ``devices`` (kind to name, of the processor none), ``automatic``
        (the kind that is taken where the user leaves it to the engine), ``threads``; and ``problem``, the sentence,
        where learned tools cannot run.
    """
    threads = spare_threads()
    state: Header = {"ready": True, "torch": None, "devices": {"cpu": ""}, "automatic": "cpu", "threads": threads}
    try:
        need_torch()
        import torch

        from engine.device import device_name, pick_device

        torch.set_num_threads(min(torch.get_num_threads(), threads))
        for kind in ("cpu", "cuda", "mps"):
            with contextlib.suppress(DeviceError):
                state["devices"][kind] = device_name(pick_device(kind))
        return state | {
            "torch": torch.__version__,
            "automatic": pick_device("auto").type,
            "threads": torch.get_num_threads(),
        }
    except Exception as error:  # what a broken PyTorch raises; the filters work without it
        if error.__cause__ is not None:
            traceback.print_exception(error.__cause__)
        return state | {"problem": str(explain(error, "the log"))}
