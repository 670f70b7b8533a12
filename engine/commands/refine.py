# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine refine``: a clip refined by keypoints, by other views or for smoothness, from file to file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from engine.commands.arguments import (
    add_bone_map,
    add_clip,
    add_device,
    add_output,
    positive,
    read_bone_map,
)
from engine.commands.clip_file import ClipFile, check_target
from engine.commands.view import image_size, seen_through, stand
from engine.errors import FileError
from engine.motion import keypoints
from engine.motion.extrinsics import Extrinsics
from engine.motion.features import read_features
from engine.motion.intrinsics import Intrinsics
from engine.motion.keypoint_times import sampled
from engine.motion.keypoints import People, Track
from engine.motion.motion import BodyMotion
from engine.progress import Progress
from engine.wording import few, fit

if TYPE_CHECKING:
    from engine.tasks.refine.animation import RefinedMotion, Shot
    from engine.tasks.refine.refine import RefineSettings

PRESETS = ("paper", "released", "best")
SHAPES = 10  # of SMPL-X that the bundled body follows
SAME_RATE = 0.01  # by which frame rates may differ that are one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``refine``; imports nothing heavy."""
    parser.epilog = (
        "IN is in its camera's axes, the camera at the origin, Y up, looking along -Z, as lift writes it; or a "
        'camera\'s .json tells where it stands: "rotation" (three rows of three) and "translation" (three numbers), by '
        "OpenCV's convention, in metres and in IN's own axes (Y up for an AMASS clip). The keypoints' first frame is "
        "on the clip's first, or on that of --start, and further ones as their frame rate says; frames without "
        "keypoints are guided by their neighbours. With --views each clip is of the same person and frames, in "
        "axes of its own camera, and OUT is IN with the pose that all views have on average."
    )
    add_clip(parser)
    add_output(parser)
    parser.add_argument(
        "--keypoints", type=Path, nargs="+", default=[], metavar="FILE",
        help="2D keypoints (a .json, a .csv, a folder of .json files, or an .npz of heatmaps): one, one of each view, "
        "or one of each camera that tells where it stands; none to make the clip smooth",
    )  # fmt: skip
    parser.add_argument(
        "--camera", nargs="+", default=[], metavar="FOCAL,CX,CY",
        help="pixels, or a .json with fx, fy, cx, cy or a camera matrix: one for all keypoints, or one for each "
        "(default: as the keypoints' file says, else a lens of 50 mm)",
    )  # fmt: skip
    parser.add_argument(
        "--views", type=Path, nargs="+", default=[], metavar="FILE",
        help="further clips of the person, each as another camera has it, wherever that stands",
    )  # fmt: skip
    parser.add_argument(
        "--start", type=positive, default=1, metavar="FRAME",
        help="of the clip, counted from 1, that the keypoints' first frame shows",
    )  # fmt: skip
    parser.add_argument("--preset", choices=PRESETS, default="best", help="default: best")
    parser.add_argument(
        "--smooth", type=float, metavar="W",
        help="weight of smoothness in time, 0 for none (default: 100 of accelerations; 30 of steps in other presets)",
    )  # fmt: skip
    parser.add_argument("--rounds", type=positive, metavar="N", help="of inversion and sampling, at most")
    parser.add_argument("--shape", action="store_true", help="find the person's shape, too")
    parser.add_argument(
        "--person", metavar="ID", help="whose keypoints, where several people are seen (default: the most certain)"
    )
    parser.add_argument("--size", metavar="WIDTH,HEIGHT", help="of the images in pixels, where the file does not say")
    parser.add_argument("--layout", choices=keypoints.LAYOUTS, help="of the points, where their count does not tell")
    parser.add_argument(
        "--features", type=Path, nargs="+", default=[], metavar="FILE",
        help="features (T, F) of the pictures, a .npz or .npy for each camera, where --weights were trained on such",
    )  # fmt: skip
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="of a prior that train --prior scorehmr made (default: bundled)"
    )
    add_bone_map(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Refine one clip; returns the exit code.

    Raises:
        FileError: a file is not there, not of its format, or cannot be written, or there are too many or too few.
        MappingError: the rig cannot be matched. MotionError: what was seen does not fit the clip, or nothing was.
        WeightsError: the prior cannot be had.
    """
    if args.input.is_dir():
        raise FileError(f"{args.input} is a folder; name one clip.")
    check_target(args.input, args.output)
    cameras = len(args.views) + 1 if args.views else max(1, len(args.keypoints))
    _check_counts(args, cameras)
    bone_map = read_bone_map(args.bone_map)
    clips = [ClipFile(path, bone_map) for path in (args.input, *args.views)]
    if args.shape and clips[0].betas is None:
        raise FileError(f"{args.input.name} keeps its own bones; --shape needs an AMASS .npz.")
    bodies = [_body(clip) for clip in clips]
    for path, body in zip(args.views, bodies[1:], strict=True):
        if len(body) != len(bodies[0]) or abs(body.fps - bodies[0].fps) > SAME_RATE * body.fps:
            raise FileError(
                f"{path.name} has {len(body)} frames, {body.fps:g} a second, and {args.input.name} has "
                f"{len(bodies[0])}, {bodies[0].fps:g} a second; cut them to the same."
            )
    each = clips if args.views else clips * cameras
    seen = [_seen(args, number, clip) for number, clip in enumerate(each)]
    from engine.priors.rotation_weights import load_rotation_prior
    from engine.tasks.refine.animation import refine_motion, refine_views

    shots = [_shot(one, clip) for one, clip in zip(seen, each, strict=True)]
    prior = load_rotation_prior(args.weights)
    progress = Progress(args.input.name, len(bodies[0]), sys.stderr)
    try:
        if args.views:
            same = [replace(body, fps=bodies[0].fps) for body in bodies]
            found = refine_views(same, shots, _settings(args, cameras), prior, on_step=progress.step)
        else:
            found = refine_motion(bodies[0], shots, _settings(args, cameras), prior, on_step=progress.step)
    finally:
        progress.close()
    betas = None
    if args.shape and clips[0].betas is not None:
        betas = np.pad(clips[0].betas, (0, max(0, SHAPES - len(clips[0].betas))))
        betas[:SHAPES] += found.betas
    clips[0].write(args.output, found.motion, betas)
    _tell(args, found, seen)
    farthest = np.nanmax([-1.0, *found.before])
    if any(one.view is not None and farthest > 2.0 * max(one.view.centre) for one in seen):
        print(
            f"{args.input.name} began {farthest:.0f} pixels off its keypoints: it may stand elsewhere than its camera "
            "sees. Name a .json as --camera that tells where that is.",
            file=sys.stderr,
        )
    return 0


@dataclass(frozen=True)
class _Seen:
    """What one camera saw: its place, and where there are keypoints, pixels (T, 17, 2), confidences and deviations."""

    place: Extrinsics
    view: Intrinsics | None = None
    pixels: np.ndarray | None = None
    confidence: np.ndarray | None = None
    sigma: np.ndarray | None = None
    features: np.ndarray | None = None


def _check_counts(args: argparse.Namespace, cameras: int) -> None:
    if args.keypoints and len(args.keypoints) != cameras:
        raise FileError(
            f"IN and --views are {cameras} clips, and --keypoints names {len(args.keypoints)} files; give one for each "
            "clip, or none."
        )
    if args.camera and not (args.keypoints or args.features):
        raise FileError("A --camera tells nothing without --keypoints; add the file of what it saw.")
    if len(args.camera) not in (0, 1, cameras):
        raise FileError(f"There are {cameras} views and {len(args.camera)} cameras; give one for all, or one for each.")
    if args.features and len(args.features) != cameras:
        raise FileError(f"There are {cameras} views and {len(args.features)} files of features; give one for each.")


def _body(clip: ClipFile) -> BodyMotion:
    """The clip on the body, of the shape that an AMASS clip tells."""
    if clip.betas is None or not len(clip.betas):
        return clip.body
    from engine.body import bundled

    return replace(clip.body, offsets=bundled(clip.betas[:SHAPES]).offsets)


def _seen(args: argparse.Namespace, number: int, clip: ClipFile) -> _Seen:
    """What a camera, counted from 0, saw of a clip, a row for each of its frames."""
    frames = len(clip.body)
    camera = args.camera[number if len(args.camera) > 1 else 0] if args.camera else None
    place = stand(camera)
    if len(args.keypoints) > 1 and not args.views and (place is None or len(args.camera) == 1):
        raise FileError(
            "Several cameras before one clip must tell where they stand; name a .json with rotation and translation "
            "for each as --camera, or give each camera's own clip as --views."
        )
    features = None
    if args.features:
        features = read_features(args.features[number])
        if len(features) != frames:
            raise FileError(
                f"{args.features[number].name} has features of {len(features)} pictures, and the clip has {frames} "
                "frames; give one for each."
            )
    place = place or Extrinsics(Rotation.identity(), np.zeros(3))
    if not args.keypoints:
        return _Seen(place, features=features)
    source: Path = args.keypoints[number]
    if not source.exists():
        raise FileError(f"{source} does not exist; check its name.")
    people = keypoints.read(source, None if args.size is None else image_size(args.size), args.layout)
    track = people.choose(args.person)
    view = seen_through(camera, people)
    fps = clip.body.fps
    if people.fps and abs(people.fps - fps) > SAME_RATE * people.fps:
        fps = people.fps
    rows = (np.arange(frames) + 1 - args.start) / clip.body.fps * fps
    for note in _granted(args, people, track, rows):
        print(f"{source.name} {note}.", file=sys.stderr)
    pixels, confidence, sigma = keypoints.to_h36m(track)
    pixels, confidence, sigma = sampled(view.squared(pixels), confidence, sigma, rows)
    if not (confidence > 0).any():
        raise FileError(f"{source.name} shows nobody in the clip's {frames} frames; choose another person or file.")
    return _Seen(place, view, pixels, confidence, sigma, features)


def _granted(args: argparse.Namespace, people: People, track: Track, rows: np.ndarray) -> Iterator[str]:
    """What is taken for granted of keypoints, of which the clip's frames show so many rows."""
    if len(people.tracks) > 1 and args.person is None:
        names = few((track.id for track in people.tracks), 8)
        yield f"shows {names}, and {fit(track.id)} is taken; --person names another"
    if people.first > 1 and args.start == 1:
        yield f"begins with frame {people.first}, which is taken for the clip's first; --start names another"
    last = people.last - people.first
    if rows[0] >= 1 or rows[-1] <= last - 1:
        yield "has frames before the clip or after it, which are left out"
    if rows[-1] >= last + 1:
        yield "ends before the clip does; frames after it only go along"


def _shot(seen: _Seen, clip: ClipFile) -> Shot:
    """A camera before the body."""
    from engine.tasks.fit.camera import Camera
    from engine.tasks.refine.animation import Shot

    turn, place = Rotation.from_matrix(clip.axes) * seen.place.turn, clip.axes @ seen.place.place
    camera = None if seen.view is None else Camera(seen.view.focal[0], seen.view.centre)
    return Shot(turn, place, camera, seen.pixels, seen.confidence, seen.sigma, seen.features)


def _settings(args: argparse.Namespace, cameras: int) -> RefineSettings:
    from engine.tasks.refine.refine import preset

    settings = replace(preset(args.preset, cameras), shape=args.shape, device=args.device)
    if args.smooth is not None:
        settings = replace(settings, smooth=args.smooth)
    if args.rounds is not None:
        settings = replace(settings, loop=replace(settings.loop, rounds=args.rounds))
    return settings


def _tell(args: argparse.Namespace, found: RefinedMotion, seen: Sequence[_Seen]) -> None:
    frames, pixels = len(found.motion), ""
    shown = [one.confidence > 0 for one in seen if one.confidence is not None]
    if shown:
        unseen = int((~np.any(shown, axis=(0, 2))).sum())
        gaps = f" ({unseen} of them unseen)" if unseen else ""
        before, after = (np.nanmean(figures) for figures in (found.before, found.after))
        pixels = f"{gaps}, {before:.1f} -> {after:.1f} pixels from the keypoints"
    each = " and view" if len(seen) > 1 else ""
    print(
        f"{args.output.name}: {frames} frames{pixels}, {found.rounds:.1f} rounds, {found.evaluations:.0f} network "
        f"evaluations for each frame{each}"
    )
