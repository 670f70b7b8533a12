# SPDX-License-Identifier: GPL-3.0-or-later
"""Lengths of the bones between the 17 joints, and bodies of given lengths."""

from __future__ import annotations

import numpy as np
import torch

from engine.body.h36m_joints import h36m_joints
from engine.motion.h36m import JOINTS, MIRROR, PARENTS
from engine.motion.joints import JOINTS as BODY_JOINTS

BONES = len(JOINTS) - 1
"""Bone b ends in joint b + 1 and begins in that one's parent."""

RIGID: tuple[int, ...] = tuple(
    JOINTS.index(f"{side}_{joint}") - 1 for side in ("left", "right") for joint in ("hip", "knee", "ankle", "elbow", "wrist")
)
"""Bones that no pose changes: the others span several joints of the body."""

_CHAINS: dict[str, tuple[str, ...]] = {
    "hip": ("hip",), "knee": ("knee",), "ankle": ("ankle", "foot"), "elbow": ("elbow",), "wrist": ("wrist",),
    "shoulder": ("collar", "shoulder"), "spine": ("spine1", "spine2"), "thorax": ("spine3", "neck"),
    "head_top": ("head",),
}  # fmt: skip
"""Bone of the 17 joints, by its end -> the joints of the body whose offsets make it; feet are as large as shins."""


def lengths(joints: np.ndarray) -> np.ndarray:
    """(..., 16) metres between joints (..., 17, 3) and their parents."""
    return np.linalg.norm(joints[..., 1:, :] - joints[..., list(PARENTS[1:]), :], axis=-1)


def rest_lengths(offsets: np.ndarray) -> np.ndarray:
    """(16,) metres, of a body of rest offsets (22, 3) in its T-pose."""
    return lengths(h36m_joints(torch.eye(3).expand(22, 3, 3).double(), torch.tensor(offsets)).numpy())


def symmetric(values: np.ndarray) -> np.ndarray:
    """Values (16,) of bones, those of left and right each their mean."""
    other = np.array(MIRROR[1:]) - 1
    return 0.5 * (values + values[other])


def proportioned(offsets: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Rest offsets (22, 3) of a body whose bones are as long as ``wanted`` (16,) says."""
    ratio = wanted / rest_lengths(offsets)
    result = offsets.copy()
    for end, chain in _CHAINS.items():
        for side in ("left_", "right_"):
            joint = side + end if side + end in JOINTS else end
            for part in chain:
                name = side + part if side + part in BODY_JOINTS else part
                row = BODY_JOINTS.index(name)
                result[row] = ratio[JOINTS.index(joint) - 1] * offsets[row]
    return result


def stature(offsets: np.ndarray) -> float:
    """Metres from the ankles to the crown of a body of rest offsets (22, 3), with a foot's height below."""
    rest = h36m_joints(torch.eye(3).expand(22, 3, 3).double(), torch.tensor(offsets)).numpy()
    ankle = rest[JOINTS.index("left_ankle"), 1] + offsets[BODY_JOINTS.index("left_foot"), 1]
    return float(rest[JOINTS.index("head_top"), 1] - ankle)


def of_height(offsets: np.ndarray, height: float) -> np.ndarray:
    """Rest offsets (22, 3) of a body made ``height`` metres tall."""
    return offsets * (height / stature(offsets))
