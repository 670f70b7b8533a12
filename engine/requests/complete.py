# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``complete``."""

from __future__ import annotations

import dataclasses

import numpy as np

from engine.errors import MotionError
from engine.motion.joints import JOINTS
from engine.motion.retarget import to_body
from engine.protocol import Arrays, Header
from engine.requests.parameters import rows_of, settings_of, texts
from engine.requests.rig import Answer, check_answer, described, edits, joints_of, map_of, motion_of
from engine.tasks.steps import OnStep


def complete(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Complete limbs of an animation: a single frame by `complete_poses`, more of them by `complete_clip`.

    Args:
        params: of a rig's animation, see `engine.requests.rig`; ``missing`` (bones, joints or body parts), ``frames``
            (half-open range of rows in which they are missing; all others tell how the body moves there),
            ``keep_root`` (whether the hips are passed over where they are among them, instead of refused),
            ``settings`` (``hypotheses``, ``seed``, ``device``).
        arrays: of a rig's animation.
        on_step: told (done, total, stage); stops the task by raising.

    Returns:
        ``share``, how much of the posterior each hypothesis stands for, the likeliest first, and what `described`
        tells; and the arrays of as many edits, see `packed`.

    Raises:
        ProtocolError: a parameter or array is missing or unknown.
        MappingError: the rig cannot be matched to the body. MotionError: none of what is missing belongs to the body.
        EngineError: as the tasks do.
    """
    from engine.tasks.complete import CompleteSettings, complete_poses
    from engine.tasks.complete_clip import CompleteClipSettings, complete_clip

    motion = motion_of(params, arrays)
    rig_map = map_of(params, motion.skeleton)
    missing = joints_of(texts(params, "missing"), rig_map)
    if params.get("keep_root"):
        missing[0] = False
    if missing[0]:
        raise MotionError(
            f"The hips ({rig_map.bones[JOINTS[0]]}) cannot be missing, as they tell where the body is; leave them out."
        )
    rows = rows_of(params, "frames", len(motion))
    known = np.ones((len(motion), len(JOINTS) - 1), bool)
    known[rows, missing[1:]] = False
    asked = settings_of(CompleteSettings if len(motion) == 1 else CompleteClipSettings, params.get("settings", {}))
    check_answer(motion, len(motion), asked.hypotheses)
    before = to_body(motion, rig_map)
    if len(motion) == 1:
        found = complete_poses(before.body_pose, known, asked, on_step=on_step)
        root = before.poses[:, :1]
        bodies = [
            dataclasses.replace(before, poses=np.concatenate([root, poses], axis=1)) for poses in found.poses
        ]
        share = found.share[:, 0]
    else:
        completed = complete_clip(before, known, asked, on_step=on_step)
        bodies, share = list(completed.motions), completed.share
    return {"share": share.tolist()} | described(motion, rig_map), edits(motion, rig_map, before, bodies)
