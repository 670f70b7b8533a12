# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies with the 22 joints of SMPL: kinematics, the bundled mannequin, and the user's own model files."""

from engine.body.body import Body
from engine.body.bundled import bundled, pose_joints
from engine.body.kinematics import forward_kinematics, kinematic_levels
from engine.body.mean_shape import mean_offsets
from engine.body.posed import posed
from engine.body.smpl import load

__all__ = [
    "Body",
    "bundled",
    "forward_kinematics",
    "kinematic_levels",
    "load",
    "mean_offsets",
    "pose_joints",
    "posed",
]
