# SPDX-License-Identifier: GPL-3.0-or-later
"""Hundreds of jobs in one Blender, disturbed in every way, and whether anything is lost, half done or left over.

    python tests/blender/bench/soak.py [--jobs 300] [--seed N] [--calm]

Each job is one of the tools on a short clip. It is let alone, cancelled, undone or redone over, or its engine is
killed or stopped, at a random moment; what came of it is shown, compared, applied, discarded, undone or redone; and
then the file must be what it was before, bit by bit. Memory, handles, threads and the log are read after each job.
The exit status is 1 where an action was lost or half-written, or where handles or threads grew.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")  # before NumPy is there

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parent), *(str(HERE.parents[n]) for n in (1, 2, 3))]

import bpy  # noqa: E402
import gauges  # noqa: E402
import numpy as np  # noqa: E402
from conftest import animate, smpl  # noqa: E402

from demo.leaving import leave_after  # noqa: E402
from rigcheck.extension import load, part  # noqa: E402
from rigcheck.misuse import (  # noqa: E402
    CLEAN,
    COMPLETE,
    INBETWEEN,
    Digest,
    Tool,
    check_sentence,
    differing,
    digest,
    drive,
    walking,
)

RIG, ORIGINAL = "Smpl", "walk"
GENERATE = Tool("generate_poses", "generate", "DPOSER_OT_generate_poses", {"count": 3})
IDLE = Tool("generate_idle", "idle", "DPOSER_OT_generate_idle", {"seconds": 1.0, "variants": 2})
BUTTERWORTH = Tool(CLEAN.name, CLEAN.module, CLEAN.operator, {"method": "butterworth", "feet": "never"})
LEARNED = Tool(INBETWEEN.name, INBETWEEN.module, INBETWEEN.operator, {"method": "motion", "variants": 2})
TOOLS = {
    "clean": CLEAN, "smooth": BUTTERWORTH, "complete": COMPLETE, "generate": GENERATE, "in-between": INBETWEEN,
    "in-between, learned": LEARNED, "idle": IDLE,
}  # fmt: skip
# What happens to a job, and how often in a hundred. The first two run it to its end: as an operator, or by hand.
DEEDS = {"operator": 45, "none": 15, "cancel": 18, "undo": 6, "redo": 6, "kill": 6, "stop": 4}
AFTER = ("discard", "show", "compare", "apply", "undo", "undo and redo", "more")
# Of `client`: a stopped engine is waited for less long, though longer than PyTorch takes to be loaded.
LIMITS = {"_ASK_AFTER": 0.5, "_MUTE_AFTER": 2.0, "_REPLACE_AFTER": 5.0, "_LOAD_LIMIT": 30.0}
ROWS = 20  # of the table


class Broken(Exception):
    """The file is not what it should be."""


class Soak:
    """A file, and jobs on it.

    Args:
        seed: of all that is random.
        deeds: of `DEEDS`, what may happen to a job and how often.
    """

    def __init__(self, seed: int, deeds: dict[str, int]) -> None:
        self.random, self.deeds = random.Random(seed), deeds
        self.counts: collections.Counter[tuple[str, str]] = collections.Counter()
        self.base: Digest = {}
        self.blocks: dict[str, int] = {}
        self.build()

    def build(self) -> None:
        """Make the file anew."""
        bpy.ops.wm.read_factory_settings(use_empty=True)
        ob = walking(SimpleNamespace(smpl=smpl, animate=animate))
        ob.animation_data.action.use_fake_user = True  # which every tool sees to
        bpy.ops.ed.undo_push(message="Built")
        self.base, self.blocks = digest(), blocks()

    def job(self) -> str:
        """One job and what follows; in a few words what it was and how it ended. Raises Broken."""
        name = self.random.choice(list(TOOLS))
        deed = self.random.choices(list(self.deeds), list(self.deeds.values()))[0]
        part("last_run").forget()  # as an operator would
        bpy.ops.ed.undo_push(message="Before")
        outcome = self.operate(TOOLS[name]) if deed == "operator" else self.disturb(TOOLS[name], deed)
        if outcome == "finished":
            self.check_result()
            after = self.random.choice(AFTER)
            self.follow(after)
            self.counts["then", after] += 1
        self.check_base(f"{name}, {deed}, {outcome}")
        self.counts[deed, outcome] += 1
        return f"{name}, {deed}: {outcome}"

    def operate(self, tool: Tool) -> str:
        """Run the operator, which makes an undo step of its own."""
        seed = {"seed": self.random.randrange(1000)} if tool not in (CLEAN, BUTTERWORTH) else {}
        (status,) = getattr(bpy.ops.dposer, tool.name)("EXEC_DEFAULT", True, **tool.settings | seed)
        if status != "FINISHED":
            raise Broken(f"{tool.name} ended with {status}")
        return "finished"

    def disturb(self, tool: Tool, deed: str) -> str:
        """Drive a job by hand as Blender's timer does, and do something in the middle of it; how it ended."""
        jobs = part("jobs")
        job = tool.job(rig(), **({"frames": "ACTION"} if tool in (CLEAN, BUTTERWORTH, COMPLETE) else {}))
        jobs._current = job
        try:
            if deed != "none":
                moment = self.random.choice([at_once, asked, half_way, writing])
                done = drive(job, until=lambda: moment(job), seconds=300.0)
                if done is None:
                    done = DISTURBANCES[deed](job)
            else:
                done = None
            done = done or drive(job, seconds=300.0)
            check_sentence(done.sentence)
            if not done.finished:
                raise Broken(f"{tool.name} ended with: {done.sentence}")
            bpy.ops.ed.undo_push(message="Job")
            return "finished"
        except jobs.Cancelled as error:
            check_sentence(str(error))
            return "cancelled"
        except jobs.EngineError as error:
            check_sentence(str(error))
            return "engine lost"
        finally:
            jobs._current = None

    def follow(self, after: str) -> None:
        """Do with a result what an animator does, and end at the file as it was."""
        variants = len(rig().dposer_result.variants)
        if after == "undo":
            in_window(bpy.ops.ed.undo)
            return
        if after == "undo and redo":
            in_window(bpy.ops.ed.undo)
            in_window(bpy.ops.ed.redo)
            self.check_result()
            in_window(bpy.ops.ed.undo)
            return
        if after == "more" and bpy.ops.dposer.more_variants.poll():
            bpy.ops.dposer.more_variants("EXEC_DEFAULT", True)
            self.check_result()
        for _ in range(3 if after == "show" and variants else 0):
            bpy.ops.dposer.show_variant("EXEC_DEFAULT", True, step=self.random.choice([-1, 1]))
            self.check_result()
        for _ in range(2 if after == "compare" else 0):
            bpy.ops.dposer.compare("EXEC_DEFAULT", True)
        if after == "apply" and variants:
            bpy.ops.dposer.apply_variant("EXEC_DEFAULT", True)
            self.check_result()
        bpy.ops.dposer.discard_result("EXEC_DEFAULT", True)

    def check_result(self) -> None:
        """The original is untouched; the result is there, whole, and animates the armature."""
        found = digest()
        if found.get(f"action {ORIGINAL}") != self.base[f"action {ORIGINAL}"]:
            raise Broken("the original action was changed or lost")
        ob, compat = rig(), part("compat")
        record = ob.dposer_result
        if record.result is None or ob.animation_data.action != record.result:
            raise Broken("the result is lost or not assigned")
        own = [record.result, record.original, record.rest, record.full, *(v.action for v in record.variants)]
        if strays := {action.name for action in bpy.data.actions} - {a.name for a in own if a is not None}:
            raise Broken(f"actions of nobody: {sorted(strays)}")
        for curve in compat.curves_of(record.result, record.result_slot):
            points = np.empty(2 * len(curve.keyframe_points))
            curve.keyframe_points.foreach_get("co", points)
            frames, values = points[::2], points[1::2]
            if not (np.isfinite(values).all() and np.array_equal(frames, np.arange(frames[0], frames[-1] + 1))):
                raise Broken(f"{curve.data_path}[{curve.array_index}] of {record.result.name} is half-written")

    def check_base(self, what: str) -> None:
        """The file is what it was before the job."""
        if changed := differing(self.base, digest()):
            raise Broken(f"after {what} these are not what they were: {sorted(changed)}")
        now = blocks()
        if now != self.blocks:
            raise Broken(f"after {what} the file has other data: {self.blocks} became {now}")


