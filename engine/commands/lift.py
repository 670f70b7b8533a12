# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine lift``: an animation from 2D keypoints, from file to file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.commands import confidences
from engine.commands.arguments import add_device, add_seed, positive
from engine.commands.view import image_size, seen_through
from engine.errors import FileError
from engine.motion import amass, bvh, keypoints
from engine.progress import Progress

if TYPE_CHECKING:
    from engine.tasks.lift.animation import Lifted

PRIORS = ("gfpose", "diffpose")
DEFAULT_FPS = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``lift``; imports nothing heavy."""
    parser.epilog = (
        "OUT is in the camera's frame, the camera at the origin, Y up, looking along -Z; with --world upright and on a "
        "floor at 0. A picture cannot tell size from distance: give --height to have both right."
    )
    parser.add_argument(
        "input", metavar="KEYPOINTS", type=Path,
        help="2D keypoints: a .json, a .csv, a folder of .json files, or an .npz of heatmaps",
    )  # fmt: skip
    parser.add_argument("output", metavar="OUT", type=Path, help="the .bvh or AMASS .npz to write")
    parser.add_argument("--prior", choices=PRIORS, default="gfpose", help="default: gfpose")
    parser.add_argument(
        "--hypotheses", type=positive, default=20, metavar="S", help="drawn of every frame (default: 20)"
    )
    parser.add_argument(
        "--keep", type=positive, default=1, metavar="N",
        help="write N distinct animations, the best first: OUT.1.bvh, OUT.2.bvh, ... (default: 1, OUT)",
    )  # fmt: skip
    parser.add_argument("--steps", type=positive, metavar="K", help="of the sampler (default: what the prior takes)")
    parser.add_argument(
        "--camera", metavar="FOCAL,CX,CY",
        help="pixels, or a .json with fx, fy, cx, cy or a camera matrix (default: as the keypoints' file says, else a "
        "lens of 50 mm)",
    )  # fmt: skip
    parser.add_argument(
        "--person", metavar="ID", help="whose keypoints, where several people are seen (default: the most certain)"
    )
    parser.add_argument("--size", metavar="WIDTH,HEIGHT", help="of the image in pixels, where the file does not say")
    parser.add_argument("--layout", choices=keypoints.LAYOUTS, help="of the points, where their count does not tell")
    parser.add_argument("--height", type=float, metavar="M", help="of the person in metres (default: an adult's)")
    parser.add_argument("--fps", type=float, help="frame rate (default: as the file says, else 30)")
    parser.add_argument("--world", action="store_true", help="turn the world upright, with a floor under the feet")
    parser.add_argument(
        "--confidences", type=Path, metavar="FILE.npz",
        help="write how far each joint's rotation was seen, which clean takes",
    )  # fmt: skip
    add_seed(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Lift one person's keypoints; returns the exit code.

    Raises:
        FileError: a file is not there, holds no keypoints, or cannot be written. MotionError: the keypoints cannot be
            used, or an option is out of range. WeightsError: the prior cannot be had.
    """
    targets = _targets(args)
    people = keypoints.read(args.input, None if args.size is None else image_size(args.size), args.layout)
    track = people.choose(args.person)
    view = seen_through(args.camera, people)
    pixels, confidence, sigma = keypoints.to_h36m(track)
    draws = None
    if args.prior == "diffpose":
        draws = keypoints.draw(args.input, people.size, args.layout, args.seed)
        for places in () if draws is None else draws:
            places[:] = view.squared(places)
    from engine.tasks.fit.camera import Camera
    from engine.tasks.lift.animation import LiftSettings, lift

    settings = LiftSettings(
        args.prior, args.hypotheses, args.keep, args.steps, args.height, args.world, args.seed, args.device
    )
    fps = people.fps or DEFAULT_FPS if args.fps is None else args.fps
    progress = Progress(args.input.name, len(track), sys.stderr)
    try:
        found = lift(
            view.squared(pixels),
            confidence,
            sigma,
            Camera(view.focal[0], view.centre),
            fps,
            settings,
            on_step=progress.step,
            draws=draws,
        )
    finally:
        progress.close()
    for target, motion in zip(targets, found.motions, strict=True):
        if target.suffix.lower() == ".bvh":
            from engine.motion.body_clip import body_rig

            bvh.write(target, bvh.from_motion(body_rig(motion)))
        else:
            amass.create(target, motion, found.betas)
    if args.confidences is not None:
        confidences.write(args.confidences, found.confidence)
    _tell(targets, found)
    return 0


def _targets(args: argparse.Namespace) -> list[Path]:
    """The files to write."""
    output: Path = args.output
    if output.suffix.lower() not in (".bvh", ".npz"):
        raise FileError(f"{output.name} must end in .bvh or .npz; rename it.")
    if args.confidences is not None and args.confidences.suffix.lower() != ".npz":
        raise FileError(f"{args.confidences.name} must end in .npz; rename it.")
    for path in (output, *([args.confidences] if args.confidences is not None else [])):
        if not path.resolve().parent.is_dir():
            raise FileError(f"The folder {path.parent} does not exist; create it first.")
    if not args.input.exists():
        raise FileError(f"{args.input} does not exist; check its name.")
    if args.keep == 1:
        return [output]
    return [output.with_suffix(f".{number}{output.suffix}") for number in range(1, args.keep + 1)]


def _tell(targets: list[Path], found: Lifted) -> None:
    frames = len(found.confidence)
    unseen = int((~found.shown).sum())
    gaps = f" ({unseen} of them unseen)" if unseen else ""
    pitch = "" if found.pitch is None else f", camera pitch {np.rad2deg(found.pitch):.0f} degrees"
    for target, error in zip(targets, found.error, strict=True):
        print(
            f"{target.name}: {frames} frames{gaps}, {error:.1f} pixels from the keypoints, hypotheses "
            f"{1e3 * found.spread[found.shown].mean():.0f} mm apart, {found.distance.min():.1f} to "
            f"{found.distance.max():.1f} m away{pitch}"
        )
