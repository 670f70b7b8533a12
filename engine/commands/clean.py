# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine clean``: a clip, or every clip in a folder, from file to file."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from engine.commands import confidences
from engine.commands.arguments import (
    add_bone_map,
    add_device,
    add_seed,
    names,
    positive,
    read_bone_map,
    span,
    spans,
)
from engine.commands.clip_file import FORMATS, check_target
from engine.errors import FileError
from engine.process import usable_cores
from engine.progress import Progress
from engine.takes.pool import Pool, WorkerPool
from engine.takes.progress import TakesProgress, described
from engine.takes.record import maker
from engine.takes.run import Outcome, Run, remembered
from engine.takes.summary import entry, sentences, table, totals, write_report
from engine.takes.walk import find_takes, share
from engine.takes.work import Cleaning, clean_clip, failure
from engine.tasks.clean import FEET, LEARNED, MAX_STRENGTH, METHODS
from engine.tasks.steps import OnStep
from engine.wording import printable

MOST_WORKERS = 8
"""Unless asked for: each holds about 0.6 GB."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``clean``; imports nothing heavy."""
    parser.epilog = (
        "Frames are counted from 0 whatever the file says, and A:B means A up to but not including B, as in "
        "Python: 0:100 is the first hundred frames, 50: all from the 51st on. Exit code 0: all cleaned; 2: "
        "an error, and nothing was written for that clip. A folder is cleaned with its folders below; takes that are "
        "done stay as they are when the command is run again."
    )
    parser.add_argument(
        "input", metavar="IN", type=Path, help="a .bvh or AMASS .npz file, or a folder of them"
    )
    parser.add_argument("output", metavar="OUT", type=Path, help="the file, or the folder, to write")
    parser.add_argument("--method", choices=METHODS, default="prior", help="default: prior")
    parser.add_argument(
        "--prior", choices=LEARNED, default="motion",
        help="of the method prior: motion (default), or pose, the prior of single poses alone",
    )  # fmt: skip
    parser.add_argument(
        "--feet", choices=FEET, default="auto",
        help="hold resting feet still: auto (default) where they slide, always, never",
    )  # fmt: skip
    parser.add_argument(
        "--strength", type=strength, default=1.0, metavar="S",
        help="0 leaves the clip as it is, 1 (default) does what its noise asks for, 2 is the most",
    )  # fmt: skip
    parser.add_argument("--range", type=span, metavar="A:B", help="frames to clean (default: all)")
    parser.add_argument(
        "--lock-frames", type=spans, default=(), metavar="LIST", help="frames to keep as they are: 1,5,10:20"
    )
    parser.add_argument(
        "--bones", type=names, metavar="LIST",
        help="clean only these: bones of the rig, joints (left_elbow) or parts (left_arm, trunk) of the body",
    )  # fmt: skip
    add_bone_map(parser, ': {"left_hip": "LThigh", ...}')
    add_device(parser)
    add_seed(parser, "of all randomness (default: 0)")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write what was found and done")
    parser.add_argument(
        "--confidences", type=Path, metavar="FILE.npz",
        help="how far each joint's rotation is known, as lift writes it: what is doubted is made anew",
    )  # fmt: skip
    parser.add_argument("--overwrite", action="store_true", help="allow OUT to be IN itself")
    folders = parser.add_argument_group("of folders")
    folders.add_argument(
        "--workers", type=positive, metavar="N",
        help=f"processes that clean takes (default: one for each core, {MOST_WORKERS} at most)",
    )  # fmt: skip
    folders.add_argument(
        "--threads", type=positive, default=1, metavar="N",
        help="that each take is computed with; other numbers may change a result's last bits (default: 1)",
    )  # fmt: skip
    folders.add_argument("--again", action="store_true", help="clean also what is done already")
    folders.add_argument(
        "--time-limit", type=positive, metavar="S", help="seconds after which a take is given up (default: none)"
    )
    folders.add_argument(
        "--share", type=portion, metavar="K/N", help="every N-th take, from the one at K on, counted from 0"
    )
    folders.add_argument("--ray", metavar="ADDRESS", help="have a Ray cluster do it: host:port of its head, or auto")
    folders.add_argument(
        "--summary", action="store_true", help="only tell what has been done, by all shares and machines"
    )


def run(args: argparse.Namespace) -> int:
    """Clean what ``args`` asks for; one clip's failure does not stop the next. Returns the exit code.

    Raises:
        FileError: there is nothing to clean, or OUT or the report cannot be what was asked for.
        EngineError: no clip can be cleaned with what is there.
    """
    if not args.input.exists():
        raise FileError(f"{args.input} does not exist; check its name.")
    cleaning = Cleaning(
        method=args.method,
        prior=args.prior,
        feet=args.feet,
        strength=args.strength,
        frames=args.range,
        lock_frames=args.lock_frames,
        bones=args.bones,
        bone_map=read_bone_map(args.bone_map),
        seed=args.seed,
        device=args.device,
    )
    return _clean_folder(args, cleaning) if args.input.is_dir() else _clean_file(args, cleaning)


