# SPDX-License-Identifier: GPL-3.0-or-later
"""Where on the body the keypoints of 2D detectors are."""

from __future__ import annotations

import numpy as np

from engine.motion.h36m import NOSE
from engine.motion.joints import JOINTS
from engine.motion.keypoints import MARKS
from engine.tasks.fit.linearisation import Points

TORSO: tuple[int, ...] = tuple(
    MARKS.index(name) for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
)
"""Marks that hold still in the body, by which the camera stage finds it (Bogo et al. 2016, sec. 3.3)."""


def marks() -> Points:
    """The marks of `engine.motion.keypoints.MARKS` on the body, in order."""
    joints = np.array([JOINTS.index("head" if name == "nose" else name) for name in MARKS])
    places = np.array([NOSE if name == "nose" else (0.0, 0.0, 0.0) for name in MARKS])
    return Points.of(joints, places)