def rig() -> Any:
    """The armature, which an undo makes anew."""
    return bpy.data.objects[RIG]


def blocks() -> dict[str, int]:
    """How many data-blocks of each kind the file has."""
    kinds = {prop.identifier for prop in bpy.data.bl_rna.properties if prop.type == "COLLECTION"}
    return {kind: len(getattr(bpy.data, kind)) for kind in sorted(kinds)}


def in_window(operator: Callable[[], Any]) -> None:
    """Call an operator that Blender wants a window for."""
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        operator()


# Moments of a job


def at_once(job: Any) -> bool:
    return True


def asked(job: Any) -> bool:
    return job._number is not None


def half_way(job: Any) -> bool:
    return job._number is not None and job.fraction > 0.3


def writing(job: Any) -> bool:
    return bool(job.unsettled)


# What happens to it


def _cancel(job: Any) -> None:
    job.cancel()


def _undo(job: Any) -> None:
    in_window(bpy.ops.ed.undo)


def _redo(job: Any) -> None:
    part("jobs")._before_redo()


def _kill(job: Any) -> None:
    process = part("session").running()._process
    process.kill()
    process.wait(10.0)


def _stop(job: Any) -> Any:
    """Stop the engine, and cancel once it is missed; the end of a job for which it had done its part before."""
    os.kill(engine_process(), signal.SIGSTOP)
    done = None
    if job._number is not None:
        done = drive(job, until=lambda: job.text == "The engine does not respond", seconds=60.0)
    if done is None:
        job.cancel()
    return done


