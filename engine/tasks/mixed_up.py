# SPDX-License-Identifier: GPL-3.0-or-later
"""Limbs that a capture has mixed up: left taken for right, or elbows and knees that bend backwards throughout."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from engine.motion.joints import JOINTS, LIMBS, MIRROR
from engine.motion.windows import continuous
from engine.tasks.anatomy import reversed_joints, turned_round
from engine.tasks.confidence import angle

ARMS, LEGS = np.array(LIMBS[0] + LIMBS[1]), np.array(LIMBS[2] + LIMBS[3])
REFLECTED = np.array([1.0, 1.0, -1.0, -1.0])  # what a mirror does to a quaternion WXYZ
LEAST_GAIN = float(np.deg2rad(20.0))
"""Radians, summed over both limbs, by which exchanging them must shorten a jump; 13 degrees is the most that any of
700 real clips shows."""
NOISE_GAIN = 0.45  # of the usual movement from frame to frame, which noise adds to
USUAL, SLACK = 3.0, float(np.deg2rad(15.0))  # what is left of the jump is at most so much of the usual, and this
SAME = 1e-3  # radians; joints that are each other's mirror image were not mixed up
LONGEST = 3.0  # seconds; of a longer stretch nobody knows which side is the wrong one


@dataclass(frozen=True)
class Mended:
    """Rotations with the limbs sorted out.

    Attributes:
        quat: (T, 22, 4) unit quaternions WXYZ, sign-continuous.
        wrong: (T, 22) bool, joint-frames that were mixed up.
    """

    quat: np.ndarray
    wrong: np.ndarray

    def figures(self) -> dict[str, int]:
        """JSON-able: for each joint that was mixed up, in how many frames."""
        counts = zip(JOINTS, self.wrong.sum(axis=0), strict=True)
        return {joint: int(count) for joint, count in counts if count}


def mended(quat: np.ndarray, fps: float) -> Mended:
    """Sort out limbs in rotations (T, 22, 4), unit quaternions WXYZ, sign-continuous."""
    backwards = reversed_joints(quat)
    sorted_out = turned_round(quat, backwards)
    wrong = np.zeros(quat.shape[:2], bool)
    wrong[:, [JOINTS.index(joint) for joint in backwards]] = True
    for joints in (ARMS, LEGS):
        here = _exchanged(sorted_out[:, joints], _seen_in_mirror(sorted_out, joints), fps)
        if not here.any():
            continue
        before = sorted_out[np.ix_(here, joints)]
        after = _seen_in_mirror(sorted_out[here], joints)
        sorted_out[np.ix_(here, joints)] = after
        wrong[np.ix_(here, joints)] |= angle(before, after) > SAME
    return Mended(continuous(sorted_out) if wrong.any() else quat, wrong)


def _seen_in_mirror(quat: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Rotations (T, J, 4) that joints would have if left and right were exchanged."""
    return quat[:, np.asarray(MIRROR)[joints]] * REFLECTED


def _exchanged(own: np.ndarray, other: np.ndarray, fps: float) -> np.ndarray:
    """(T,) bool, where two limbs (T, J, 4) are each other's: there and back they jump as each other would not."""
    none = np.zeros(len(own), bool)
    if len(own) < 3:
        return none
    stays, crosses = (angle(own[:-1], after[1:]).sum(axis=1) for after in (own, other))
    usual = float(np.median(stays))
    gains = stays - crosses > LEAST_GAIN + NOISE_GAIN * usual
    edges = 1 + np.flatnonzero(gains & (crosses < USUAL * usual + SLACK))
    if not edges.size:
        return none
    side = np.searchsorted(edges, np.arange(len(own)), side="right") % 2 == 1
    here = side if side.mean() <= 0.5 else ~side
    # A stretch is between two edges, or an edge and the clip's end.
    bounds = np.concatenate([[0], edges, [len(own)]])
    for begin, end in pairwise(bounds):
        if end - begin > LONGEST * fps:
            here[begin:end] = False
    return here
