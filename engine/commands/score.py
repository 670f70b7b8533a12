# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine score``: how plausible every frame of a clip is, and which joints are odd."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import engine
from engine.commands.arguments import add_bone_map, add_clip, add_device, add_seed, natural, read_bone_map
from engine.commands.clip_file import ClipFile
from engine.errors import FileError
from engine.motion.files import replacing
from engine.motion.joints import JOINTS
from engine.progress import Progress

if TYPE_CHECKING:
    from engine.tasks.quality import Quality
    from engine.tasks.score import PoseScores

TOLD_JOINTS = 3
METHODS = ("denoising", "likelihood")
DIGITS = 6
LEAST_TOLD = 0.0001
"""Scores below are printed as that: the samples they are compared with say no more."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``score``; imports nothing heavy."""
    parser.epilog = (
        "A score is the chance that a pose made by the prior is odder: 0.5 is as usual, 0.01 is rarer than 99 of 100. "
        "Dance and acrobatics are rare without being wrong, so look first for frames that fall below the rest of "
        "their clip. The last line is about the capture: samples that are no measurements (spikes, lost limbs) "
        "and the noise on the others, as clean sees them. Frames are counted from 0."
    )
    add_clip(parser)
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write every frame's scores; a .json or .csv file"
    )
    parser.add_argument(
        "--method", choices=METHODS, default="denoising",
        help="of the whole pose; likelihood is exact and some fifty times as slow (default: denoising)",
    )  # fmt: skip
    parser.add_argument("--worst", type=natural, default=5, metavar="N", help="frames to print (default: 5)")
    add_bone_map(parser)
    add_seed(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Score one clip, print its worst frames; returns the exit code.

    Raises:
        FileError: a file is not there, not a clip, or cannot be written. MappingError: the rig cannot be matched.
    """
    if args.output is not None and args.output.suffix.lower() not in (".json", ".csv"):
        raise FileError(f"{args.output.name} must end in .json or .csv; rename it.")
    clip = ClipFile(args.input, read_bone_map(args.bone_map))
    from engine.tasks.quality import quality
    from engine.tasks.score import APART_SECONDS, ScoreSettings, score

    progress = Progress(args.input.name, len(clip.body), sys.stderr)
    settings = ScoreSettings(args.method, seed=args.seed, device=args.device)
    try:
        scores = score(clip.body, settings, on_step=progress.step, known=clip.told)
    finally:
        progress.close()
    progress = Progress(args.input.name, len(clip.body), sys.stderr)
    try:
        found = quality(clip.body, args.device, progress.step)
    finally:
        progress.close()
    if args.output is not None:
        write = _json if args.output.suffix.lower() == ".json" else _csv
        with replacing(args.output) as stream:
            stream.write(write(scores, found, args, clip.body.fps).encode())
    print(f"{args.input.name}: {len(scores.pose)} frames, median plausibility {_median(scores):.3f}")
    for frame, plausibility, joint in scores.worst(args.worst, max(1, round(APART_SECONDS * clip.body.fps))):
        told = f"{plausibility:.4f}" if plausibility >= LEAST_TOLD else f"below {LEAST_TOLD}"
        print(f"  frame {frame}: {told}, oddest joint {joint}")
    print(_capture(found))
    return 0


def _capture(found: Quality) -> str:
    """What is said of the capture: damage and noise."""
    noise = f"noise {float(np.median(np.rad2deg(found.noise))):.2f} degrees"
    worst = found.worst_joints(TOLD_JOINTS)
    if not worst:
        return f"capture: no damaged samples, {noise}"
    joints = ", ".join(f"{joint} {share:.1%}" for joint, share in worst)
    return f"capture: {found.damaged[:, 1:].mean():.2%} of samples damaged (most in {joints}), {noise}"


def _median(scores: PoseScores) -> float:
    return float(sorted(scores.pose)[len(scores.pose) // 2])


def _json(scores: PoseScores, found: Quality, args: argparse.Namespace, fps: float) -> str:
    content = {
        "engine": engine.__version__,
        "input": args.input.name,
        "method": args.method,
        "seed": args.seed,
        "fps": fps,
        "joint_names": list(JOINTS[1:]),
        "pose": [round(float(p), DIGITS) for p in scores.pose],
        "joints": [[round(float(p), DIGITS) for p in row] for row in scores.joints],
        "damage_names": list(JOINTS),
        "damage": [[round(float(p), DIGITS) for p in row] for row in found.damage],
        "noise_deg": [round(float(n), DIGITS) for n in np.rad2deg(found.noise)],
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _csv(scores: PoseScores, found: Quality, args: argparse.Namespace, fps: float) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["frame", "seconds", "pose", *JOINTS[1:], *(f"{joint} damage" for joint in JOINTS)])
    for frame, (pose, joints) in enumerate(zip(scores.pose, scores.joints, strict=True)):
        row = [round(float(p), DIGITS) for p in (pose, *joints, *found.damage[frame])]
        writer.writerow([frame, round(frame / fps, DIGITS), *row])
    return text.getvalue()
