# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's end of the pipe: starts the engine process, asks, listens, and never waits.

Blender's main thread owns an `EngineProcess` and calls its methods; none of them blocks, whatever the engine
does. Three threads move the bytes, and touch neither ``bpy`` nor the object: one writes requests, since a pipe
takes only 64 KiB from its writer while the engine is busy starting; one reads answers; one keeps the log.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from .errors import EngineNotStarted, EngineStopped

if TYPE_CHECKING:  # Checkers start from the repository, which is no package to them.
    import engine
    from engine import protocol
    from engine.errors import ProtocolError
    from engine.process import creation_flags, thread_limits
    from engine.protocol import Arrays, Header
else:
    from .. import engine
    from ..engine import protocol
    from ..engine.errors import ProtocolError
    from ..engine.process import creation_flags, thread_limits
    from ..engine.protocol import Arrays, Header

from .engine_log import EngineLog

_HELLO = 0
_NOISE = 1 << 16  # bytes that an interpreter may print before the engine speaks
_LEAVE_LIMIT = 2.0  # seconds an engine gets to leave a cancelled job
_ASK_AFTER = 2.0  # seconds of silence after which a busy engine is asked whether it is there
_MUTE_AFTER = 5.0  # seconds without an answer to that, or to anything else, after which it is taken to be stopped
_REPLACE_AFTER = 20.0  # seconds of that after which one that has not even begun a job is replaced
_LOAD_LIMIT = 120.0  # the same while it may be loading PyTorch, which can hold up all else

_Request = tuple[Header, Mapping[str, np.ndarray]]
_Answer = tuple[Header, Arrays] | ProtocolError | None
_Requests = queue.SimpleQueue[_Request | None]
_Answers = queue.SimpleQueue[_Answer]


@dataclass(frozen=True)
class Message:
    """What the engine says about a job.

    Attributes:
        job: the number `EngineProcess.request` gave.
        type: "progress", or, once and last for a job, "result" or "error".
        done, total, stage: of progress.
        result, arrays: of a result.
        kind, message: of an error: the name of its class in `engine.errors`, and the sentence to show.
    """

    job: int
    type: str
    done: int = 0
    total: int = 0
    stage: str = ""
    result: Header = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)
    kind: str = ""
    message: str = ""

    @property
    def last(self) -> bool:
        """Whether the job ends with this message."""
        return self.type != "progress"


