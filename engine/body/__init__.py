# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies with the 22 joints of SMPL: kinematics, the bundled mannequin, and the user's own model files."""

from engine.body.kinematics import forward_kinematics, kinematic_levels

__all__ = ["forward_kinematics", "kinematic_levels"]
