# SPDX-License-Identifier: GPL-3.0-or-later
"""A walk for a rig that came without motion, in the body's axes (X left, Y up, Z ahead)."""

from __future__ import annotations

import numpy as np

from rigcheck.turns import about, from_rotvec

PERIOD = 36  # frames of a walking cycle
SHAKE = 0.5  # degrees of noise about each axis
LIMBS = tuple(
    (f"{side}_{joint}", f"{side}_{child}")
    for side in ("left", "right")
    for joint, child in (("hip", "knee"), ("knee", "ankle"), ("ankle", "foot"), ("shoulder", "elbow"),
                         ("elbow", "wrist"))
)  # fmt: skip
"""Joints of arms and legs with the joint that each carries rigidly."""
Turns = list[tuple[str, float | np.ndarray]]


def walk(joint: str, frames: int, arms: float, rng: np.random.Generator) -> np.ndarray:
    """How far a joint is turned from the rest pose (T, 3, 3), in its parent's frame at rest.

    Args:
        joint: of the body's 22.
        frames: T.
        arms: degrees by which the arms already hang in the rest pose.
        rng: of the noise.
    """
    phase = 2 * np.pi * np.arange(frames) / PERIOD
    side = 1.0 if joint.startswith("left") else -1.0
    swing = side * np.sin(phase)
    kinds: dict[str, Turns] = {
        "pelvis": [("y", 25 + 5 * np.sin(phase)), ("x", 4.0)],
        "hip": [("x", -25 * swing - 5), ("z", 3 * side)],
        "knee": [("x", 25 + 20 * side * np.sin(phase + 2.2))],
        "ankle": [("x", -8 * swing)],
        "foot": [("x", -6 + 6 * swing)],
        "spine1": [("y", -3 * np.sin(phase)), ("x", 3.0)],
        "spine2": [("z", 2 * np.sin(phase))],
        "spine3": [("y", -4 * np.sin(phase)), ("x", 3 + np.sin(2 * phase))],
        "neck": [("x", -4 + np.sin(2 * phase))],
        "head": [("y", 6 * np.sin(phase / 2))],
        "collar": [("y", 3 * swing), ("z", 2.0 * side)],
        "shoulder": [("x", 20 * swing), ("z", (arms - 68) * side)],
        "elbow": [("y", -side * (25 + 10 * np.sin(phase)))],
        "wrist": [("x", 10 * swing), ("z", -5.0)],
    }
    result = np.tile(np.eye(3), (frames, 1, 1))
    for axis, degrees in kinds[joint.removeprefix("left_").removeprefix("right_")]:
        result = result @ about(axis, degrees)
    return result @ from_rotvec(np.radians(SHAKE) * rng.normal(size=(frames, 3)))


def path(frames: int, speed: float = 0.04) -> np.ndarray:
    """Displacement (T, 3) in metres of what carries the walker: ahead, a little up and down and aside."""
    time = np.arange(frames)
    phase = 2 * np.pi * time / PERIOD
    return np.stack([0.02 * np.sin(phase), 0.02 * np.sin(2 * phase), speed * time], axis=-1)
