# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine complete``: missing joints or limbs of a clip, several hypotheses, from file to file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from engine.commands.arguments import (
    Span,
    add_bone_map,
    add_clip,
    add_device,
    add_output,
    add_seed,
    names,
    natural,
    read_bone_map,
    resolve,
    span,
)
from engine.commands.clip_file import ClipFile, check_target
from engine.errors import MotionError
from engine.motion.joints import JOINTS, PARTS
from engine.progress import Progress

MOST_FILES = 200  # more hypotheses are refused
PRESETS = ("paper", "released", "best")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``complete``; imports nothing heavy."""
    parser.epilog = (
        "With one hypothesis OUT is it; with more, OUT is the likeliest and OUT_2, OUT_3 ... the others; files of "
        "those names are replaced, but never IN. Frames are "
        "counted from 0, and A:B means A up to but not including B. What is not missing stays as it is."
    )
    add_clip(parser)
    add_output(parser)
    parser.add_argument(
        "--missing", type=names, required=True, metavar="LIST",
        help=f"bones of the rig, joints (left_elbow) or parts ({', '.join(PARTS)}), with commas between; @A:B after a "
        "name is its own range: left_arm@60:120,head",
    )  # fmt: skip
    parser.add_argument(
        "--range", type=span, metavar="A:B", help="frames in which the others are missing (default: all)"
    )
    parser.add_argument("--hypotheses", type=natural, default=1, metavar="S", help="default: 1")
    parser.add_argument(
        "--preset", choices=PRESETS, default="best",
        help="paper and released complete every frame by itself (default: best, as one motion)",
    )  # fmt: skip
    parser.add_argument(
        "--single-poses", action="store_true", help="complete every frame by itself under best too"
    )
    parser.add_argument(
        "--prior", choices=["motion", "pose"], default="motion",
        help="motion (default): OUT is the likeliest, further hypotheses vary it; pose: from single poses",
    )  # fmt: skip
    add_bone_map(parser)
    add_seed(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Complete one clip; returns the exit code.

    Raises:
        FileError: a file is not there, not a clip, or cannot be written. MappingError: the rig cannot be matched.
        MotionError: an option does not fit the clip.
    """
    targets = [_numbered(args.output, n) for n in range(1, max(1, min(args.hypotheses, MOST_FILES)) + 1)]
    for target in targets:
        check_target(args.input, target)
    clip = ClipFile(args.input, read_bone_map(args.bone_map))
    known = _known(args.missing, args.range, clip)
    progress = Progress(args.input.name, len(clip.body), sys.stderr)
    from engine.tasks.complete_clip import CompleteClipSettings, complete_clip, complete_frames

    try:
        if args.single_poses or args.preset != "best":
            result = complete_frames(
                clip.body, known, args.preset, args.hypotheses, args.seed, args.device, progress.step
            )
        else:
            settings = CompleteClipSettings(
                args.hypotheses, seed=args.seed, device=args.device, prior=args.prior
            )
            result = complete_clip(clip.body, known, settings, on_step=progress.step)
    finally:
        progress.close()
    for number, (target, motion, share) in enumerate(
        zip(targets, result.motions, result.share, strict=True), start=1
    ):
        clip.write(target, motion)
        print(f"{target.name}: hypothesis {number}, share {share:.0%}", file=sys.stderr)
    return 0


def _numbered(output: Path, number: int) -> Path:
    """OUT, OUT_2, OUT_3 ..."""
    return output if number == 1 else output.with_stem(f"{output.stem}_{number}")


def _known(missing: tuple[str, ...], frames: Span | None, clip: ClipFile) -> np.ndarray:
    """(T, 21) bool, which body joints are known in which frame."""
    known = np.ones((len(clip.body), len(JOINTS) - 1), bool)
    for words in missing:
        name, own, typed = words.partition("@")
        joints = clip.joints_of(name)
        if not joints:
            raise MotionError(f"No bone, joint or part of the body is called {name!r}; parts are {', '.join(PARTS)}.")
        chosen = _range(typed) if own else frames or (None, None)
        begin, end = resolve(chosen, len(known))
        known[begin:end, [joint in joints for joint in JOINTS[1:]]] = False
    return known


def _range(typed: str) -> Span:
    try:
        return span(typed)
    except argparse.ArgumentTypeError as error:
        raise MotionError(f"{error}; write it as left_arm@60:120.") from error
