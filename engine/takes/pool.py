# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes on this machine that clean takes, each replaced when it dies or hangs."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import NamedTuple, Protocol

from engine.takes import worker
from engine.takes.walk import Take
from engine.takes.work import Cleaning, Made

LAST_SECONDS = 2.0  # between the end of a process's pipe and its own


class Step(NamedTuple):
    """A take has come so far, 0 to 1."""

    take: Take
    share: float


class Ended(NamedTuple):
    """A take is done, or has failed with a reason."""

    take: Take
    made: Made


class Lost(NamedTuple):
    """The process that worked on a take is gone; ``its_fault``: not because its machine is."""

    take: Take
    why: str
    its_fault: bool


Event = Step | Ended | Lost


class Pool(Protocol):
    """Who cleans takes. It holds no more than it can work on at once."""

    def free(self) -> bool:
        """Whether another take can be started."""

    def start(self, take: Take) -> None:
        """Hand over a take."""

    def wait(self, seconds: float) -> Sequence[Event]:
        """What has happened; nothing, after so long without."""

    def running(self) -> Sequence[tuple[Take, float]]:
        """The takes in work, and for how many seconds."""

    def stop(self, take: Take) -> None:
        """Give up a take in work."""

    def close(self) -> None:
        """Give up all, and end."""


class _Worker:
    """A process and the take it works on."""

    def __init__(self, cleaning: Cleaning, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        # Two pipes of one direction each: one of both would be a socket.
        orders, self._orders = context.Pipe(duplex=False)
        self.news, news = context.Pipe(duplex=False)
        self.process: SpawnProcess = context.Process(target=worker.main, args=(orders, news, threads), daemon=True)
        with _interrupts_ignored():
            self.process.start()
        orders.close()
        news.close()
        self.take: Take | None = None
        self.since = 0.0
        self._tell(cleaning)

    def start(self, take: Take) -> None:
        self.take, self.since = take, time.monotonic()
        self._tell((_absolute(take.source), _absolute(take.target)))

    def _tell(self, what: object) -> None:
        """Send something; the pipe of one that has died is broken, and `WorkerPool.wait` finds it."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._orders.send(what)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self._orders.close()
        self.news.close()


class WorkerPool:
    """Spawned processes, started when they are needed.

    Args:
        cleaning: what they do.
        workers: how many at most.
        threads: that each computes with; results may differ in their last bits between numbers of threads.
    """

    def __init__(self, cleaning: Cleaning, workers: int, threads: int) -> None:
        self._cleaning, self._most, self._threads = cleaning, workers, threads
        self._workers: list[_Worker] = []

    def free(self) -> bool:
        return sum(one.take is not None for one in self._workers) < self._most

    def start(self, take: Take) -> None:
        idle = next((one for one in self._workers if one.take is None), None)
        if idle is None:
            idle = _Worker(self._cleaning, self._threads)
            self._workers.append(idle)
        idle.start(take)

    def wait(self, seconds: float) -> list[Event]:
        by_pipe: dict[Connection, _Worker] = {one.news: one for one in self._workers}
        events = []
        for pipe in wait(list(by_pipe), seconds):
            assert isinstance(pipe, Connection)
            event = self._event(by_pipe[pipe])
            if event is not None:
                events.append(event)
        return events

    def running(self) -> list[tuple[Take, float]]:
        now = time.monotonic()
        return [(one.take, now - one.since) for one in self._workers if one.take is not None]

    def stop(self, take: Take) -> None:
        for one in [one for one in self._workers if one.take == take]:
            self._drop(one)

    def close(self) -> None:
        for one in list(self._workers):
            self._drop(one)

    def _event(self, one: _Worker) -> Event | None:
        """What a worker says, or that it is dead: then its pipe is at its end."""
        try:
            message = one.news.recv()
        except (EOFError, OSError):
            take = one.take
            one.process.join(LAST_SECONDS)  # Its exit code is the cause, if it is not killed for it.
            self._drop(one)
            return None if take is None else Lost(take, _cause(one.process.exitcode), True)
        assert one.take is not None
        if isinstance(message, float):
            return Step(one.take, message)
        take, one.take = one.take, None
        return Ended(take, message)

    def _drop(self, one: _Worker) -> None:
        self._workers.remove(one)
        one.kill()


def _cause(code: int | None) -> str:
    """Why a process is gone, in words that follow "its process"."""
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"was killed ({signal.Signals(-code).name})"
    return f"ended by itself (exit code {code})"


def _absolute(path: Path) -> Path:
    return Path.cwd() / path


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Children started within ignore Ctrl-C from their first moment on (POSIX; elsewhere from a little later on)."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not the main thread, which alone is interrupted
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