DISTURBANCES = {"cancel": _cancel, "undo": _undo, "redo": _redo, "kill": _kill, "stop": _stop}


def engine_process() -> int:
    """The process of the engine; 0 where none runs."""
    process = part("session").running()
    return int(process._process.pid) if process is not None else 0


def main() -> None:
    """Do the jobs and print what they used; leaves with status 1 where something broke or leaked."""
    parser = argparse.ArgumentParser(description="Many disturbed jobs in one Blender.")
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--calm", action="store_true", help="disturb no job, so that one engine does them all")
    options = parser.parse_args()
    load().register()
    for name, seconds in LIMITS.items():
        setattr(part("client"), name, seconds)
    part("edit_task").SLICE = 0.005  # so that there is a middle of the writing
    soak = Soak(options.seed, {"operator": 3, "none": 1} if options.calm else DEEDS)
    readings, broken, took = [], [], []
    calm = ", calm" if options.calm else ""
    print(f"Blender {bpy.app.version_string}, {options.jobs} jobs{calm}, seed {options.seed}")
    print(gauges.HEADING, flush=True)
    for number in range(1, options.jobs + 1):
        begin = time.monotonic()
        try:
            soak.job()
        except Exception as error:  # the next job gets a new file
            broken.append(f"job {number}: {error}")
            print(f"BROKEN at job {number}: {error}", flush=True)
            if not isinstance(error, Broken):
                traceback.print_exc()
            soak.build()
        took.append(time.monotonic() - begin)
        readings.append(gauges.read(number, engine_process(), len(bpy.data.actions), part("session").log()))
        if number % max(1, options.jobs // ROWS) == 0 or number == 1:
            print(gauges.row(readings[-1]), flush=True)
    part("session").stop()
    sys.exit(report(soak, readings, broken, took))


def report(soak: Soak, readings: list[gauges.Reading], broken: list[str], took: list[float]) -> int:
    """Print the end of it; the exit status."""
    print(f"{len(took)} jobs in {sum(took) / 60:.1f} min, median {gauges.median(took):.2f} s")
    for (deed, outcome), count in sorted(soak.counts.items()):
        print(f"  {deed}, {outcome}: {count}")
    life = gauges.longest_life(readings)
    print("growth per job over the last two thirds:")
    print(f"  Blender's memory {1024 * gauges.slope(readings, lambda r: r.blender):+.1f} kB")
    rate = 1024 * gauges.slope(life, lambda r: r.engine)
    print(f"  engine's memory {rate:+.1f} kB (in its longest life of {len(life)} jobs)")
    for name in ("handles", "threads", "own", "actions"):
        rate = gauges.slope(readings, lambda r, name=name: getattr(r, name))
        print(f"  {'our threads' if name == 'own' else name} {rate:+.4f}")
    print(f"  log {1024 * gauges.slope(readings, lambda r: r.log):+.0f} bytes, now {readings[-1].log:.1f} kB")
    leaks = [
        name for name, of in (("handles", lambda r: r.handles), ("our threads", lambda r: r.own))
        if gauges.grows(readings, of)
    ]  # fmt: skip
    print(f"actions lost or half-written: {len(broken)}; leaks: {', '.join(leaks) or 'none'}")
    return 1 if broken or leaks else 0


if __name__ == "__main__":
    leave_after(main)
