# SPDX-License-Identifier: GPL-3.0-or-later
"""Collars as the training data has them: where the upper arms' swing puts them.

The captures that the priors are trained on measure no collar: each takes a quarter of its arm's swing, exactly. So the
priors know nothing of how collars move by themselves, and find any other collar odd.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from engine.motion.joints import JOINTS
from engine.motion.tpose import LIMBS

SHARE = 0.25  # of the arm's swing
MOST_SWING = np.radians(110.0)  # that counts
ARM_OF = {f"{side}_collar": f"{side}_shoulder" for side in ("left", "right")}


def derived_collar(chest: np.ndarray, arm: np.ndarray, joint: str) -> np.ndarray:
    """Rotations (T, 3, 3) of a collar against the chest.

    Args:
        chest: (T, 3, 3), the chest's global rotation.
        arm: (T, 3, 3), the upper arm's.
        joint: the arm's, a value of `ARM_OF`.
    """
    straight = np.array(LIMBS[joint][1])
    now = np.einsum("tba,tbc,c->ta", chest, arm, straight)
    axis = np.cross(straight, now)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine[:, 0], now @ straight)
    vector = axis / np.maximum(sine, 1e-12) * SHARE * np.minimum(angle, MOST_SWING)[:, None]
    return Rotation.from_rotvec(vector).as_matrix()


def with_derived_collars(poses: np.ndarray) -> np.ndarray:
    """Poses (T, 21 or 22, 3), axis-angle in radians, with collars as in the training data; arms point as before.

    Each shoulder turns against its collar's change, so that the upper arm's rotation in the world stays.
    """
    first = len(JOINTS) - poses.shape[1]  # the pelvis may be left out
    found = poses.copy()
    chest = np.broadcast_to(np.eye(3), (len(poses), 3, 3))
    for collar, arm in ARM_OF.items():
        at, below = JOINTS.index(collar) - first, JOINTS.index(arm) - first
        turned = Rotation.from_rotvec(poses[:, at]) * Rotation.from_rotvec(poses[:, below])
        own = Rotation.from_matrix(derived_collar(chest, turned.as_matrix(), arm))
        found[:, at], found[:, below] = own.as_rotvec(), (own.inv() * turned).as_rotvec()
    return found
