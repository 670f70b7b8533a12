# SPDX-License-Identifier: GPL-3.0-or-later
"""How exactly a 2D detector finds each of the 17 joints: what lifters are trained with, and told where nobody says."""

from __future__ import annotations

import numpy as np

from engine.motion.h36m import JOINTS

TORSO, LIMBS = 0.010, 0.022
"""Median standard deviations, in metres at the person's distance, of joints of the trunk and of the limbs' ends."""

_LIMB_SHARE = {"knee": 0.4, "elbow": 0.5, "ankle": 1.0, "wrist": 1.0}


def own_width(torso: float = TORSO, limbs: float = LIMBS) -> np.ndarray:
    """(17,) metres: ``torso`` for joints of the trunk, ``limbs`` for hands and feet, knees and elbows between."""
    share = np.array([_LIMB_SHARE.get(joint.split("_")[-1], 0.0) for joint in JOINTS])
    return torso + share * (limbs - torso)
