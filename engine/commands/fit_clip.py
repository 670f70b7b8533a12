# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine fit IN OUT --targets FILE.npz``: a clip whose joints follow targets, from file to file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from engine.commands.arguments import joint_names
from engine.commands.clip_file import FORMATS, check_target
from engine.errors import FileError
from engine.motion import amass, bvh, npz
from engine.motion.motion import BodyMotion
from engine.progress import Progress

SHAPES = 10  # of SMPL-X that the bundled body follows


def follow(args: argparse.Namespace) -> int:
    """Let the joints of a clip follow targets; returns the exit code.

    Raises:
        FileError: a file is not there, not of its format, or cannot be written.
        MotionError: the targets do not fit the clip. MappingError: the rig cannot be matched to the body.
    """
    check_target(args.input, args.output)
    if args.input.suffix.lower() not in FORMATS:
        raise FileError(f"{args.input.name} is neither a .bvh nor an .npz file; convert it to one of them.")
    joints, places, turns = _targets(args.targets)
    clip = FORMATS[args.input.suffix.lower()].read(args.input)
    from engine.priors.weights import load_pose_prior
    from engine.tasks.fit.follow import FollowSettings

    settings = FollowSettings(
        keep=1.0 if args.keep is None else args.keep,
        seed=args.seed,
        free_root=args.free_root,
        smooth=args.smooth,
    )
    prior = load_pose_prior()
    progress = Progress(args.input.name, len(clip.motion), sys.stderr)
    try:
        if isinstance(clip.motion, BodyMotion):
            from engine.body import bundled
            from engine.tasks.fit.aim import Targets
            from engine.tasks.fit.follow import follow_targets

            offsets = bundled(clip.betas[:SHAPES]).offsets if len(clip.betas) else None
            wanted = Targets(joints, places, turns)
            followed = follow_targets(
                clip.motion, wanted, prior, settings, offsets, on_step=progress.step
            )
            missed = followed.missed
            amass.write(args.output, clip, followed.motion)
        else:
            from engine.motion.rigs import find_map
            from engine.tasks.fit.rig_targets import follow_on_rig

            rig_map = find_map(clip.motion.skeleton)
            result = follow_on_rig(
                clip.motion, rig_map, joints, places, turns, prior, settings, on_step=progress.step
            )
            missed = result.missed
            bvh.write(args.output, clip, result.edit.motion)
    finally:
        progress.close()
    worst = np.where(np.isnan(missed), 0.0, missed).max(axis=0)
    told = ", ".join(f"{name} {1e3 * far:.1f}" for name, far in zip(joints, worst, strict=True))
    print(f"{args.output.name}: {len(missed)} frames, at most so many millimetres from the targets: {told}")
    return 0


def _targets(path: Path) -> tuple[tuple[str, ...], np.ndarray, np.ndarray | None]:
    """Names (K) of joints, their places (T, K, 3), and orientations (T, K, 4) where the file has some."""
    members = npz.read(path, keys=("joint_names", "places", "turns"))
    if not {"joint_names", "places"} <= members.keys():
        raise FileError(f"{path.name} does not hold joint_names (K,) and places (T, K, 3); add them to the file.")
    names = tuple(joint_names(path.name, members))
    places = npz.array(path.name, members, "places").astype(np.float64)
    turns = npz.array(path.name, members, "turns").astype(np.float64) if "turns" in members else None
    if places.ndim != 3 or (turns is not None and turns.ndim != 3):
        raise FileError(f"{path.name} has places of the shape {places.shape}; they must be (T, K, 3).")
    return names, places, turns
