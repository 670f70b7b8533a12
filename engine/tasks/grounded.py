# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses put where a body stands: as high that the lowest point of each is where that of the body is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.body import posed
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion
from engine.tasks.leg import LEGS
from engine.tasks.stance import Stance, legs_of, lowest

# How far the skin reaches below joints that bodies kneel, sit, lean and lie on, metres on a human body.
PADDING: dict[str, float] = {
    "pelvis": 0.10, "left_hip": 0.10, "right_hip": 0.10, "left_knee": 0.06, "right_knee": 0.06, "spine2": 0.10,
    "spine3": 0.10, "head": 0.08, "left_shoulder": 0.06, "right_shoulder": 0.06, "left_elbow": 0.04,
    "right_elbow": 0.04, "left_wrist": 0.04, "right_wrist": 0.04,
}  # fmt: skip


def grounded(start: BodyMotion, poses: np.ndarray, offsets: np.ndarray | None = None) -> BodyMotion:
    """A body in other poses, on the floor of the one it is in; it faces as before and its pelvis stays over its place.

    Args:
        start: one frame.
        poses: (N, 21, 3) axis-angle in radians.
        offsets: where the joints of a rig's legs are: see `engine.tasks.foot_lock.lock_feet`.

    Returns:
        N frames, a pose each. Where no leg turns the pelvis stays bit-equal in its place.
    """
    whole = np.concatenate([np.repeat(start.poses[:, :1], len(poses), axis=0), poses], axis=1)
    body = replace(start, poses=whole, transl=np.repeat(start.transl, len(poses), axis=0))
    turned = (whole != start.poses)[:, [joint for leg in LEGS.values() for joint in leg[:3]]].any(axis=(1, 2))
    up = lowest_point(start, offsets)[0] - lowest_point(body, offsets)
    transl = body.transl.copy()
    transl[turned, 1] += up[turned]
    return replace(body, transl=transl)


def lowest_point(body: BodyMotion, offsets: np.ndarray | None = None) -> np.ndarray:
    """(T,) metres, height of the lowest point of a body: of its soles, or of what else it rests on."""
    size = Stance.of(body, offsets).size
    heights = [lowest(leg, size) for leg in legs_of(body, offsets).values()]
    joints, _ = posed(body)
    rest = [JOINTS.index(joint) for joint in PADDING]
    heights.append((joints[:, rest, 1] - size * np.array(list(PADDING.values()))).min(axis=1))
    return np.min(heights, axis=0)
