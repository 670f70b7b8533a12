# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that cleans takes for `engine.takes.pool`; it ends with the process that started it.

Imports nothing heavy until it knows how many threads to compute with: the libraries ask for it once, when they load.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection

from engine.process import THREAD_LIMITS

STEP_INTERVAL = 0.2  # seconds between signs of progress


def limit_threads(threads: int) -> dict[str, str]:
    """Environment of a process whose libraries compute with so many threads."""
    return dict.fromkeys(THREAD_LIMITS, str(threads))


def main(orders: Connection, news: Connection, threads: int) -> None:
    """Clean what is ordered through a pipe until it closes.

    The first order is a `Cleaning`; then each is the source and target of a take, answered by shares done, 0 to 1,
    and at last by what was made.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us.
    os.environ |= limit_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from engine.takes.work import make

    last = 0.0

    def step(done: int, total: int, stage: str) -> None:
        nonlocal last
        now = time.monotonic()
        if total > 0 and now - last >= STEP_INTERVAL:
            last = now
            news.send(min(max(done / total, 0.0), 1.0))

    try:
        cleaning = orders.recv()
        while True:
            source, target = orders.recv()
            made = make(source, target, cleaning, step)
            sys.stderr.flush()
            news.send(made)
    except (EOFError, BrokenPipeError):
        return


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