class EngineProcess:
    """The engine, as a child of this process.

    Args:
        python: the interpreter that runs it.
        root: the folder that holds the package ``engine``.
        log: file that takes the engine's standard error; none is kept where it cannot be written.
        paths: more folders for the child's ``sys.path``, ahead of the interpreter's own: where an extension's
            wheels are installed, for Blender's own Python only.
        bytecode: folder that keeps the engine's compiled modules, in place of ``root``; None for Python's own way.

    Attributes:
        info: the engine's answer to ``hello``, or None until it has come: versions and weights; with ``ready``, which
            comes later, what `engine.serve` knows about PyTorch and devices.
        started: `time.monotonic` of the last start; the caller decides how long a start may take.
    """

    def __init__(
        self, python: str, root: Path, log: Path, paths: Iterable[Path] = (), bytecode: Path | None = None
    ) -> None:
        self.python, self.root, self.log, self.paths = python, root, log, tuple(paths)
        self.bytecode = bytecode
        self.info: Header | None = None
        self.started = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._said: EngineLog | None = None
        self._heard = 0.0  # when it last said something
        self._asked: float | None = None  # when it was asked whether it is there, while it has not answered
        self._cancelled_at = 0.0
        self._unbegun: set[int] = set()  # of the jobs, those that were asked for once and never heard of
        self._next_id = _HELLO
        self._jobs: dict[int, _Request] = {}
        self._cancelled: set[int] = set()  # of the jobs, those the engine has yet to leave
        self._unread: list[Message] = []
        self._requests: _Requests = queue.SimpleQueue()
        self._answers: _Answers = queue.SimpleQueue()

    @property
    def alive(self) -> bool:
        """Whether the process runs; it may still be starting (`info` is None) or stuck."""
        return self._process is not None and self._process.poll() is None

    @property
    def mute(self) -> bool:
        """Whether it does not even say that it is there, as when it is stopped or the machine swaps."""
        return self._asked is not None and time.monotonic() - self._asked > _MUTE_AFTER

    @property
    def busy(self) -> bool:
        """Whether the engine still has to answer, or to leave a cancelled job; as of the last `poll`."""
        return bool(self._jobs)

    def start(self) -> None:
        """Start the process, if it does not run, and greet it; `poll` receives its greeting.

        Raises:
            EngineNotStarted: the interpreter cannot be run.
        """
        if self.alive:
            return
        self.kill()
        with contextlib.suppress(OSError):
            self.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            child = subprocess.Popen(
                [self.python, "-m", "engine", "serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment(),
                # Not the root: Windows cannot remove a folder a process stands in.
                cwd=self.log.parent if self.log.parent.is_dir() else None,
                creationflags=creation_flags(),
            )
        except (OSError, ValueError) as error:
            raise EngineNotStarted(
                f"The engine cannot be started with {self.python!r} ({_refusal(error)}); "
                "choose another interpreter in the preferences."
            ) from error
        assert child.stderr is not None
        self._said = EngineLog(self.log, child.stderr)
        self._process, self.started = child, time.monotonic()
        self._heard, self._asked = self.started, None
        self._requests, self._answers = queue.SimpleQueue(), queue.SimpleQueue()
        for target, stream in ((_write, child.stdin), (_read, child.stdout)):
            pipe = (stream, self._requests, self._answers)
            threading.Thread(target=target, args=pipe, name="dposer pipe", daemon=True).start()
        atexit.register(self.kill)
        for params in ({}, {"wait": True}):  # who it is; and what it knows about PyTorch, once it does
            self._say("hello", params)

    def restart(self) -> None:
        """End the process, running jobs included, and start another; raises as `start` does."""
        self.kill()
        self.start()

    def request(self, op: str, params: Header, arrays: Mapping[str, np.ndarray] | None = None) -> int:
        """Ask for something; the engine works on one request after the other.

        Args:
            op, params, arrays: as `engine.protocol` lists them. The arrays must not be changed afterwards.

        Returns:
            The number of the job, which its messages carry.

        Raises:
            EngineStopped: the engine does not run.
        """
        if not self.alive and not self._revive():
            raise self._stopped()
        self._next_id += 1
        request = {"op": op, "id": self._next_id, "params": params}, arrays or {}
        self._jobs[self._next_id] = request
        self._unbegun.add(self._next_id)
        self._requests.put(request)
        return self._next_id

    def cancel(self, job: int) -> None:
        """Stop a job. All that `poll` still gives of it is an error of kind "Cancelled", whatever the engine does."""
        if job in self._jobs and job not in self._cancelled:
            self._cancelled.add(job)
            self._cancelled_at = time.monotonic()
            self._unread.append(
                Message(job, "error", kind="Cancelled", message="Cancelled; nothing was changed.")
            )
            self._say("cancel", {"job": job})

    def _say(self, op: str, params: Header) -> None:
        """Send what is for this object alone, and no job."""
        self._requests.put(({"op": op, "id": _HELLO, "params": params}, {}))

    def poll(self) -> list[Message]:
        """What has come in since the last call; returns at once.

        Raises:
            EngineStopped: the process has ended by itself, or is another version. Every job is lost.
            ProtocolError: what it wrote cannot be understood. It has been killed and every job is lost.
        """
        messages, self._unread = self._unread, []
        while not self._answers.empty():
            answer = self._answers.get()
            self._heard, self._asked = time.monotonic(), None
            if answer is None:
                if self._revive():
                    continue
                self._answers.put(None)  # This call first tells what came before, the next one this.
                if messages:
                    return messages
                raise self._stopped()
            if isinstance(answer, ProtocolError):
                known = self.info is not None or isinstance(answer, protocol.VersionError)
                error = answer if known else self._not_started(answer)
                self.kill()
                raise error
            message = self._receive(*answer)
            if message is not None:
                messages.append(message)
        if self._process is not None and self._jobs:
            self._look_after(time.monotonic())
        return messages

    def _look_after(self, now: float) -> None:
        """Ask a silent engine whether it is there; replace one that does not leave a job, or never begins one."""
        if self._cancelled and now - self._cancelled_at > _LEAVE_LIMIT:
            self._replace()
        elif self._asked is None:
            if self.info is not None and now - self._heard > _ASK_AFTER:
                self._asked = now
                self._say("hello", {})
        elif self._jobs.keys() <= self._unbegun:
            ready = self.info is not None and self.info.get("ready")
            if now - self._asked > (_REPLACE_AFTER if ready else _LOAD_LIMIT):
                self._replace()

    def _revive(self) -> bool:
        """Start anew if the engine ended to get out of a cancelled job."""
        if self._process is None or self._ended() != protocol.EXIT_STUCK:
            return False
        self._replace()
        return True

    def _replace(self) -> None:
        """End the engine, start another, and ask it for what is owed."""
        owed = {job: request for job, request in self._jobs.items() if job not in self._cancelled}
        unread, answers = self._unread, self._answers
        self.restart()
        self._jobs, self._unread = owed, unread
        while not answers.empty():
            if (answer := answers.get()) is not None:
                self._answers.put(answer)
        for request in owed.values():
            self._requests.put(request)

    def kill(self) -> None:
        """End the process, running jobs included, without a further message; harmless where none runs."""
        process, self._process = self._process, None
        self._jobs.clear()
        self._cancelled.clear()
        self._unbegun.clear()
        self._unread = []
        self._requests.put(None)
        self._answers = queue.SimpleQueue()
        self.info = None
        atexit.unregister(self.kill)
        if process is not None:
            _end(process)

    def last_words(self) -> str:
        """The last line the engine wrote to its log since it started, or nothing."""
        return self._said.last_line(0.0 if self.alive else 1.0) if self._said is not None else ""

    def _environment(self) -> dict[str, str]:
        """Ours, without what makes the child take Blender's or the user's modules for its own."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        if self.bytecode is not None:
            kept |= {"PYTHONDONTWRITEBYTECODE": "1", "DPOSER_BYTECODE": str(self.bytecode)}
        return kept | thread_limits() | {
            "PYTHONPATH": os.pathsep.join(map(str, (self.root, *self.paths))),
            "PYTHONNOUSERSITE": "1",
            "PYTHONSAFEPATH": "1",
            "PYTHONUTF8": "1",
        }

    def _receive(self, header: Header, arrays: Arrays) -> Message | None:
        """The message in a frame; None where it is for this object alone."""
        try:
            job, kind = header["id"], header["type"]
            if job is None:
                self.kill()
                raise ProtocolError(str(header["message"]))
            if job == _HELLO:
                self._welcome(header["result"])
                return None
            fields = {key: header[key] for key in _FIELDS[kind]}
            if type(job) is not int or not all(type(fields[key]) is _FIELDS[kind][key] for key in fields):
                raise TypeError("a field of another type")
        except (KeyError, TypeError) as error:
            self.kill()
            raise ProtocolError(
                "The engine's answer lacks a field; reinstall DPoser and restart Blender."
            ) from error
        self._unbegun.discard(job)
        if job not in self._jobs:
            return None
        cancelled = job in self._cancelled
        if kind != "progress":
            del self._jobs[job]
            self._cancelled.discard(job)
        return None if cancelled else Message(job, kind, arrays=arrays, **fields)

    def _welcome(self, info: Header) -> None:
        if info["engine"] != engine.__version__:
            self.kill()
            raise EngineStopped(
                f"The engine is version {info['engine']} but DPoser is version {engine.__version__}; "
                "reinstall DPoser and restart Blender."
            )
        self.info = info

    def _stopped(self) -> EngineStopped:
        """End what is left of the process; the error that says so, with the engine's last words."""
        process = self._process
        if process is None:
            return EngineStopped("The engine is not running; start it again.")
        status = self._ended()
        self._jobs.clear()
        self._cancelled.clear()
        _end(process)
        if self.info is None:
            return self._not_started(f"exit status {status}", _signal(status))
        ended = "it closed its pipe" if status is None else f"exit status {status}"
        cause = _signal(status) or self.last_words() or ended
        more = f", and see {self.log} for more" if self.log.exists() else ""
        return EngineStopped(f"The engine stopped unexpectedly ({cause}); restart it{more}.")

    def _ended(self) -> int | None:
        """Exit status of a process whose pipe has closed, which happens a moment before it ends."""
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout=1.0)
        return None

    def _not_started(self, cause: object, ended_by: str = "") -> EngineNotStarted:
        words = ended_by or self.last_words()
        if words.startswith("The engine") and words.endswith("."):  # its own sentence, which says what to do
            return EngineNotStarted(words)
        return EngineNotStarted(
            f"The engine did not start with {self.python!r} ({words or cause}); choose another "
            "interpreter in the preferences."
        )


