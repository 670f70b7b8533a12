# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender of its own that is in the middle of a job, for a test that lets it go on or kills it.

    python tests/blender/second_blender.py FILE.blend

saves a walking rig, changes it, begins to clean it, prints ``AT WORK``, the engine's process and its log, and goes on
when it is sent a line; then it prints ``DONE`` and what the job reports.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1]), str(HERE.parents[2])]

import bpy  # noqa: E402
from conftest import animate, smpl  # noqa: E402

from demo.leaving import leave_after  # noqa: E402
from rigcheck.extension import load, part  # noqa: E402
from rigcheck.misuse import CLEAN, drive, walking  # noqa: E402


def main() -> None:
    """Do the job."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    load().register()
    ob = walking(SimpleNamespace(smpl=smpl, animate=animate))
    bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
    ob.location.x = 1.0
    job = CLEAN.job(ob, frames="ACTION")
    assert drive(job, until=lambda: job.stage == "Cleaning") is None
    process = part("session").running()
    print("AT WORK", process.info["pid"], process.log, sep="\t", flush=True)
    sys.stdin.readline()
    print("DONE", drive(job).sentence, sep="\t", flush=True)
    part("session").stop()


if __name__ == "__main__":
    leave_after(main)
