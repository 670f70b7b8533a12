# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine generate``: natural poses as frames of an AMASS file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.commands.arguments import natural, seed
from engine.errors import FileError
from engine.progress import Progress

FPS = 30.0
PRESETS = ("best", "paper", "released")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``generate``; imports nothing heavy."""
    parser.add_argument("output", metavar="OUT.npz", type=Path, help="AMASS file to write, a pose per frame")
    parser.add_argument("--count", type=natural, default=16, metavar="N", help="poses (default: 16)")
    parser.add_argument("--preset", choices=PRESETS, default="best", help="default: best")
    parser.add_argument(
        "--temperature", type=float, default=1.0, metavar="K",
        help="1 (default) varies as captured motion does; less gives common poses, more rare ones",
    )  # fmt: skip
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="default: 0")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")


def run(args: argparse.Namespace) -> int:
    """Generate poses and write them; returns the exit code.

    Raises:
        FileError: the file cannot be written. MotionError: an option is out of range.
    """
    if args.output.suffix.lower() != ".npz":
        raise FileError(f"{args.output.name} must end in .npz; poses are written as an AMASS file.")
    if not args.output.resolve().parent.is_dir():
        raise FileError(f"The folder {args.output.parent} does not exist; create it first.")
    import dataclasses

    import numpy as np

    from engine.motion import amass
    from engine.motion.motion import BodyMotion
    from engine.motion.tpose import OFFSETS
    from engine.tasks.generate import PRESETS as SETTINGS
    from engine.tasks.generate import generate

    settings = dataclasses.replace(
        SETTINGS[args.preset], temperature=args.temperature, seed=args.seed, device=args.device
    )
    progress = Progress(args.output.name, args.count, sys.stderr)
    try:
        poses = generate(args.count, settings, on_step=progress.step)
    finally:
        progress.close()
    whole = np.concatenate([np.zeros((args.count, 1, 3)), poses], axis=1)
    amass.create(args.output, BodyMotion(whole, np.zeros((args.count, 3)), FPS, OFFSETS.copy()))
    print(f"{args.output.name}: {args.count} poses, seed {args.seed}", file=sys.stderr)
    return 0
