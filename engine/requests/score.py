# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``score``."""

from __future__ import annotations

import numpy as np

from engine.motion.joints import JOINTS
from engine.motion.retarget import to_body, told
from engine.protocol import Arrays, Header
from engine.requests.parameters import rows_of, settings_of
from engine.requests.rig import Answer, described, map_of, motion_of
from engine.tasks.steps import OnStep, beyond, within

SCORE_SHARE, FIRST_SHARE = 0.1, 0.5  # of the time, the second one until there are poses to compare with
MOST_MOMENTS = 100


def score(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """How plausible every frame of an animation is: `engine.tasks.score.score`, `engine.tasks.quality.quality`.

    Args:
        params: of a rig's animation, see `engine.requests.rig`; ``frames`` (half-open range of rows to score, the
            others tell what is damage there; all by default), ``settings`` (fields of `ScoreSettings`).
        arrays: of a rig's animation.
        on_step: told (done, total, stage); stops the task by raising.

    Returns:
        `described`, ``names`` of the 22 body joints, ``shown``, body joint to the bones that show where it is, from the
        body outwards, and ``worst``, moments, worst first and half a second apart, as (row of the range, plausibility,
        joint).
        For each of the T rows of the range ``pose`` (T,) and ``joints`` (T, 21), plausibility from 0 to 1 as in
        `PoseScores`, and ``damage`` (T, 22) as in `Quality`; ``noise`` (22,) radians. All float32.

    Raises:
        ProtocolError: a parameter or array is missing or unknown.
        MappingError: the rig cannot be matched to the body. MotionError: a range outside of the clip.
        EngineError: as the tasks do.
    """
    from engine.tasks.quality import quality
    from engine.tasks.score import APART_SECONDS, PoseScores, ScoreSettings, is_prepared
    from engine.tasks.score import score as scored

    motion = motion_of(params, arrays)
    rig_map = map_of(params, motion.skeleton)
    settings: ScoreSettings = settings_of(ScoreSettings, params.get("settings", {}))
    rows = rows_of(params, "frames", len(motion))
    body = to_body(motion, rig_map)
    known, share = told(body, rig_map), SCORE_SHARE if is_prepared(settings) else FIRST_SHARE
    found = scored(body.poses[rows], settings, on_step=within(on_step, share), known=known)
    capture = quality(body, settings.device, beyond(on_step, share))
    # A joint that the rig lacks is no news to its animator.
    own = PoseScores(found.pose, np.where([joint in rig_map.sources for joint in JOINTS[1:]], found.joints, 1.0))
    rig = described(motion, rig_map)
    shown = {joint: [rig_map.shown.get(bone, bone) for bone in bones] for joint, bones in rig["bones"].items()}
    answer = rig | {
        "names": list(JOINTS),
        "shown": shown,
        "worst": own.worst(MOST_MOMENTS, max(1, round(APART_SECONDS * motion.fps))),
    }
    return answer, {
        "pose": own.pose.astype(np.float32),
        "joints": own.joints.astype(np.float32),
        "damage": capture.damage[rows].astype(np.float32),
        "noise": capture.noise.astype(np.float32),
    }
