# SPDX-License-Identifier: GPL-3.0-or-later
"""A lifted body out of the camera's axes and onto a floor, where nobody knows how the camera was held."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from engine.body import posed
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion

LOWEST = 0.02
"""Of the feet's heights, the quantile that is on the floor: lower ones are errors."""
SOLE = 0.02  # metres from the ball of the foot to the floor


def upright(motion: BodyMotion) -> tuple[BodyMotion, float]:
    """The body with the world upright, the floor at 0 and the camera above the origin; and the camera's pitch.

    People are upright on the whole, so the camera's pitch is what makes the line from feet to neck vertical in the
    median frame; a camera is taken to be held without roll.

    Args:
        motion: in the camera's axes, the camera at 0, Y up and looking along -Z.

    Returns:
        The motion; and radians, negative where the camera looks down.
    """
    joints = posed(motion)[0]
    feet = 0.5 * (joints[:, JOINTS.index("left_ankle")] + joints[:, JOINTS.index("right_ankle")])
    up = joints[:, JOINTS.index("neck")] - feet
    pitch = float(np.median(np.arctan2(-up[:, 2], up[:, 1])))
    turn = Rotation.from_rotvec([pitch, 0.0, 0.0])
    poses = motion.poses.copy()
    poses[:, 0] = (turn * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    turned = replace(motion, poses=poses, transl=turn.apply(motion.transl))
    low = posed(turned)[0][:, [JOINTS.index("left_foot"), JOINTS.index("right_foot")], 1].min(axis=1)
    floor = np.quantile(low, LOWEST) - SOLE
    return replace(turned, transl=turned.transl - [0.0, floor, 0.0]), pitch
