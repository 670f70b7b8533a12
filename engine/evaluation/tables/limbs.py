# SPDX-License-Identifier: GPL-3.0-or-later
"""Limbs that are missing for a whole clip: the per-frame prior with its temporal term against the motion prior."""

from __future__ import annotations

import sys

import numpy as np
import torch

from engine.body import pose_joints
from engine.evaluation.metrics import acceleration_error, mpjpe
from engine.evaluation.motion_clips import (
    FPS,
    MotionClip,
    Weighed,
    feet_of,
    mean,
    minutes,
    motion_clips,
    skated,
)
from engine.evaluation.tables.table import Context, Table
from engine.motion.contacts import resting
from engine.motion.joints import JOINTS, PARTS
from engine.motion.motion import BodyMotion
from engine.motion.tpose import OFFSETS
from engine.motion.windows import continuous, quat_to_rotvec, rotvec_to_quat
from engine.tasks.complete_clip import CompleteClipSettings, complete_clip

LOST: dict[str, tuple[str, ...]] = {
    "left leg": ("left_leg",),
    "legs": ("left_leg", "right_leg"),
    "left arm": ("left_arm",),
    "trunk": ("trunk",),
}
LEGS = ("left leg", "legs")
ERROR, ACCELERATION, SKATE = "mm", "m/s²", "skate mm"
COLUMNS = tuple(
    f"{name} {metric}"
    for name in LOST
    for metric in (ERROR, ACCELERATION, SKATE)
    if metric != SKATE or name in LEGS
)
SHORTEST, LONGEST = 60, 300  # frames: 2 to 10 s
MOST_CLIPS = 24
METHODS = {"per-frame prior with temporal term": "pose", "motion prior": "motion"}
RANDOM = ("pose",)  # of one hypothesis, the motion prior gives the mean, whatever the seed


def missing(name: str) -> np.ndarray:
    """(21,) bool, the joints of a case of `LOST`."""
    lost = {joint for part in LOST[name] for joint in PARTS[part]}
    return np.array([joint in lost for joint in JOINTS[1:]])


def some_clips(context: Context) -> list[MotionClip]:
    """At most `MOST_CLIPS` clips spread evenly over the test split, and fewer where the context's scale asks for it."""
    clips = motion_clips(context.data / "test", SHORTEST, LONGEST)
    count = min(len(clips), max(1, MOST_CLIPS // context.scale))
    return [clips[i] for i in np.linspace(0, len(clips) - 1, count).round().astype(int)]


def completed(clip: MotionClip, name: str, prior: str, seed: int, device: str) -> np.ndarray:
    """Poses (T, 22, 3) in radians with the joints of a case filled in; what they were is not handed over."""
    lost = missing(name)
    poses = quat_to_rotvec(clip.quat)
    poses[:, 1:][:, lost] = 0.0
    settings = CompleteClipSettings(hypotheses=1, prior=prior, seed=seed, device=device)
    return complete_clip(BodyMotion(poses, clip.path, FPS, OFFSETS), ~lost, settings).motions[0].poses


def figures(poses: np.ndarray, clip: MotionClip, name: str) -> dict[str, Weighed]:
    """Errors of completed poses (T, 22, 3), by column of `COLUMNS`."""
    joints = np.flatnonzero(missing(name)) + 1
    found, truth = (
        pose_joints(torch.from_numpy(p[:, 1:])).numpy()[:, joints] for p in (poses, quat_to_rotvec(clip.quat))
    )
    row = {
        f"{name} {ERROR}": Weighed(mpjpe(found, truth), len(clip)),
        f"{name} {ACCELERATION}": Weighed(acceleration_error(found, truth, FPS), len(clip)),
    }
    if name in LEGS:
        row[f"{name} {SKATE}"] = slide(continuous(rotvec_to_quat(poses)), clip, name)
    return row


def slide(quat: np.ndarray, clip: MotionClip, name: str) -> Weighed:
    """Skate of the missing feet of rotations (T, 22, 4), where they rest in the truth."""
    # Ankles and balls come left, right, left, right.
    own = [0, 2] if name == "left leg" else [0, 1, 2, 3]
    contact = np.zeros((len(clip), 4), bool)
    contact[:, own] = resting(feet_of(clip.quat, clip.path), FPS)[:, own]
    return skated(quat, clip.path, contact)


def limbs(context: Context) -> Table:
    """Joint error, acceleration error and foot skate of completed clips."""
    clips = some_clips(context)
    rows: dict[str, dict[str, list[float]]] = {"truth": {}}
    for name in LEGS:
        rows["truth"][f"{name} {SKATE}"] = [mean(slide(c.quat, c, name) for c in clips)]
    for method, prior in METHODS.items():
        row = rows.setdefault(method, {column: [] for column in COLUMNS})
        for seed in range(context.seeds if prior in RANDOM else 1):
            for name in LOST:
                found = [figures(completed(c, name, prior, seed, context.device), c, name) for c in clips]
                for column in found[0]:
                    row[column].append(mean(f[column] for f in found))
            print(f"  limbs: {method}, seed {seed}", file=sys.stderr)
    return Table(
        "limbs",
        "Limbs missing for a whole clip",
        f"{len(clips)} clips spread evenly over the test split (subjects 5, 8, 9, 13; {FPS:g} fps), of "
        f"{SHORTEST / FPS:g} to {LONGEST / FPS:g} s, {minutes(clips):.1f} minutes in all; of longer clips the middle "
        f"{LONGEST / FPS:g} s. "
        "The joints of the limb (as in the table of completion: the arm with its collar, the trunk with its shoulders) "
        "are missing in every frame; one hypothesis. mm and m/s²: mean over the missing joints of the error of their "
        "positions and of its second derivative, root at rest, bundled mannequin (SMPL-X mean shape). Skate: of the "
        "missing feet with the true root and path, mm per frame in which they rest in the truth. Mean over all frames; "
        "spread over seeds where the method is random.",
        COLUMNS,
        rows,
    )
