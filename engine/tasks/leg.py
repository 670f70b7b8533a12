# SPDX-License-Identifier: GPL-3.0-or-later
"""A leg that reaches with its foot: two bones, a hinge between them, and a foot that can roll on its ball."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from engine.motion.motion import BodyMotion

LEGS = {"left": (1, 4, 7, 10), "right": (2, 5, 8, 11)}
"""Hip, knee, ankle and ball of the foot of each leg."""

SOFT = 0.01  # last share of a leg's length, which it takes ever more slowly: a knee must not snap straight
HINGE = 0.2  # radians; a knee bent by less bends about the body's side axis rather than its own
MOST_ROLL = np.deg2rad(30.0)  # of the foot on its ball, to help a leg that is too short


@dataclass(frozen=True)
class Leg:
    """One leg over the frames, in the world, metres.

    Attributes:
        pelvis: T rotations.
        locals: of hip, knee and ankle, T rotations each.
        bend: (T, 3) the knee's own rotation, axis-angle.
        hip, knee, ankle, ball: (T, 3) positions.
        sole: (T, 3) ball relative to the ankle, in the ankle's axes.
        square: whether knees bend about the body's side axis alone, as captured ones do, whatever else they are turned
            by; else about the axis that they are bent about, which suits legs whose axes are off.
    """

    pelvis: Rotation
    locals: tuple[Rotation, Rotation, Rotation]
    bend: np.ndarray
    hip: np.ndarray
    knee: np.ndarray
    ankle: np.ndarray
    ball: np.ndarray
    sole: np.ndarray
    square: bool = False

    @classmethod
    def of(cls, motion: BodyMotion, offsets: np.ndarray, joints: tuple[int, int, int, int]) -> Leg:
        """A leg of a body whose joints are at ``offsets`` (T, 22, 3) from their parents."""
        pelvis = Rotation.from_rotvec(motion.poses[:, 0])
        hip, knee, ankle = (Rotation.from_rotvec(motion.poses[:, joint]) for joint in joints[:3])
        places = [motion.transl + pelvis.apply(offsets[:, joints[0]])]
        turn = pelvis
        for local, joint in zip((hip, knee, ankle), joints[1:], strict=True):
            turn = turn * local
            places.append(places[-1] + turn.apply(offsets[:, joint]))
        bend, sole = motion.poses[:, joints[1]], offsets[:, joints[3]]
        return cls(pelvis, (hip, knee, ankle), bend, places[0], places[1], places[2], places[3], sole)

    def at(self, rows: np.ndarray) -> Leg:
        """The leg at some frames."""
        hip, knee, ankle = (local[rows] for local in self.locals)
        return Leg(
            self.pelvis[rows],
            (hip, knee, ankle),
            self.bend[rows],
            self.hip[rows],
            self.knee[rows],
            self.ankle[rows],
            self.ball[rows],
            self.sole[rows],
            self.square,
        )

    @property
    def foot(self) -> Rotation:
        """T orientations of the foot in the world."""
        hip, knee, ankle = self.locals
        return self.pelvis * hip * knee * ankle

    @property
    def firm(self) -> np.ndarray:
        """(T,) metres from hip to ankle that the leg reaches exactly: as far as now, or all but its soft last share."""
        hinge = self._flexion()
        longest = np.sqrt(hinge.squares - 2.0 * (hinge.along - hinge.most))
        return np.maximum(length(self.ankle - self.hip), (1.0 - SOFT) * longest)

    def _flexion(self) -> _Flexion:
        axis = (self.pelvis * self.locals[0]).apply(_square(self.bend) if self.square else _hinge(self.bend))
        up, down = self.hip - self.knee, self.ankle - self.knee
        # The thigh along the shin while it turns by delta about the axis: along - most * cos(bent + delta).
        along = dot(up, axis) * dot(down, axis)
        cosine, sine = dot(up, down) - along, dot(up, np.cross(axis, down))
        squares = dot(up, up) + dot(down, down)
        return _Flexion(axis, along, np.hypot(cosine, sine), np.arctan2(sine, -cosine), squares)

    def reaching(
        self, turn: np.ndarray, shift: np.ndarray, held: np.ndarray, loose: np.ndarray
    ) -> np.ndarray:
        """Hip, knee and ankle (T, 3, 3), axis-angle, that move the foot.

        The knee goes on bending about the axis that it is bent about, then the leg swings to its aim the shortest way,
        so the plane of the leg turns with it and no further. A straight knee would have to bend far for little: there
        the foot rolls on its ball instead, each taking the share that makes both turn least.

        Args:
            turn: (T, 3) axis-angle that the foot turns by in the world.
            shift: (T, 3) metres that the ankle moves by.
            held: (T,) 1 where the ball must stay in its place, 0 where the whole foot may fall short.
            loose: (T,) how readily the foot rolls on its ball, against the knee's 1.
        """
        hip, knee, _ = self.locals
        thigh = self.pelvis * hip
        foot = Rotation.from_rotvec(turn) * self.foot
        aim = self.ankle + shift
        down = self.ankle - self.knee
        axis, along, most, bent, squares = self._flexion()
        before, longest = length(self.ankle - self.hip), np.sqrt(squares - 2.0 * (along - most))

        distance = length(aim - self.hip)
        arm = -foot.apply(self.sole)
        by_knee = most * np.abs(np.sin(bent)) / before  # metres per radian
        by_foot = length(np.cross(arm, self.hip - aim + arm)) / distance
        share = loose * by_foot**2 / (loose * by_foot**2 + by_knee**2 + 1e-12)
        asked = distance - share * (distance - before)
        reached = _reached(asked, before, longest)
        roll = _roll(arm, self.hip - aim + arm, distance, asked - held * (asked - reached))
        foot, aim = roll * foot, aim - arm + roll.apply(arm)
        far = length(aim - self.hip)
        far = np.where(reached < asked, np.minimum(far, reached), _reached(far, before, longest))
        wanted = np.arccos(np.clip((along - (squares - far**2) / 2.0) / np.maximum(most, 1e-12), -1.0, 1.0))
        flex = Rotation.from_rotvec((_bent(bent, wanted) - bent)[:, None] * axis)
        swing = _least_rotation(self.knee + flex.apply(down) - self.hip, aim - self.hip)
        thigh_after = swing * thigh
        shin_after = swing * flex * thigh * knee
        locals_after = (
            self.pelvis.inv() * thigh_after,
            thigh_after.inv() * shin_after,
            shin_after.inv() * foot,
        )
        return np.stack([local.as_rotvec() for local in locals_after], axis=1)


class _Flexion(NamedTuple):
    """How knees bend, T of them.

    Attributes:
        axis: (T, 3) unit vectors in the world.
        along, most: (T,) the scalar product of thigh and shin is ``along - most * cos(bent)``.
        bent: (T,) radians; 0 is the straightest, a bent knee is positive.
        squares: (T,) sum of the squared lengths of thigh and shin.
    """

    axis: np.ndarray
    along: np.ndarray
    most: np.ndarray
    bent: np.ndarray
    squares: np.ndarray


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Scalar products (T,) of vectors (T, 3)."""
    return np.einsum("ta,ta->t", a, b)


