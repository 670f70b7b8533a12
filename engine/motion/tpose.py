# SPDX-License-Identifier: GPL-3.0-or-later
"""The T-pose of the body: where its joints are and where its limbs point."""

from __future__ import annotations

import numpy as np

from engine.motion.joints import JOINTS, MIRROR

# Rest position relative to the parent joint in metres, left side and middle; the right side mirrors the left.
# Source: joints of mannequin-x 0.3.0 (Apache-2.0), "wooden", SMPL-X mean shape, made symmetric.
_HALF: dict[str, tuple[float, float, float]] = {
    "pelvis": (0.0000, 0.0000, 0.0000),
    "left_hip": (0.0607, -0.0983, -0.0236),
    "spine1": (0.0000, 0.1099, -0.0276),
    "left_knee": (0.0495, -0.3706, -0.0131),
    "spine2": (0.0000, 0.1319, -0.0059),
    "left_ankle": (-0.0294, -0.4069, -0.0260),
    "spine3": (0.0000, 0.0522, 0.0284),
    "left_foot": (0.0430, -0.0582, 0.1186),
    "neck": (0.0000, 0.1652, -0.0316),
    "left_collar": (0.0470, 0.0846, -0.0103),
    "head": (0.0000, 0.1605, 0.0207),
    "left_shoulder": (0.1109, 0.0556, -0.0141),
    "left_elbow": (0.2626, -0.0543, -0.0345),
    "left_wrist": (0.2506, 0.0093, -0.0089),
}

# Limb joint -> (joint at its far end, direction of the left limb in T-pose), as the conversion of the training data
# holds them: SMPL's mean body, whose legs stand 5 degrees apart and whose arms lie 5 degrees back.
_LEFT_LIMBS: dict[str, tuple[str, tuple[float, float, float]]] = {
    "left_hip": ("left_knee", (0.0917, -0.9958, 0.0)),
    "left_knee": ("left_ankle", (-0.0323, -0.9994, -0.0124)),
    "left_shoulder": ("left_elbow", (0.9942, -0.0497, -0.0956)),
    "left_elbow": ("left_wrist", (0.9994, 0.0330, -0.0090)),
}


def _mirrored(vector: tuple[float, float, float]) -> tuple[float, float, float]:
    return -vector[0], vector[1], vector[2]


def _other(joint: str) -> str:
    return JOINTS[MIRROR[JOINTS.index(joint)]]


OFFSETS: np.ndarray = np.array(
    [_HALF[joint] if joint in _HALF else _mirrored(_HALF[_other(joint)]) for joint in JOINTS]
)
LIMBS = _LEFT_LIMBS | {
    _other(joint): (_other(child), _mirrored(direction)) for joint, (child, direction) in _LEFT_LIMBS.items()
}