_OTHER_KINDS = {errno.ENOEXEC, 86}  # 86 is macOS's EBADARCH, which has no name here
_OTHER_KINDS_ON_WINDOWS = {193, 216}  # ERROR_BAD_EXE_FORMAT, ERROR_EXE_MACHINE_TYPE_MISMATCH
_NO_MEMORY = "Blender has not enough memory for so long a clip: close what you do not need, or choose a shorter range."
_FIELDS: dict[str, dict[str, type]] = {
    "progress": {"done": int, "total": int, "stage": str},
    "result": {"result": dict},
    "error": {"kind": str, "message": str},
}


def _refusal(error: Exception) -> str:
    """Why the system does not run a program."""
    said = getattr(error, "strerror", "") or str(error)
    of_another_kind = (
        getattr(error, "errno", None) in _OTHER_KINDS or getattr(error, "winerror", None) in _OTHER_KINDS_ON_WINDOWS
    )
    return f"{said}: it is no program, or one for another kind of processor" if of_another_kind else said


def _signal(status: int | None) -> str:
    """How a process ended that did not end itself, whose last words say nothing of it; else nothing."""
    if os.name != "posix" or status is None or status >= 0:
        return ""
    if -status == signal.SIGKILL:
        return "it was killed, perhaps for lack of memory"
    with contextlib.suppress(ValueError):  # real-time signals have no name
        return f"it crashed with {signal.Signals(-status).name}"
    return f"it was ended by signal {-status}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1.0)


