# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the joints of a body in motion are, and how they are turned."""

from __future__ import annotations

import numpy as np
import roma
import torch

from engine.body.kinematics import forward_kinematics
from engine.motion.motion import BodyMotion


def posed(motion: BodyMotion) -> tuple[np.ndarray, np.ndarray]:
    """Joints (T, 22, 3) in metres and orientations (T, 22, 3, 3) of a body, in the world, float64."""
    local = roma.rotvec_to_rotmat(torch.from_numpy(np.asarray(motion.poses, np.float64)))
    offsets = torch.from_numpy(np.asarray(motion.offsets, np.float64))
    path = torch.from_numpy(np.asarray(motion.transl, np.float64))
    joints, turns = forward_kinematics(local, offsets, path)
    return joints.numpy(), turns.numpy()
