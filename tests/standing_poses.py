# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses to stand, sit and lean in, made by hand: degrees about the body's axes, X to its left, Y up, Z ahead."""

from __future__ import annotations

import numpy as np

from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion
from engine.motion.tpose import OFFSETS

HANGING = {
    "left_shoulder": (0, 0, -68), "right_shoulder": (0, 0, 68), "left_elbow": (0, -15, 0), "right_elbow": (0, 15, 0),
}  # fmt: skip
BENT = {
    "left_hip": (-12, 0, 4), "right_hip": (-12, 0, -4), "left_knee": (24, 0, 0), "right_knee": (24, 0, 0),
    "left_ankle": (-12, 0, -4), "right_ankle": (-12, 0, 4),
}  # fmt: skip
STRAIGHT = {"left_hip": (0, 0, 6), "right_hip": (0, 0, -6), "left_ankle": (0, 0, -6), "right_ankle": (0, 0, 6)}
SEATED = {
    "left_hip": (-85, 0, 0), "right_hip": (-85, 0, 0), "left_knee": (85, 0, 0), "right_knee": (85, 0, 0),
}  # fmt: skip
RAISED = BENT | {"right_hip": (-60, 0, 0), "right_knee": (70, 0, 0)}
ON_HIPS = {
    "left_shoulder": (69, -29, -36), "right_shoulder": (69, 29, 36), "left_elbow": (0, -89, 0),
    "right_elbow": (0, 89, 0),
}  # fmt: skip


def pose(
    *parts: dict[str, tuple[int, int, int]], fps: float = 24.0, height: float = 0.9, yaw: float = 0.0
) -> BodyMotion:
    """One frame of a body whose joints turn by rotation vectors in degrees, and whose pelvis is so high."""
    poses = np.zeros((1, len(JOINTS), 3))
    for part in parts:
        for joint, degrees in part.items():
            poses[0, JOINTS.index(joint)] = np.deg2rad(degrees)
    poses[0, 0, 1] = yaw
    return BodyMotion(poses, np.array([[0.3, height, -0.2]]), fps, OFFSETS.copy())
