# SPDX-License-Identifier: GPL-3.0-or-later
"""Elbows and knees bend one way."""

from __future__ import annotations

import numpy as np

from engine.motion.joints import JOINTS
from engine.motion.windows import multiply

HINGES = {"left_elbow": (1, -1.0), "right_elbow": (1, 1.0), "left_knee": (0, 1.0), "right_knee": (0, 1.0)}
"""Joint -> axis (0 is X) about which it bends, and the sign of bending, in the SMPL convention."""
HALF_TURNS = {"elbow": np.array([0.0, 1.0, 0.0, 0.0]), "knee": np.array([0.0, 0.0, 1.0, 0.0])}
"""Half a turn about the limb, as a quaternion WXYZ."""
THROUGHOUT = 0.8  # share of a clip's frames
OVERBENT = float(np.deg2rad(35.0))
"""Radians beyond the straight limb: supple elbows reach some 15 degrees, and rest poses differ by 10 to 20."""


def bending(quat: np.ndarray, joint: str) -> np.ndarray:
    """(T,) radians by which one of `HINGES` bends in rotations (T, 22, 4), unit quaternions WXYZ; below 0 backwards."""
    axis, sign = HINGES[joint]
    own = quat[:, JOINTS.index(joint)]
    angle = 2.0 * np.arctan2(own[:, 1 + axis], own[:, 0])
    return sign * ((angle + np.pi) % (2.0 * np.pi) - np.pi)


def bent_backwards(quat: np.ndarray) -> np.ndarray:
    """(T, 22) bool, where an elbow or a knee bends as no living one does, in rotations (T, 22, 4) WXYZ."""
    backwards = np.zeros(quat.shape[:2], bool)
    for joint in HINGES:
        backwards[:, JOINTS.index(joint)] = bending(quat, joint) < -OVERBENT
    return backwards


def reversed_joints(quat: np.ndarray) -> list[str]:
    """Those of `HINGES` that bend backwards nearly throughout a clip (T, 22, 4): their axes were mixed up."""
    often = bent_backwards(quat).sum(axis=0) > THROUGHOUT * len(quat)
    return [joint for joint in HINGES if often[JOINTS.index(joint)]]


def turned_round(quat: np.ndarray, joints: list[str]) -> np.ndarray:
    """Rotations (T, 22, 4) with the axes of some of `HINGES` turned half round the limb: they bend the other way."""
    quat = quat.copy()
    for joint in joints:
        turn, column = HALF_TURNS[joint.split("_")[1]], JOINTS.index(joint)
        quat[:, column] = multiply(multiply(turn, quat[:, column]), turn * np.array([1.0, -1.0, -1.0, -1.0]))
    return quat