def length(a: np.ndarray) -> np.ndarray:
    """Lengths (T,) of vectors (T, 3)."""
    return np.linalg.norm(a, axis=-1)


def _hinge(bend: np.ndarray) -> np.ndarray:
    """(T, 3) unit axes that knees with local rotations ``bend`` (T, 3) bend about: their own where they are bent."""
    axis = bend[:, :1] * bend
    axis[:, 0] += HINGE**2  # the body's side axis, about which a positive angle is a bent knee
    return axis / np.linalg.norm(axis, axis=-1, keepdims=True)


def _square(bend: np.ndarray) -> np.ndarray:
    """(T, 3) unit axes about which knees (T, 3) bend while their rotation vectors change along the side axis alone.

    It is that axis through the left Jacobian of the exponential map, which turns changes of a rotation vector into
    turns of its rotation.
    """
    angle = np.linalg.norm(bend, axis=-1, keepdims=True)
    safe = np.maximum(angle, 1e-6)
    side = np.array([1.0, 0.0, 0.0])
    once = np.cross(bend, side)
    first = np.where(angle > 1e-3, (1.0 - np.cos(safe)) / safe**2, 0.5)
    second = np.where(angle > 1e-3, (safe - np.sin(safe)) / safe**3, 1.0 / 6.0)
    axis = side + first * once + second * np.cross(bend, once)
    return axis / np.linalg.norm(axis, axis=-1, keepdims=True)


