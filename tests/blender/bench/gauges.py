# SPDX-License-Identifier: GPL-3.0-or-later
"""What a long run uses of the machine, job by job: memory, handles, threads, and whether that grows."""

from __future__ import annotations

import os
import statistics
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Reading:
    """What is used after a job.

    Attributes:
        job: its number, from 1.
        blender, engine: resident memory in MB; 0 where no engine runs.
        engine_process: the engine's process; 0 where none runs.
        handles: open file descriptors of Blender.
        threads: of Blender, all of them; own: those of them that the extension began.
        actions: in the file, with the result and its variants.
        log: size of the engine's log in kB.
    """

    job: int
    blender: float
    engine: float
    engine_process: int
    handles: int
    threads: int
    own: int
    actions: int
    log: float


def read(job: int, engine_process: int, actions: int, log: Path) -> Reading:
    """Look at this process and at the engine's; Linux alone tells."""
    return Reading(
        job,
        memory("self"),
        memory(str(engine_process)) if engine_process else 0.0,
        engine_process,
        len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - quicker, and opens one handle always
        len(os.listdir("/proc/self/task")),  # noqa: PTH208
        sum(thread.name.startswith("dposer") for thread in threading.enumerate()),
        actions,
        log.stat().st_size / 1024 if log.exists() else 0.0,
    )


def memory(process: str) -> float:
    """Resident memory of a process in MB."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE / 2**20
    except OSError:
        return 0.0


def slope(readings: Sequence[Reading], of: Callable[[Reading], float]) -> float:
    """By how much something grows with each job over the last two thirds of the run, as a straight line has it."""
    last = readings[len(readings) // 3 :]
    if len(last) < 2:
        return 0.0
    return float(np.polyfit([r.job for r in last], [of(r) for r in last], 1)[0])


def grows(readings: Sequence[Reading], of: Callable[[Reading], int]) -> bool:
    """Whether, while an engine runs, even the least of the last fifth is more than the least of the second fifth."""
    alive = [of(reading) for reading in readings if reading.engine_process]
    fifth = max(1, len(alive) // 5)
    return len(alive) > 2 * fifth and min(alive[-fifth:]) > min(alive[fifth : 2 * fifth])


def longest_life(readings: Sequence[Reading]) -> list[Reading]:
    """The readings of the engine process that did most jobs."""
    lives = {r.engine_process for r in readings if r.engine_process}
    return max(([r for r in readings if r.engine_process == life] for life in lives), key=len, default=[])


HEADING = "   job  Blender MB  engine MB  handles  threads (ours)  actions  log kB"


def row(reading: Reading) -> str:
    """A line of the table under `HEADING`."""
    return (
        f"{reading.job:6}  {reading.blender:10.1f}  {reading.engine:9.1f}  {reading.handles:7}  "
        f"{reading.threads:7} ({reading.own:4})  {reading.actions:7}  {reading.log:6.1f}"
    )


def median(values: Sequence[float]) -> float:
    """Of some values; 0 of none."""
    return statistics.median(values) if values else 0.0
