# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands that rest on the body: on hips, on the chest, in each other."""

from __future__ import annotations

import numpy as np

from engine.body import posed
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion
from engine.motion.tpose import OFFSETS

HAND = 0.09  # metres from the wrist to the middle of the hand
TOUCHES, CLEAR = 0.03, 0.10  # metres from the skin: where a hand touches, and where it is free
HELD = 0.15  # share of an arm's variation that is left where its hand touches

# What hands rest on: capsules from joint to joint, with a radius in metres.
CAPSULES: tuple[tuple[str, str, float], ...] = (
    ("pelvis", "spine2", 0.14),
    ("spine2", "neck", 0.13),
    ("left_hip", "right_hip", 0.13),
    ("neck", "head", 0.10),
)
ARMS: dict[str, tuple[str, ...]] = {
    side: tuple(f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist")) for side in ("left", "right")
}
OTHER = {"left": "right", "right": "left"}
ARM_RADIUS = 0.05


def free_arms(start: BodyMotion) -> np.ndarray:
    """(22,) how freely each joint may vary in the first frame of a body: 1, and less in arms whose hand touches it."""
    joints = posed(start)[0][0]
    size = np.linalg.norm(start.offsets, axis=-1).sum() / np.linalg.norm(OFFSETS, axis=-1).sum()
    freedom = np.ones(len(JOINTS))
    for side, arm in ARMS.items():
        elbow, wrist = (joints[JOINTS.index(joint)] for joint in arm[1:])
        hand = wrist + HAND * size * (wrist - elbow) / max(float(np.linalg.norm(wrist - elbow)), 1e-9)
        other = ARMS[OTHER[side]]
        near = [*CAPSULES, (other[0], other[1], ARM_RADIUS), (other[1], other[2], ARM_RADIUS)]
        gap = min(
            _distance(hand, joints[JOINTS.index(a)], joints[JOINTS.index(b)]) - radius * size for a, b, radius in near
        )
        share = np.clip((gap / size - TOUCHES) / (CLEAR - TOUCHES), 0.0, 1.0)
        freedom[[JOINTS.index(joint) for joint in arm]] = HELD + (1.0 - HELD) * share**2 * (3.0 - 2.0 * share)
    return freedom


def _distance(point: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """From a point (3,) to the line from a to b (3,)."""
    along = b - a
    share = np.clip((point - a) @ along / max(float(along @ along), 1e-12), 0.0, 1.0)
    return float(np.linalg.norm(point - a - share * along))
