# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine fit``: poses from 2D keypoints or 3D joints, and poses and clips by targets for a few joints."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.commands import fit_clip
from engine.commands.arguments import add_device, add_seed, joint_names
from engine.commands.view import camera, image_size
from engine.errors import FileError
from engine.motion import amass, keypoints, npz
from engine.motion.files import read_json
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion
from engine.motion.tpose import OFFSETS
from engine.progress import Progress

PRESETS = ("paper", "released", "best")
DEFAULT_FPS = 30.0
MAX_TARGET_BYTES = 1_000_000
SHAPES = 10  # of SMPL-X that the bundled body follows
LEAST_NOISE, MOST_NOISE = 0.1, 1000.0  # millimetres
_MARKERS = ("points", "joint_names", "places")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``fit``; imports nothing heavy."""
    parser.epilog = (
        "2D: OUT is in the camera's frame, the camera at the origin, Y up, looking along -Z. Targets: FILE.json holds "
        '{"left_wrist": [x, y, z], ...} in metres, Y up, the pelvis at its place in IN, and for an orientation '
        '{"left_wrist": {"position": [x, y, z], "rotation": [x, y, z]}} with an axis-angle in radians; FILE.npz holds '
        "joint_names (K,), places (T, K, 3), NaN where a target does not count, and, for orientations, turns (T, K, 4) "
        "as unit quaternions WXYZ, in metres and Y up for an AMASS clip, in the file's own axes and units for a .bvh."
    )
    parser.add_argument(
        "input", metavar="IN", type=Path,
        help="2D keypoints (a .json, a .csv, a folder of .json, or an .npz of heatmaps), a .npz with joints "
        "(T, 22, 3) in metres or points (T, P, 3) with joint_names (P,) and, for markers, places (P, 3) in the joints' "
        "axes; or, with --targets, an AMASS .npz whose first frame is the current pose, or the clip that shall follow "
        "them",
    )  # fmt: skip
    parser.add_argument("output", metavar="OUT", type=Path, help="the AMASS .npz to write")
    parser.add_argument("--preset", choices=PRESETS, default="best", help="default: best")
    parser.add_argument(
        "--camera", metavar="FOCAL,CX,CY",
        help="pixels, or a .json with fx, fy, cx, cy or a camera matrix; needed for 2D keypoints without a camera",
    )  # fmt: skip
    parser.add_argument(
        "--person", metavar="ID", help="whose 2D keypoints, where several people are seen (default: the most certain)"
    )
    parser.add_argument(
        "--size", metavar="WIDTH,HEIGHT", help="of the image in pixels, for 2D keypoints that are shares of it"
    )
    parser.add_argument("--layout", choices=keypoints.LAYOUTS, help="of 2D keypoints, where their count does not tell")
    parser.add_argument(
        "--targets", type=Path, metavar="FILE", help="pose IN's first frame by a .json, or the whole clip by an .npz"
    )
    parser.add_argument(
        "--keep", type=float, metavar="SHARE",
        help="how much stays where no target needs it to move, 0 to 1 (default: 0 for a pose, 1 for a clip)",
    )  # fmt: skip
    parser.add_argument(
        "--smooth", type=float, default=0.08, metavar="SECONDS",
        help="over which a clip gives way to a target that comes or goes suddenly (default: 0.08)",
    )  # fmt: skip
    parser.add_argument(
        "--noise", type=float, default=10.0, metavar="MM",
        help="how far 3D points are off, millimetres (default: 10); with less, they are followed more closely",
    )  # fmt: skip
    parser.add_argument("--free-root", action="store_true", help="targets may move and turn the pelvis")
    parser.add_argument(
        "--fps", type=float, help=f"frame rate of 2D and 3D input (default: what IN says, or {DEFAULT_FPS:g})"
    )
    add_seed(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Fit what ``args`` asks for; returns the exit code.

    Raises:
        FileError: a file is not there, not of its format, or cannot be written, or an option is missing.
        MotionError: the measurements cannot be fitted.
    """
    if args.targets is not None and args.targets.suffix.lower() == ".npz":
        return fit_clip.follow(args)
    if args.output.suffix.lower() != ".npz":
        raise FileError(f"{args.output.name} must end in .npz; name an AMASS file to write.")
    if not args.output.parent.is_dir():
        raise FileError(f"The folder {args.output.parent} does not exist; create it first.")
    if not args.input.exists():
        raise FileError(f"{args.input} does not exist; check its name.")
    if args.output.exists() and args.output.samefile(args.input):
        raise FileError(f"{args.input.name} would be written over; name another file.")
    if args.targets is not None:
        return _pose(args)
    if args.input.is_dir() or args.input.suffix.lower() in (".json", *keypoints.CSV_ENDINGS):
        return _fit_2d(args)
    if args.input.suffix.lower() == ".npz":
        return _fit_2d(args) if keypoints.holds_heatmaps(args.input) else _fit_3d(args)
    raise FileError(f"{args.input.name} is neither .json, .csv nor .npz; give 2D keypoints or 3D joints.")


