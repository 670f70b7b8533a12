# SPDX-License-Identifier: GPL-3.0-or-later
"""The 22 body joints of SMPL (Loper et al. 2015), in the order of AMASS."""

from __future__ import annotations

JOINTS: tuple[str, ...] = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip
PARENTS: tuple[int, ...] = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)

SPINE = ("spine1", "spine2", "spine3")
REQUIRED: tuple[str, ...] = tuple(
    joint for joint in JOINTS if joint.split("_")[-1] in ("pelvis", "hip", "knee", "ankle", "shoulder", "elbow", "head")
)
"""Joints that a rig must have to be taken for a body, beside one of the spine's."""

# Joint exchanged by a left-right reflection.
MIRROR: tuple[int, ...] = tuple(
    JOINTS.index(
        name.replace("left_", "right_") if name.startswith("left_") else name.replace("right_", "left_")
    )
    for name in JOINTS
)

# Named parts, as released with DPoser (lib/body_model/utils.py): the arm takes its collar, the trunk its shoulders.
PARTS: dict[str, tuple[str, ...]] = {
    "left_leg": ("left_hip", "left_knee", "left_ankle", "left_foot"),
    "right_leg": ("right_hip", "right_knee", "right_ankle", "right_foot"),
    "left_arm": ("left_collar", "left_shoulder", "left_elbow", "left_wrist"),
    "right_arm": ("right_collar", "right_shoulder", "right_elbow", "right_wrist"),
    "trunk": ("spine1", "spine2", "spine3", "left_shoulder", "right_shoulder"),
    "hands": ("left_wrist", "right_wrist"),
}
LEGS = PARTS["left_leg"] + PARTS["right_leg"]
HALVES: dict[str, tuple[str, ...]] = {
    "upper_body": tuple(joint for joint in JOINTS[1:] if joint not in LEGS),
    "legs": LEGS,
}
"""More that tools may name; training draws from `PARTS` alone."""

LIMBS = tuple(
    tuple(JOINTS.index(f"{side}_{joint}") for joint in joints)
    for joints in (("collar", "shoulder", "elbow", "wrist"), ("hip", "knee", "ankle", "foot"))
    for side in ("left", "right")
)
"""Joints of arms and legs, left and right: what tracking loses as a whole."""
