# SPDX-License-Identifier: GPL-3.0-or-later
"""The 17 joints of Human3.6M as lifters use them (Martinez et al. 2017), and where they are on the SMPL body."""

from __future__ import annotations

import numpy as np

from .joints import JOINTS as BODY_JOINTS

JOINTS: tuple[str, ...] = (
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine", "thorax",
    "nose", "head_top", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
)  # fmt: skip
"""The pelvis is midway between the hips and the thorax at the base of the neck, as detectors have them."""

PARENTS: tuple[int, ...] = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)

PARTS: dict[str, tuple[str, ...]] = {
    "right_leg": ("right_hip", "right_knee", "right_ankle"),
    "left_leg": ("left_hip", "left_knee", "left_ankle"),
    "left_arm": ("left_shoulder", "left_elbow", "left_wrist"),
    "right_arm": ("right_shoulder", "right_elbow", "right_wrist"),
    "torso": ("pelvis", "spine", "thorax", "nose", "head_top"),
}
"""What GFPose masks as one (paper sec. 4.3; released code, random_mask_condition)."""

MIRROR: tuple[int, ...] = tuple(
    JOINTS.index(
        name.replace("left_", "right_") if name.startswith("left_") else name.replace("right_", "left_")
    )
    for name in JOINTS
)
"""The joint exchanged with each by a reflection of left and right."""

NOSE = (0.0, 0.05, 0.11)
"""The nose from the head joint, which sits at the base of the skull, in metres: up and forward, of an adult's size."""
CROWN = (0.0, 0.19, 0.02)
"""The top of the head, likewise."""

_ON_THE_BODY: dict[str, tuple[str, ...]] = {
    "pelvis": ("left_hip", "right_hip"),
    "spine": ("spine2",),
    "thorax": ("neck",),
    "nose": ("head",),
    "head_top": ("head",),
}


def body_weights() -> np.ndarray:
    """(17, 22) float64: how much of every SMPL joint's position each of the joints takes; rows sum to 1."""
    weights = np.zeros((len(JOINTS), len(BODY_JOINTS)))
    for row, name in enumerate(JOINTS):
        places = _ON_THE_BODY.get(name, (name,))
        for place in places:
            weights[row, BODY_JOINTS.index(place)] = 1.0 / len(places)
    return weights


def head_places() -> np.ndarray:
    """(17, 3) float64: what each of the joints is set off by in the head's own axes, metres; zero but for the face."""
    places = np.zeros((len(JOINTS), 3))
    places[JOINTS.index("nose")], places[JOINTS.index("head_top")] = NOSE, CROWN
    return places


def part_mask(*names: str) -> np.ndarray:
    """(17,) bool: the joints of the named `PARTS`."""
    members = {joint for name in names for joint in PARTS[name]}
    return np.array([joint in members for joint in JOINTS])
