# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole poses put on a rig: not by how much the body changes, but as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from engine.motion.collars import ARM_OF
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion, Motion
from engine.motion.retarget import Alignment, RigEdit, to_body, to_rig
from engine.motion.rigs import RigMap


def put_on(motion: Motion, rig_map: RigMap, made: BodyMotion, kept: np.ndarray) -> RigEdit:
    """Bring a rig to other poses of the body, whatever its own are.

    `to_rig` turns collars that are not animated by what derived ones changed by, which leaves them as far off as they
    were. Here they are read as they are, so that they reach their places, too.

    Args:
        motion: a pose of the rig, held for as many frames as there are poses.
        rig_map: its mapping.
        made: the poses, each where it stands.
        kept: (22,) bool, joints whose bones stay as they are; the pelvis' rotation does in any case.

    Returns:
        The rig, each bone of whose own a joint that is not kept has turns in the world as that joint does.

    Raises:
        MappingError: as `to_body`.
    """
    rig = Alignment(motion, rig_map, own_collars=True)
    start = to_body(motion, rig_map, rig)
    kept = kept | (np.arange(len(JOINTS)) == 0)
    poses = np.where(kept[:, None], start.poses, made.poses)
    for collar, arm in ((JOINTS.index(collar), JOINTS.index(arm)) for collar, arm in ARM_OF.items()):
        if kept[collar] and not kept[arm]:
            # The arm was made for the collar that the prior was told of, not for the rig's.
            own, asked, turn = (
                Rotation.from_rotvec(of) for of in (poses[:, collar], made.poses[:, collar], made.poses[:, arm])
            )
            poses[:, arm] = (own.inv() * asked * turn).as_rotvec()
    return to_rig(motion, rig_map, start, replace(made, poses=poses), alignment=rig)
