# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``generate``."""

from __future__ import annotations

import numpy as np

from engine.motion.joints import JOINTS
from engine.motion.retarget import to_body
from engine.protocol import Arrays, Header
from engine.requests.parameters import settings_of, texts, whole
from engine.requests.rig import Answer, check_answer, described, joints_of, map_of, motion_of, packed
from engine.requests.single_pose import held, one_pose
from engine.tasks.steps import OnStep


def generate(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Generate poses of a rig, of which parts may stay: `engine.tasks.generate_like.generate_like`.

    Where the body is and faces stays, and its lowest point stays on its floor.

    Args:
        params: of a rig's animation, see `engine.requests.rig`; ``count``, ``kept`` (bones, joints or body parts that
            stay; maybe none), ``settings`` (fields of `GenerateLikeSettings`).
        arrays: of a rig's animation of one frame.
        on_step: told (done, total, stage); stops the task by raising.

    Returns:
        What `described` tells, and the arrays of one edit of ``count`` frames, a pose each, see `packed`.

    Raises:
        ProtocolError: a parameter or array is missing or unknown.
        MappingError: the rig cannot be matched to the body. EngineError: as the task does.
    """
    from engine.motion.new_poses import put_on
    from engine.motion.rig_joints import rig_offsets
    from engine.tasks.generate_like import GenerateLikeSettings, generate_like
    from engine.tasks.grounded import grounded

    motion = one_pose(motion_of(params, arrays))
    rig_map = map_of(params, motion.skeleton)
    names, count = texts(params, "kept"), whole(params, "count")
    check_answer(motion, count)
    kept = joints_of(names, rig_map) if names else np.zeros(len(JOINTS), bool)
    settings = settings_of(GenerateLikeSettings, params.get("settings", {}))
    before = to_body(motion, rig_map)
    poses = generate_like(before.poses[0, 1:], kept[1:], count, settings, on_step=on_step)
    made = grounded(before, poses, rig_offsets(motion, rig_map, before))
    return described(motion, rig_map), packed([put_on(held(motion, len(made)), rig_map, made, kept)])
