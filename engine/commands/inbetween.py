# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine inbetween``: fill the frames between the keys of a clip, from file to file."""

from __future__ import annotations

import argparse
import sys

from engine.commands.arguments import (
    add_bone_map,
    add_clip,
    add_device,
    add_output,
    add_seed,
    read_bone_map,
    resolve,
    spans,
)
from engine.commands.clip_file import ClipFile, check_target
from engine.progress import Progress

PRESETS = ("best", "paper")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``inbetween``; imports nothing heavy."""
    parser.epilog = (
        "Frames are counted from 0, and A:B means A up to but not including B. Keys, and frames before the first and "
        "after the last, stay as they are and tell how the body moves there."
    )
    add_clip(parser)
    add_output(parser)
    parser.add_argument(
        "--keys", type=spans, required=True, metavar="LIST",
        help="frames to keep, with commas between: 0,12,40:45; what lies between them is filled",
    )  # fmt: skip
    parser.add_argument(
        "--preset", choices=PRESETS, default="best",
        help="best (default): the most probable motion; paper: through the latents of the pose prior",
    )  # fmt: skip
    parser.add_argument(
        "--prior", choices=["motion", "none"], default="motion",
        help="of the preset best: motion (default), or none for a spline with the spectra of motion",
    )  # fmt: skip
    parser.add_argument(
        "--variation", type=float, default=0.0, metavar="V",
        help="0 (default) is the most likely motion, 1 varies as much as captured motion does",
    )  # fmt: skip
    add_bone_map(parser)
    add_seed(parser, "of the variation (default: 0)")
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Fill the gaps of one clip; returns the exit code.

    Raises:
        FileError: a file is not there, not a clip, or cannot be written. MappingError: the rig cannot be matched.
        MotionError: the keys are not in the clip, or an option is out of range.
    """
    check_target(args.input, args.output)
    clip = ClipFile(args.input, read_bone_map(args.bone_map))
    frames = len(clip.body)
    keys = [frame for part in args.keys for frame in range(*resolve(part, frames))]
    import dataclasses

    from engine.tasks.inbetween import PRESETS as SETTINGS
    from engine.tasks.inbetween import inbetween

    settings = dataclasses.replace(
        SETTINGS[args.preset], variation=args.variation, seed=args.seed, device=args.device
    )
    if args.prior == "none" and settings.method == "prior":
        settings = dataclasses.replace(settings, method="motion")
    progress = Progress(args.input.name, frames, sys.stderr)
    try:
        filled = inbetween(clip.body, keys, settings, on_step=progress.step)
    finally:
        progress.close()
    clip.write(args.output, filled)
    between = max(keys) - min(keys) + 1 - len(set(keys))
    print(f"{args.output.name}: {between} frames filled between {len(set(keys))} keys", file=sys.stderr)
    return 0
