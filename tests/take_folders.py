# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of takes, and runs of the command line over them as a user starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np

from engine.motion import amass
from engine.motion.motion import BodyMotion
from engine.motion.tpose import OFFSETS

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 300.0  # seconds that a run may need on a slow, busy machine


def make_take(path: Path, frames: int = 40, seed: int = 0) -> Path:
    """A noisy AMASS clip of swinging joints, 30 frames per second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    swing = 0.3 * np.sin(np.arange(frames)[:, None, None] / 10.0 + np.arange(66).reshape(22, 3))
    noise = np.random.default_rng(seed).normal(0.0, 0.03, swing.shape)
    amass.create(path, BodyMotion(swing + noise, np.zeros((frames, 3)), 30.0, OFFSETS))
    return path


def make_takes(folder: Path, names: Iterable[str], frames: int = 40) -> Path:
    """A folder of such clips, each different."""
    for seed, name in enumerate(names):
        make_take(folder / name, frames, seed)
    return folder


def start(*words: object, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """``python -m engine clean`` with these words, heeding Ctrl-C as in a terminal of its own."""
    return subprocess.Popen(
        [*prefix, sys.executable, "-m", "engine", "clean", *map(str, words)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL) if os.name == "posix" else None,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code and what it said; killed where it hangs."""
    try:
        said = process.communicate(timeout=LIMIT)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        said = process.communicate()[1]
        raise AssertionError(f"The run hangs: {said}") from None
    return process.returncode, said


def clean(*words: object, prefix: tuple[str, ...] = ()) -> tuple[int, str]:
    """Exit code and what was said of a whole run."""
    return ended(start(*words, prefix=prefix))


def until(there: Callable[[], object]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + LIMIT
    while not there():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)


def claims(out: Path) -> list[Path]:
    """Files of the takes that are in work."""
    return list((out / ".dposer" / "claims").glob("*"))


def results(out: Path) -> dict[str, bytes]:
    """What lies in an output folder beside the records, by name."""
    files = (path for path in sorted(out.rglob("*")) if path.is_file())
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in files
        if ".dposer" not in path.relative_to(out).parts
    }


def workers(process: subprocess.Popen[str]) -> list[int]:
    """Process ids of a run's workers (Linux)."""
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        lines = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    except (FileNotFoundError, ProcessLookupError):  # gone meanwhile
        return []
    return [pid for pid, line in lines.items() if b"spawn_main" in line]
