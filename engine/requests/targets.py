# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``targets``."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from engine.protocol import Arrays, Header
from engine.requests.parameters import floats, rows_of, settings_of, texts
from engine.requests.rig import Answer, check_answer, described, map_of, motion_of, packed
from engine.tasks.steps import OnStep

if TYPE_CHECKING:
    from engine.priors.pose_prior import PosePrior


def targets(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Let bones follow targets: a pose, on every move of the mouse, or a clip; see `follow_on_rig`.

    Args:
        params: of a rig's animation, see `engine.requests.rig`; ``targets`` (K joints of the body), ``frames``
            (half-open range of rows that may change, or null for all), ``locked`` (bones that may not turn, or null),
            ``settings`` (fields of `FollowSettings`).
        arrays: of a rig's animation; ``places`` (T, K, 3) in the rig's space, NaN where a target does not count;
            and, if bones shall turn as well, ``turns`` (T, K, 4) WXYZ, likewise.
        on_step: told (done, total, stage); stops the task by raising.

    Returns:
        `described` and ``missed``, by how many metres each target is missed where it is missed most, null where it
        never counts; and the arrays of one edit, see `packed`, and ``missed`` (T, K), by how much on each frame.

    Raises:
        ProtocolError: a parameter or array is missing or unknown.
        MappingError: the rig cannot be matched to the body. MotionError: as `follow_on_rig`.
        WeightsError: the prior cannot be had.
    """
    from engine.tasks.fit.follow import FollowSettings
    from engine.tasks.fit.rig_targets import follow_on_rig

    motion = motion_of(params, arrays)
    rig_map = map_of(params, motion.skeleton)
    joints, rows = texts(params, "targets"), rows_of(params, "frames", len(motion))
    locked = texts(params, "locked") if params.get("locked") is not None else []
    check_answer(motion, len(motion))
    result = follow_on_rig(
        motion,
        rig_map,
        joints,
        floats(arrays, "places", 3),
        floats(arrays, "turns", 3) if "turns" in arrays else None,
        _prior(),
        settings_of(FollowSettings, params.get("settings", {})),
        None if params.get("frames") is None else (rows.start, rows.stop),
        locked,
        on_step,
    )
    farthest = np.where(np.isnan(result.missed), -1.0, result.missed).max(axis=0)
    missed = {joint: None if far < 0.0 else far for joint, far in zip(joints, farthest.tolist(), strict=True)}
    return described(motion, rig_map) | {"missed": missed}, packed([result.edit]) | {"missed": result.missed}


@lru_cache(maxsize=1)
def _prior() -> PosePrior:
    """The pose prior, and with it what is read off its network, from one move of the mouse to the next."""
    from engine.priors.weights import load_pose_prior

    return load_pose_prior()
