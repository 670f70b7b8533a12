# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the first Clean Motion of a session takes until it tells of progress, and until it is done.

    python tests/blender/bench/first_click.py [--frames N] [--runs N]

Every run is a Blender of its own, whose engine has yet to be started; the job is looked at as often as in a window.
Seconds by the clock from the click, medians; the engine runs in ``DPOSER_PYTHON``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FRAMES, RUNS = 250, 5
_STEPS = {
    "read": "the motion is read",
    "engine": "the engine has answered",
    "asked": "the engine is asked",
    "progress": "it tells of progress",
    "result": "its result is there",
    "done": "the result is written",
}


def measure(frames: int) -> dict[str, float]:
    """Click once in this Blender; seconds from the click to each of `_STEPS`."""
    sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (1, 2)]
    import bpy
    from conftest import animate, part, smpl

    from rigcheck.extension import load
    from rigcheck.misuse import Tool

    load().register()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    ob = smpl()
    animate(ob, frames)
    seen: dict[str, float] = {}
    begin = time.perf_counter()

    def note(step: str) -> None:
        seen.setdefault(step, time.perf_counter() - begin)

    job = Tool("clean_motion", "clean", "DPOSER_OT_clean_motion").job(ob)
    take = job._take

    def taken(context: Any, message: Any) -> Any:
        note(message.type)
        return take(context, message)

    job._take = taken
    done = None
    while done is None:
        done = job.advance(bpy.context)
        if job.task.clip is not None and job.task.clip.complete:
            note("read")
        if job._process.info is not None:
            note("engine")
        if job._number is not None:
            note("asked")
        if done is None:
            time.sleep(part("jobs").JobOperator.tick)
    note("done")
    if not done.finished:
        sys.exit(f"The cleaning failed: {done.sentence}")
    return seen


def main() -> int:
    """Print all figures."""
    parser = argparse.ArgumentParser(description="The first Clean Motion of a session.")
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"of the clip (default: {FRAMES})")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"Blenders (default: {RUNS})")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        print(json.dumps(measure(options.frames)), flush=True)
        os._exit(0)  # Blender as a module sometimes never ends by itself
    command = [sys.executable, str(Path(__file__).resolve()), "--once", "--frames", str(options.frames)]
    runs = []
    for _ in range(options.runs):
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        runs.append(json.loads(output.splitlines()[-1]))
    print(f"First Clean Motion of a session, {options.frames} frames, {options.runs} Blenders:")
    for step, said in _STEPS.items():
        samples = [seen[step] for seen in runs if step in seen]
        if samples:
            print(f"  {statistics.median(samples):6.2f} s until {said} ({min(samples):.2f} to {max(samples):.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
