# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine idle``: a looping idle from a frame of a clip, from file to file."""

from __future__ import annotations

import argparse
import sys

from engine.commands.arguments import (
    add_bone_map,
    add_clip,
    add_device,
    add_output,
    add_seed,
    natural,
    read_bone_map,
)
from engine.commands.clip_file import ClipFile, check_target
from engine.progress import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``idle``; imports nothing heavy."""
    parser.epilog = (
        "The last frame of the loop is its first again. Feet that bear stay in place; who does not stand keeps the "
        "pelvis too."
    )
    add_clip(parser)
    add_output(parser)
    parser.add_argument(
        "--frame", type=natural, default=0, metavar="N", help="frame of the pose, counted from 0 (default: 0)"
    )
    parser.add_argument(
        "--seconds", type=float, default=8.0, metavar="S", help="length of the loop (default: 8)"
    )
    parser.add_argument(
        "--amount", type=float, default=1.0, metavar="K", help="small variations, 0 to 2 (default: 1)"
    )
    parser.add_argument("--breathing", type=float, default=1.0, metavar="K", help="depth, 0 to 2 (default: 1)")
    parser.add_argument(
        "--sway", type=float, default=1.0, metavar="K", help="shift of the weight, 0 to 2 (default: 1)"
    )
    add_bone_map(parser)
    add_seed(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Make one loop; returns the exit code.

    Raises:
        FileError: a file is not there, not a clip, or cannot be written. MappingError: the rig cannot be matched.
        MotionError: the frame is not in the clip, or an option is out of range.
    """
    check_target(args.input, args.output)
    clip = ClipFile(args.input, read_bone_map(args.bone_map))
    from engine.tasks.idle import IdleSettings, idle

    settings = IdleSettings(args.amount, args.breathing, args.sway, seed=args.seed, device=args.device)
    start = clip.pose(args.frame)
    progress = Progress(args.input.name, round(args.seconds * start.fps) + 1, sys.stderr)
    try:
        loop = idle(start, args.seconds, settings, clip.leg_offsets(args.frame), on_step=progress.step)
    finally:
        progress.close()
    clip.write_made(args.output, loop, args.frame)
    print(f"{args.output.name}: {len(loop) - 1} frames and the first again, seed {args.seed}", file=sys.stderr)
    return 0
