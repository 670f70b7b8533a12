# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine generate``: natural poses, whole ones or around the kept part of a clip's pose."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.commands.arguments import add_bone_map, add_device, add_seed, names, natural, read_bone_map
from engine.errors import FileError, MotionError
from engine.progress import Progress
from engine.tasks.steps import OnStep

if TYPE_CHECKING:
    import numpy as np

    from engine.commands.clip_file import ClipFile

FPS = 30.0
PRESETS = ("best", "paper", "released")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``generate``; imports nothing heavy."""
    parser.add_argument(
        "output", metavar="OUT", type=Path,
        help="AMASS .npz file to write, a pose per frame; with --like a file of the same kind as that",
    )  # fmt: skip
    parser.add_argument("--count", type=natural, default=16, metavar="N", help="poses (default: 16)")
    parser.add_argument("--preset", choices=PRESETS, help="of whole poses without --like (default: best)")
    parser.add_argument(
        "--temperature", type=float, default=1.0, metavar="K",
        help="1 (default) varies as captured motion does; less gives common poses, more rare ones",
    )  # fmt: skip
    add_seed(parser)
    add_device(parser)
    group = parser.add_argument_group("poses of a clip's body, where it stands")
    group.add_argument("--like", metavar="IN", type=Path, help="a .bvh or AMASS .npz file")
    group.add_argument(
        "--frame", type=natural, default=0, metavar="N", help="frame of the pose, counted from 0 (default: 0)"
    )
    group.add_argument(
        "--keep", type=names, default=(), metavar="NAMES",
        help="joints, bones or parts that stay, with commas between: upper_body, legs, left_arm, ...",
    )  # fmt: skip
    add_bone_map(group)


def run(args: argparse.Namespace) -> int:
    """Generate poses and write them; returns the exit code.

    Raises:
        FileError: a file is not there or cannot be written. MotionError: an option is out of range, or a name stands
            for no joint. MappingError: the rig cannot be matched.
    """
    return _whole(args) if args.like is None else _like(args)


def _whole(args: argparse.Namespace) -> int:
    if args.keep or args.frame or args.bone_map:
        raise MotionError("--keep, --frame and --bone-map are about the pose of a clip; name it by --like.")
    if args.output.suffix.lower() != ".npz":
        raise FileError(f"{args.output.name} must end in .npz; poses are written as an AMASS file.")
    if not args.output.resolve().parent.is_dir():
        raise FileError(f"The folder {args.output.parent} does not exist; create it first.")
    import numpy as np

    from engine.motion import amass
    from engine.motion.motion import BodyMotion
    from engine.motion.tpose import OFFSETS
    from engine.tasks.generate import PRESETS as SETTINGS
    from engine.tasks.generate import generate

    settings = dataclasses.replace(
        SETTINGS[args.preset or "best"], temperature=args.temperature, seed=args.seed, device=args.device
    )

    def draw(on_step: OnStep) -> np.ndarray:
        return generate(args.count, settings, on_step=on_step)

    poses = _drawn(args, draw)
    whole = np.concatenate([np.zeros((args.count, 1, 3)), poses], axis=1)
    amass.create(args.output, BodyMotion(whole, np.zeros((args.count, 3)), FPS, OFFSETS.copy()))
    print(f"{args.output.name}: {args.count} poses, seed {args.seed}", file=sys.stderr)
    return 0


def _like(args: argparse.Namespace) -> int:
    if args.preset:
        raise MotionError("Presets are of whole poses without a clip; leave out --preset or --like.")
    import numpy as np

    from engine.commands.clip_file import ClipFile, check_target
    from engine.tasks.generate_like import GenerateLikeSettings, generate_like
    from engine.tasks.grounded import grounded

    check_target(args.like, args.output)
    clip = ClipFile(args.like, read_bone_map(args.bone_map))
    start = clip.pose(args.frame)
    kept = _kept(clip, args.keep)
    settings = GenerateLikeSettings(args.temperature, args.seed, args.device)

    def draw(on_step: OnStep) -> np.ndarray:
        return generate_like(start.poses[0, 1:], kept, args.count, settings, on_step=on_step)

    poses = _drawn(args, draw)
    made = grounded(start, poses, clip.leg_offsets(args.frame))
    clip.write_poses(args.output, made, np.concatenate([[True], kept]), args.frame)
    print(f"{args.output.name}: {args.count} poses, seed {args.seed}", file=sys.stderr)
    return 0


def _kept(clip: ClipFile, chosen: tuple[str, ...]) -> np.ndarray:
    """(21,) bool."""
    import numpy as np

    from engine.motion.joints import JOINTS

    joints: set[str] = set()
    for name in chosen:
        if not (found := clip.joints_of(name)):
            raise MotionError(f"{name} is no joint, body part or bone of this clip; correct --keep.")
        joints |= found
    return np.array([joint in joints for joint in JOINTS[1:]])


def _drawn(args: argparse.Namespace, draw: Callable[[OnStep], np.ndarray]) -> np.ndarray:
    """Poses, with their progress shown."""
    progress = Progress(args.output.name, args.count, sys.stderr)
    try:
        return draw(progress.step)
    finally:
        progress.close()