def _fit_2d(args: argparse.Namespace) -> int:
    given = None if args.camera is None else camera(args.camera)
    people = keypoints.read(args.input, None if args.size is None else image_size(args.size), args.layout)
    view = given or people.camera
    if view is None:
        raise FileError("2D keypoints need a camera; add --camera FOCAL,CX,CY in pixels.")
    view = view.resized(people.size)
    if view.distorted:
        print("The camera's distortion is not modelled; take it out of the keypoints if it is large.", file=sys.stderr)
    found = people.choose(args.person)
    pixels = view.squared(found.pixels[:, : len(keypoints.MARKS)])
    confidence = found.confidence[:, : len(keypoints.MARKS)]
    from engine.priors.weights import load_pose_prior
    from engine.tasks.fit.camera import Camera
    from engine.tasks.fit.keypoints import FEWEST, PRESETS, fit_keypoints

    settings = replace(PRESETS[args.preset], seed=args.seed, device=args.device)
    usable = np.flatnonzero((confidence > 0).sum(axis=1) >= FEWEST)
    if not len(usable):
        raise FileError(f"No frame of {args.input.name} has {FEWEST} keypoints; run the detector again.")
    progress = Progress(args.input.name, len(usable), sys.stderr)
    try:
        fit = fit_keypoints(
            pixels[usable],
            confidence[usable],
            Camera(view.focal[0], view.centre),
            load_pose_prior(),
            settings,
            on_step=progress.step,
        )
    finally:
        progress.close()
    betas = fit.betas.mean(axis=0)  # one file holds one body
    # A frame in which nobody was found holds the nearest one in time.
    nearest = np.abs(np.arange(len(found))[:, None] - usable).argmin(axis=1)
    fps = people.fps or DEFAULT_FPS if args.fps is None else args.fps
    motion = BodyMotion(fit.poses[nearest], fit.transl[nearest], fps, OFFSETS.copy())
    amass.create(args.output, motion, betas)
    held = f", {len(found) - len(usable)} without enough keypoints held" if len(usable) < len(found) else ""
    print(f"{args.output.name}: {len(found)} frames{held}, {fit.error.mean():.1f} pixels from the keypoints")
    return 0


def _fit_3d(args: argparse.Namespace) -> int:
    given = _points(args.input)
    from engine.priors.weights import load_pose_prior
    from engine.tasks.fit.points import PRESETS, fit_points

    if args.preset not in PRESETS:
        raise FileError(f"3D joints know no preset {args.preset}; choose {' or '.join(PRESETS)}.")
    if not LEAST_NOISE <= args.noise <= MOST_NOISE:
        raise FileError(f"--noise must be from {LEAST_NOISE:g} to {MOST_NOISE:g} millimetres; correct it.")
    settings = replace(
        PRESETS[args.preset], noise=args.noise / 1000.0, seed=args.seed, device=args.device, shape=True
    )
    count = len(given.points)
    progress = Progress(args.input.name, count, sys.stderr)
    weights = np.isfinite(given.points).all(axis=2).astype(np.float64)
    try:
        fit = fit_points(
            given.points,
            given.joints,
            load_pose_prior(),
            weights,
            given.places,
            settings=settings,
            on_step=progress.step,
        )
    finally:
        progress.close()
    betas = fit.betas.mean(axis=0)  # one file holds one body
    fps = DEFAULT_FPS if args.fps is None else args.fps
    amass.create(args.output, BodyMotion(fit.poses, fit.transl, fps, OFFSETS.copy()), betas)
    print(f"{args.output.name}: {count} frames, {1e3 * fit.residual.mean():.1f} mm from the points")
    return 0


