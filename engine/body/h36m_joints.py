# SPDX-License-Identifier: GPL-3.0-or-later
"""The 17 joints of Human3.6M on a body in a pose."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.body.kinematics import forward_kinematics
from engine.motion.h36m import body_weights, head_places
from engine.motion.joints import JOINTS

_HEAD = JOINTS.index("head")


def h36m_joints(local: Tensor, offsets: Tensor) -> Tensor:
    """Joints (..., 17, 3) in metres in the order of `engine.motion.h36m.JOINTS`, the SMPL pelvis at 0.

    Args:
        local: (..., 22, 3, 3) local rotation matrices, index 0 the root's orientation.
        offsets: (22, 3) or (..., 22, 3) rest offsets of the body to the parent joint, metres.
    """
    joints, turns = forward_kinematics(local, offsets, torch.zeros(3, dtype=local.dtype, device=local.device))
    weights, places = torch.from_numpy(body_weights()).to(joints), torch.from_numpy(head_places()).to(joints)
    return weights @ joints + places @ turns[..., _HEAD, :, :].mT
