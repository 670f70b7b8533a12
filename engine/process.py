# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as a process beside Blender: it leaves a processor and the right of way to it, and ends with it.

Imported before anything heavy, and by Blender: threads are bounded before a library makes its own.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading

NICENESS = 5
"""Above Blender's own: where both want a processor, Blender gets three quarters of it."""

THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Variables that bound the threads of OpenMP (PyTorch), of NumPy's and SciPy's OpenBLAS, of MKL and of Apple's BLAS."""


def usable_cores() -> int:
    """Cores that this process may run on: of a batch system's job, those that the job was given."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spare_threads() -> int:
    """Threads to compute with: all processors, but of more than two one is left to Blender's window."""
    usable = usable_cores()
    return usable - 1 if usable > 2 else usable


def thread_limits() -> dict[str, str]:
    """Environment of a process that computes with `spare_threads`; where the user has set a limit, that one holds."""
    return {name: os.environ.get(name, str(spare_threads())) for name in THREAD_LIMITS}


def creation_flags() -> int:
    """How Windows starts the engine: without a console, at a priority below Blender's. Nothing elsewhere."""
    if sys.platform == "win32":
        import subprocess

        return subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS
    return 0


def lower_priority() -> None:
    """Let Blender go first; on Windows `creation_flags` have seen to it. For the threads that are made from now on."""
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(NICENESS)


def end_with_parent() -> None:
    """End this process at once where the one that started it is gone, however it went.

    The end of standard input tells of that, too, and is all that there is on Windows; but other children of Blender
    that were forked without a new program (by Python's ``multiprocessing``) may hold the pipe open.
    """
    threading.Thread(target=_wait_for, args=(os.getppid(),), name="parent", daemon=True).start()


def _wait_for(parent: int) -> None:
    """Sleep, without a look at the clock, until a process is gone, then leave; returns where the system cannot tell."""
    try:
        if sys.platform == "linux":
            poll = select.poll()
            poll.register(os.pidfd_open(parent), select.POLLIN)
            poll.poll()
        elif sys.platform == "darwin":
            gone = select.kevent(
                parent, select.KQ_FILTER_PROC, select.KQ_EV_ADD | select.KQ_EV_ONESHOT, select.KQ_NOTE_EXIT
            )
            select.kqueue().control([gone], 1)
        else:
            return
    except (OSError, AttributeError):  # an old kernel, or a Python that was made for one
        return
    os._exit(0)