def _write(stream: BinaryIO, requests: _Requests, answers: _Answers) -> None:
    try:
        with stream:
            while _write_one(stream, requests):
                pass
    except ProtocolError as error:
        answers.put(error)
    except MemoryError:
        answers.put(ProtocolError(_NO_MEMORY))
    except OSError:  # The engine is gone, which `_read` tells.
        pass


def _write_one(stream: BinaryIO, requests: _Requests) -> bool:
    """Pass one request on; whether there was one. On its own, so that waiting holds no arrays."""
    request = requests.get()
    if request is not None:
        protocol.write_frame(stream, *request)
    return request is not None


def _read(stream: BinaryIO, requests: _Requests, answers: _Answers) -> None:
    try:
        with stream:
            begun = protocol.skip_noise(stream, _NOISE)  # of an interpreter that greets who starts it
            while _read_one(stream, answers, begun):
                begun = b""
    except protocol.CutShortError:  # The engine ended in the middle of a word; how, its status tells.
        pass
    except ProtocolError as error:
        answers.put(error)
    except MemoryError:
        answers.put(ProtocolError(_NO_MEMORY))
    except OSError:
        pass
    answers.put(None)
    requests.put(None)  # Let the writer go, too.


def _read_one(stream: BinaryIO, answers: _Answers, begun: bytes) -> bool:
    """Pass one answer on; whether there was one."""
    answer = protocol.read_frame(stream, begun=begun)
    if answer is not None:
        answers.put(answer)
    return answer is not None