def _pose(args: argparse.Namespace) -> int:
    places, turns = _targets(args.targets)
    clip = amass.read(args.input)
    from engine.body import bundled
    from engine.priors.weights import load_pose_prior
    from engine.tasks.fit.effectors import PRESETS, fit_effectors

    if args.preset not in PRESETS:
        raise FileError(f"Targets know no preset {args.preset}; choose {' or '.join(PRESETS)}.")
    settings = replace(PRESETS[args.preset], seed=args.seed, free_root=args.free_root, keep=args.keep or 0.0)
    motion = clip.motion
    offsets = bundled(clip.betas[:SHAPES]).offsets if len(clip.betas) else bundled().offsets
    posed = fit_effectors(places, load_pose_prior(), motion.poses[0], motion.transl[0], turns, offsets, settings)
    moved = BodyMotion(posed.pose[None], posed.transl[None], motion.fps, motion.offsets)
    amass.create(args.output, moved, clip.betas)
    missed = ", ".join(f"{name} {1e3 * distance:.1f}" for name, distance in posed.missed.items())
    print(f"{args.output.name}: millimetres from the targets: {missed}")
    return 0


@dataclass(frozen=True)
class _Points:
    """3D input: points (T, P, 3) in metres, NaN where not seen, of joints (P,), at places (P, 3) in their axes."""

    points: np.ndarray
    joints: np.ndarray
    places: np.ndarray


def _points(path: Path) -> _Points:
    """Joints (T, 22, 3), or points (T, P, 3) with joint_names (P,) and, for markers, places (P, 3)."""
    members = npz.read(path, keys=("joints", *_MARKERS))
    if "joints" in members:
        points, names = npz.array(path.name, members, "joints").astype(np.float64), list(JOINTS)
    elif {"points", "joint_names"} <= members.keys():
        points, names = npz.array(path.name, members, "points").astype(np.float64), joint_names(path.name, members)
    else:
        raise FileError(
            f"{path.name} holds neither an array joints (T, {len(JOINTS)}, 3) nor points (T, P, 3) with joint_names "
            "(P,); add one to the file."
        )
    places = np.zeros((len(names), 3))
    if "places" in members:
        places = npz.array(path.name, members, "places").astype(np.float64)
    if points.ndim != 3 or points.shape[1:] != (len(names), 3) or not len(points):
        raise FileError(
            f"{path.name} has points of the shape {points.shape}; they must be (T, {len(names)}, 3)."
        )
    if places.shape != (len(names), 3) or not np.isfinite(places).all():
        raise FileError(f"{path.name} has places that are not ({len(names)}, 3) finite numbers; correct them.")
    return _Points(points, np.array([JOINTS.index(name) for name in names]), places)


def _targets(path: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Positions, and orientations, by joint."""
    places: dict[str, np.ndarray] = {}
    turns: dict[str, np.ndarray] = {}
    for name, value in _json(path).items():
        if isinstance(value, dict):
            places[name] = _triple(path.name, value.get("position"))
            if "rotation" in value:
                turns[name] = _triple(path.name, value["rotation"])
        else:
            places[name] = _triple(path.name, value)
    return places, turns


def _triple(name: str, value: Any) -> np.ndarray:
    """Three finite numbers of a JSON file."""
    try:
        if isinstance(value, list) and len(value) == 3 and all(type(number) in (int, float) for number in value):
            triple = np.array(value, np.float64)
            if np.isfinite(triple).all():
                return triple
    except OverflowError:  # a whole number beyond all others
        pass
    raise FileError(f"{name} must map joints to three finite numbers [x, y, z], in metres; correct it.")


def _json(path: Path) -> dict[str, Any]:
    content = read_json(path, MAX_TARGET_BYTES, "correct it")
    if not isinstance(content, dict):
        raise FileError(f"{path.name} must hold one JSON object; correct it.")
    return content