def _bent(before: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Knee angles (T,) of the size ``wanted``, of the side they have ``before``.

    A knee that was bent backwards comes over to the right side where it has to bend further, within its own angle.
    """
    back = np.minimum(before, 0.0)
    share = np.clip((wanted + back) / np.maximum(-back, 1e-12), 0.0, 1.0)
    over = before + (wanted - before) * share**2 * (3.0 - 2.0 * share)
    return np.where(before >= 0.0, wanted, np.where(wanted <= -before, -wanted, over))


def _reached(distance: np.ndarray, before: np.ndarray, longest: np.ndarray) -> np.ndarray:
    """How far legs reach for ankles at a ``distance`` (T,) from hips: metres, ever slower towards the longest.

    What was reached before is reached still, so that no correction changes nothing.
    """
    firm = np.maximum(before, (1.0 - SOFT) * longest)
    room = np.maximum(longest - firm, 1e-9)
    beyond = np.maximum(distance - firm, 0.0)
    return np.where(distance <= firm, distance, firm + room * -np.expm1(-beyond / room))


def _roll(arm: np.ndarray, leg: np.ndarray, distance: np.ndarray, wanted: np.ndarray) -> Rotation:
    """T rotations about the ball that bring ankles from a ``distance`` (T,) of the hips to the ``wanted`` one (T,).

    ``arm`` and ``leg`` (T, 3) lead from the ball to ankle and hip.
    """
    near, far = length(arm), length(leg)
    scale = np.maximum(2.0 * near * far, 1e-12)
    now, then = (np.arccos(np.clip((near**2 + far**2 - d**2) / scale, -1.0, 1.0)) for d in (distance, wanted))
    axis = np.cross(arm, leg)
    axis /= np.maximum(length(axis), 1e-12)[:, None]
    return Rotation.from_rotvec((MOST_ROLL * np.tanh((now - then) / MOST_ROLL))[:, None] * axis)


def _least_rotation(start: np.ndarray, end: np.ndarray) -> Rotation:
    """The smallest rotations that carry directions (T, 3) to others, which are not opposite."""
    start = start / np.linalg.norm(start, axis=-1, keepdims=True)
    end = end / np.linalg.norm(end, axis=-1, keepdims=True)
    scalar = 1.0 + (start * end).sum(axis=-1, keepdims=True)
    return Rotation.from_quat(np.concatenate([np.cross(start, end), scalar], axis=-1))


def feet_places(motion: BodyMotion, offsets: np.ndarray | None = None) -> np.ndarray:
    """(T, 4, 3) metres, left ankle, right ankle, left and right ball of the foot, as `lock_feet` takes contacts."""
    left, right = (Leg.of(motion, everywhere(motion, offsets), joints) for joints in LEGS.values())
    return np.stack([left.ankle, right.ankle, left.ball, right.ball], axis=1)


def everywhere(motion: BodyMotion, offsets: np.ndarray | None) -> np.ndarray:
    """Offsets of every frame (T, 22, 3)."""
    # A copy, since not every build of scipy turns vectors that it may not write to.
    return np.array(np.broadcast_to(motion.offsets if offsets is None else offsets, (len(motion), 22, 3)))