def _clean_file(args: argparse.Namespace, cleaning: Cleaning) -> int:
    """Clean one clip in this process, with all its threads."""
    source: Path = args.input
    target: Path = args.output / source.name if args.output.is_dir() else args.output
    if args.share or args.ray or args.summary:
        raise FileError(f"{source.name} is one clip; --share, --ray and --summary are for folders.")
    if source.suffix.lower() not in FORMATS:
        raise FileError(f"{source.name} is neither a .bvh nor an .npz file; convert it to one of them.")
    check_target(source, target, args.overwrite)
    _check_report(args.report, [source, target])
    trust = None if args.confidences is None else confidences.read(args.confidences)
    clip = {"input": str(source), "output": str(target)}
    bars: list[Progress] = []

    def watch(frames: int) -> OnStep:
        bars.append(Progress(printable(source.name), frames, sys.stderr))
        return bars[-1].step

    try:
        clip |= clean_clip(source, target, cleaning, watch, trust)
    except Exception as error:
        clip |= failure(error)
    finally:
        for bar in bars:
            bar.close()
    print(printable(clip["error"] if "error" in clip else f"{source.name}: {described(clip)}"), file=sys.stderr)
    if args.report is not None:
        write_report(args.report, cleaning.asked(), [clip])
    return 2 if "error" in clip else 0


def _clean_folder(args: argparse.Namespace, cleaning: Cleaning) -> int:
    """Clean the takes of a folder in other processes; what has come of them is told in any case."""
    if args.confidences is not None:
        raise FileError(f"{args.confidences.name} is about one clip, and {args.input.name} is a folder; name the clip.")
    takes = find_takes(args.input, args.output, args.overwrite)
    _check_report(args.report, [path for take in takes for path in (take.source, take.target)])
    if args.share:
        takes = share(takes, *args.share)
    made_by = maker(cleaning.asked())
    if args.summary:
        return _tell(args, cleaning, remembered(takes, args.output, made_by), None)
    begin = time.monotonic()
    progress = TakesProgress(sys.stderr)
    run = Run(takes, args.output, made_by, progress, args.again, args.time_limit)
    try:
        with _interrupted_by_termination():
            run.go(lambda: _pool(args, cleaning, len(takes)))
    except BaseException:
        progress.close()
        if any(outcome.entry for outcome in run.outcomes()):
            with suppress(FileError):  # What stopped the run is what to tell.
                _tell(args, cleaning, run.outcomes(), time.monotonic() - begin)
        raise
    progress.close()
    return _tell(args, cleaning, run.outcomes(), time.monotonic() - begin)


def _pool(args: argparse.Namespace, cleaning: Cleaning, takes: int) -> Pool:
    if args.ray:
        from engine.takes.ray_pool import RayPool

        return RayPool(cleaning, args.ray, args.threads)
    workers = args.workers or min(MOST_WORKERS, max(1, usable_cores() // args.threads))
    return WorkerPool(cleaning, min(workers, takes), args.threads)


def _tell(
    args: argparse.Namespace, cleaning: Cleaning, outcomes: Sequence[Outcome], seconds: float | None
) -> int:
    """Print the summary and write the report; returns the exit code."""
    for text in (table(outcomes), sentences(outcomes, seconds)):
        if text:
            print(text, file=sys.stderr)
    if args.report is not None:
        entries = [entry(outcome) for outcome in outcomes]
        write_report(args.report, cleaning.asked(), entries, totals=totals(outcomes, seconds))
    return 0 if all(outcome.well for outcome in outcomes) else 2


def _check_report(report: Path | None, clips: Sequence[Path]) -> None:
    """Refuse a report that could not be written, or would be written over a clip."""
    if report is None:
        return
    if report.suffix.lower() in FORMATS or report.resolve() in {path.resolve() for path in clips}:
        raise FileError(
            f"The report {report.name} would be written over a clip; give it a name ending in .json."
        )
    if not os.access(report.resolve().parent, os.W_OK) or report.is_dir():
        raise FileError(f"The report {report} cannot be written there; name another file.")


@contextmanager
def _interrupted_by_termination() -> Iterator[None]:
    """A batch system that ends the job is heeded as Ctrl-C is."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def strength(text: str) -> float:
    """A strength of `CleanSettings`."""
    value = float(text)
    if not 0 <= value <= MAX_STRENGTH:
        raise argparse.ArgumentTypeError(f"must be from 0 to {MAX_STRENGTH:g}")
    return value


def portion(text: str) -> tuple[int, int]:
    """``K/N``, K from 0 to N - 1."""
    try:
        number, count = (int(part) for part in text.split("/"))
    except ValueError:
        number, count = 0, 0
    if not 0 <= number < count:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share such as 0/10, which 9/10 is the last of")
    return number, count
