# SPDX-License-Identifier: GPL-3.0-or-later
"""What a body rests on in one pose, and how to keep its feet there when the pelvis moves."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from engine.motion.motion import BodyMotion
from engine.tasks.leg import LEGS, Leg, everywhere, length

RAISED = 0.08  # metres on a human body; a foot whose lowest point is higher above the other's does not bear
CROUCHED = 0.7  # of the legs' length; a pelvis that is nearer to the floor sits, kneels or lies
SOLE = 0.075  # metres from the ankle to the floor on a human body
HUMAN_LEG = 0.7777  # metres from hip to ankle of the body that lengths are told for, stretched
LEAST_ROOM = 0.25  # of a leg's reach, which the way to its foot stays off from lying flat


@dataclass(frozen=True)
class Stance:
    """How a body stands.

    Attributes:
        stands: whether the pelvis is on its legs; else it sits, kneels or lies on something.
        bearing: names of the legs, of `LEGS`, whose feet are on the floor.
        knees: radians that the straightest of their knees is bent by.
        size: of the legs, against those of a human body.
        feet: (2, 3) metres, middle of each foot, left and right.
    """

    stands: bool
    bearing: tuple[str, ...]
    knees: float
    size: float
    feet: np.ndarray

    @classmethod
    def of(cls, start: BodyMotion, offsets: np.ndarray | None = None) -> Stance:
        """Of the first frame of a body; ``offsets`` as for `engine.tasks.foot_lock.lock_feet`."""
        legs = legs_of(start, offsets)
        size = float(np.mean([length(leg.knee - leg.hip) + length(leg.ankle - leg.knee) for leg in legs.values()]))
        size /= HUMAN_LEG
        soles = {name: float(lowest(leg, size)[0]) for name, leg in legs.items()}
        floor = min(soles.values())
        bearing = tuple(name for name, height in soles.items() if height - floor < RAISED * size)
        hip = np.mean([leg.hip[0, 1] for leg in legs.values()])
        stands = bool(hip - floor > CROUCHED * size * HUMAN_LEG)
        feet = np.stack([0.5 * (leg.ankle[0] + leg.ball[0]) for leg in legs.values()])
        knees = min(float(np.linalg.norm(legs[name].bend[0])) for name in bearing)
        return cls(stands, bearing, knees, size, feet)


def legs_of(motion: BodyMotion, offsets: np.ndarray | None = None) -> dict[str, Leg]:
    """Both legs of a body, over its frames."""
    where = everywhere(motion, offsets)
    return {name: replace(Leg.of(motion, where, joints), square=True) for name, joints in LEGS.items()}


def lowest(leg: Leg, size: float) -> np.ndarray:
    """(T,) metres, height of a foot's lowest point: under the ankle along the sole's normal, or its ball."""
    heel = leg.ankle[:, 1] - SOLE * size * np.maximum(leg.foot.apply([0.0, 1.0, 0.0])[:, 1], 0.0)
    return np.minimum(heel, leg.ball[:, 1] - 0.25 * SOLE * size)


def lowering(
    motion: BodyMotion, feet: BodyMotion, names: tuple[str, ...], offsets: np.ndarray | None, as_bent: bool = False
) -> np.ndarray:
    """(T, N) metres by which the pelvis must come down for N legs to reach their feet; below 0 there is room.

    Args:
        motion: a body whose legs are turned as in ``feet``, and whose pelvis moved.
        feet: of one frame, with the feet where they are to be.
        names: of the legs.
        offsets: as for `Stance.of`.
        as_bent: whether knees stay as bent as in ``feet``, instead of as straight as they can.
    """
    there, legs = legs_of(feet, offsets), legs_of(motion, offsets)
    needed = []
    for name in names:
        away = legs[name].hip - there[name].ankle
        firm = length(there[name].ankle - there[name].hip) if as_bent else there[name].firm
        flat = np.minimum(length(away[:, [0, 2]]), np.sqrt(1.0 - LEAST_ROOM**2) * firm)
        needed.append(away[:, 1] - np.sqrt(firm**2 - flat**2))
    return np.stack(needed, axis=1)


def planted(
    motion: BodyMotion, feet: BodyMotion, names: tuple[str, ...], offsets: np.ndarray | None = None
) -> BodyMotion:
    """A body with its feet where those of another are; hips, knees and ankles carry it out.

    Args:
        motion, feet, names, offsets: as for `lowering`.
    """
    there, legs = legs_of(feet, offsets), legs_of(motion, offsets)
    poses = motion.poses.copy()
    none = np.zeros(len(motion))
    for name in names:
        leg, goal = legs[name], there[name]
        turn = (goal.foot * leg.foot.inv()).as_rotvec()
        poses[:, LEGS[name][:3]] = leg.reaching(turn, goal.ankle - leg.ankle, none, none)
    return replace(motion, poses=poses)


def heading(root: np.ndarray) -> np.ndarray:
    """(3, 3) columns left, up and ahead of a body with a root orientation (3,), on the floor; any where it lies."""
    left = Rotation.from_rotvec(root).apply([1.0, 0.0, 0.0])
    left[1] = 0.0
    if np.linalg.norm(left) < 1e-3:
        return np.eye(3)
    left /= np.linalg.norm(left)
    up = np.array([0.0, 1.0, 0.0])
    return np.stack([left, up, np.cross(left, up)], axis=1)
