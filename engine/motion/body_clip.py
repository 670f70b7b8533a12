# SPDX-License-Identifier: GPL-3.0-or-later
"""The body as a rig of its own, for motion that comes from no rig."""

from __future__ import annotations

import numpy as np

from engine.motion.joints import JOINTS, PARENTS
from engine.motion.motion import BodyMotion, Motion
from engine.motion.skeleton import Skeleton
from engine.motion.windows import continuous, rotvec_to_quat

TIP = 0.5
"""Length of a bone that no joint ends, as a share of its parent's."""


def body_rig(motion: BodyMotion) -> Motion:
    """A motion of the body as that of a rig in metres: 22 bones by the joints' names, whose rest pose is the T-pose.

    The rest pose has the pelvis at 0.
    """
    heads = np.zeros((len(JOINTS), 3))
    for joint, parent in enumerate(PARENTS[1:], start=1):
        heads[joint] = heads[parent] + motion.offsets[joint]
    rest = np.tile(np.eye(4), (len(JOINTS), 1, 1))
    rest[:, :3, 3] = heads
    tails = heads + TIP * motion.offsets
    for joint in range(len(JOINTS)):
        children = [child for child, parent in enumerate(PARENTS) if parent == joint]
        if children:
            tails[joint] = heads[children].mean(axis=0)
    skeleton = Skeleton(JOINTS, tuple(PARENTS), rest, tails, 1.0)
    translations = np.zeros((len(motion), len(JOINTS), 3))
    translations[:, 0] = motion.transl
    return Motion(skeleton, continuous(rotvec_to_quat(motion.poses)), translations, motion.fps)
