# SPDX-License-Identifier: GPL-3.0-or-later
"""What MPI-INF-3DHP (Mehta et al. 2017) has of people, in Human3.6M's joints, and the parts of the data set."""

from __future__ import annotations

import numpy as np

from engine.motion.h36m import JOINTS

ALL: tuple[str, ...] = (
    "spine3", "spine4", "spine2", "spine", "pelvis", "neck", "head", "head_top", "left_clavicle", "left_shoulder",
    "left_elbow", "left_wrist", "left_hand", "right_clavicle", "right_shoulder", "right_elbow", "right_wrist",
    "right_hand", "left_hip", "left_knee", "left_ankle", "left_foot", "left_toe", "right_hip", "right_knee",
    "right_ankle", "right_foot", "right_toe",
)  # fmt: skip
"""The joints of the training set's annotations."""

RELEVANT: tuple[str, ...] = (
    "head_top", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "pelvis", "spine", "head",
)  # fmt: skip
"""The joints of the test set's annotations, and of files made of either part for lifters."""

TRAINING: tuple[str, ...] = tuple(f"S{n}" for n in range(1, 9))
TEST: tuple[str, ...] = tuple(f"TS{n}" for n in range(1, 7))

SCENES: dict[str, str] = {
    "TS1": "GS", "TS2": "GS", "TS3": "noGS", "TS4": "noGS", "TS5": "outdoor", "TS6": "outdoor",
}  # fmt: skip
"""Of each of the test set: a studio with green screen, one without, or outdoors."""

SIZES: dict[str, tuple[int, int]] = dict.fromkeys(("TS5", "TS6"), (1920, 1080))
TRAINING_SIZE = (2048, 2048)
"""Width and height of images, pixels; also of the test set, but for those of `SIZES`."""

ACTIVITIES: tuple[str, ...] = (
    "Standing/Walking", "Exercising", "Sitting", "Reaching/Crouching", "On The Floor", "Sports", "Miscellaneous",
)  # fmt: skip
"""What the test set's numbers of activities, from 1, stand for."""

MILLIMETRES = 1000.0

# At the same place on the body: the neck's base, and the middle of the head, which stands for the nose everywhere.
_OTHER_NAMES = {"thorax": "neck", "nose": "head"}


def columns(layout: tuple[str, ...]) -> list[int]:
    """Where in a layout the 17 of `JOINTS` are, in that order."""
    return [layout.index(_OTHER_NAMES.get(joint, joint)) for joint in JOINTS]


def size_of(subject: str) -> tuple[int, int]:
    """Width and height of a test subject's images, pixels."""
    return SIZES.get(subject, TRAINING_SIZE)


def in_joints(array: np.ndarray, layout: tuple[str, ...]) -> np.ndarray:
    """(T, 17, C) of an array (T, len(layout), C), float64."""
    return array[:, columns(layout)].astype(np.float64)
