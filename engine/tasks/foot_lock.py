# SPDX-License-Identifier: GPL-3.0-or-later
"""Feet that stand still where they rest.

Where a foot rests, its ball stays in one place and the foot may roll on it; where the ankle rests too, the foot keeps
its orientation as well, but for a true roll. What a foot must be moved by for that is the smoothest curve that is zero
a blend away from all contacts; hip, knee and ankle carry it out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solveh_banded
from scipy.ndimage import binary_dilation, distance_transform_edt
from scipy.spatial.transform import Rotation

from engine.errors import MotionError
from engine.motion.motion import BodyMotion
from engine.motion.windows import log_around, mean_rotation, multiply, rotvec_to_quat, smooth_path
from engine.tasks.confidence import runs
from engine.tasks.leg import LEGS, Leg, dot, everywhere, length

STIFFNESS = 0.04  # seconds; corrections that change in less time than this are dear
STILLNESS = 1e3  # seconds squared; how dear travel in contact is against being out of place
FLAT_ROLL = 0.1  # how readily a flat foot rolls on its ball, against one whose heel is up
LANDING_SECONDS, LANDED = 0.3, 0.02  # a contact begins and ends within so many metres of its height nearby
TRAVEL_SECONDS = 0.5
SLOW_SECONDS = 1.0  # what a foot on the ground does in more is taken for drift of the whole body
LOW = 0.1  # quantile of a joint's heights in a contact that is taken for the ground
FLAT = 0.01  # metres; a foot rolls on its ball, but on its heel where the ball is lifted higher than this
LEAST = 1e-7  # metres and radians; a frame that needs less than this stays bit-equal


@dataclass(frozen=True)
class FootLock:
    """What counts as a contact, and how it is held.

    Attributes:
        on, off: probabilities above which a contact begins and below which it ends.
        shortest: seconds; shorter contacts are none.
        gap: seconds; shorter breaks are none.
        blend: seconds before and after each contact, in which the foot leaves and finds its own path.
        travel: metres; a foot that gets further in half a second does not rest, whatever the probability, and one that
            slowly drifts further than that from its place is not held there, but on its slow path.
        roll: radians that a flat foot may turn by before it is taken to roll.
    """

    on: float = 0.6
    off: float = 0.4
    shortest: float = 0.1
    gap: float = 0.07
    blend: float = 0.15
    travel: float = 0.15
    roll: float = float(np.deg2rad(3.0))


def lock_feet(
    motion: BodyMotion,
    contact: np.ndarray,
    settings: FootLock | None = None,
    offsets: np.ndarray | None = None,
    free: np.ndarray | None = None,
    legs: tuple[str, ...] = tuple(LEGS),
) -> BodyMotion:
    """Hold resting feet still. Only hips, knees and ankles change, and only near contacts; the rest is bit-equal.

    A leg that is too short is not stretched: the foot rolls on its ball, or else comes as near as it can.

    Args:
        motion: any body.
        contact: (T, 4) probability that left ankle, right ankle, left and right ball of the foot rest.
        settings: see `FootLock`.
        offsets: (22, 3) or (T, 22, 3) metres, where the joints are relative to their parents, if not as in
            ``motion.offsets``: see `engine.motion.rig_joints`.
        free: (T,) bool, frames that may change; contacts are held where the others have them. None for all.
        legs: which of `LEGS` to hold.

    Raises:
        MotionError: contacts that do not fit the clip.
    """
    settings = settings or FootLock()
    frames = len(motion)
    if contact.shape != (frames, 4) or not np.isfinite(contact).all():
        raise MotionError(
            f"Foot contacts need 4 finite probabilities for each of the {frames} frames, not {contact.shape}."
        )
    where = everywhere(motion, offsets)
    may = np.ones(frames, bool) if free is None else np.asarray(free, bool)
    poses = motion.poses.copy()
    for side, name in enumerate(LEGS):
        if name not in legs:
            continue
        leg = Leg.of(motion, where, LEGS[name])
        ball = _rests(contact[:, 2 + side], leg.ball, motion.fps, settings)
        ankle = _rests(contact[:, side], leg.ankle, motion.fps, settings)
        turn, shift, pivot = _correction(leg, ankle, ball, may, motion.fps, settings)
        near = np.flatnonzero((np.abs(turn).max(axis=-1) > LEAST) | (np.abs(shift).max(axis=-1) > LEAST))
        if not near.size:
            continue
        held = _ease(ball & (pivot < 0.5), motion.fps, settings.blend)
        loose = held * (1.0 - (1.0 - FLAT_ROLL) * _ease(ankle & ball, motion.fps, settings.blend))
        poses[near[:, None], LEGS[name][:3]] = leg.at(near).reaching(
            turn[near], shift[near], held[near], loose[near]
        )
    return replace(motion, poses=poses)


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Half-open runs of frames where a mask (T,) holds."""
    return [(first, last + 1) for first, last in runs(mask)]


def _rests(probability: np.ndarray, place: np.ndarray, fps: float, settings: FootLock) -> np.ndarray:
    """(T,) bool, where a joint at places (T, 3) rests."""
    decided = (probability > settings.on) | (probability < settings.off)
    latest = np.maximum.accumulate(np.where(decided, np.arange(len(decided)), -1))
    rests = np.where(latest >= 0, probability[latest] > settings.on, False)
    for begin, end in _runs(~rests):
        if begin > 0 and end < len(rests) and end - begin < settings.gap * fps:
            rests[begin:end] = True
    for begin, end in _runs(rests):
        few = max(1, round(LANDING_SECONDS * fps))
        first = begin + _off_ground(place[begin : min(begin + few, end), 1])
        last = end - _off_ground(place[max(end - few, begin) : end, 1][::-1])
        rests[begin:first] = False
        rests[last:end] = False
        if last - first < settings.shortest * fps or _travel(place[first:last], fps) > settings.travel:
            rests[begin:end] = False
    return rests


def _off_ground(height: np.ndarray) -> int:
    """How many of the first heights (T,) of a contact are off the ground, which most are on."""
    return int(np.argmin(np.abs(height - np.median(height)) > LANDED))


def _travel(place: np.ndarray, fps: float) -> float:
    """The furthest in metres that a path (T, 3) leads in `TRAVEL_SECONDS`."""
    frames = round(TRAVEL_SECONDS * fps)
    slow = smooth_path(place, fps, TRAVEL_SECONDS / 5.0)
    if frames >= len(slow):
        return 2.0 * float(length(slow - slow.mean(axis=0)).max())
    return float(length(slow[frames:] - slow[:-frames]).max())


def _held(place: np.ndarray, fps: float, travel: float) -> np.ndarray:
    """(T, 3) where a joint at places (T, 3) is held: in their middle, or, if that is too far, on their slow path."""
    middle = place.mean(axis=0)
    soft = 0.1 * length(place - middle).mean() + LEAST
    for _ in range(20):  # Weiszfeld's iteration to the geometric median, which knows no axes
        weight = 1.0 / np.sqrt(dot(place - middle, place - middle) + soft**2)
        middle = weight @ place / weight.sum()
    if length(place - middle).max() <= travel:
        return np.array(np.broadcast_to(middle, place.shape))
    return smooth_path(place, fps, SLOW_SECONDS)


def _ease(mask: np.ndarray, fps: float, seconds: float) -> np.ndarray:
    """(T,) 1 where a mask holds, falling smoothly to 0 over some seconds around it."""
    if not mask.any():
        return np.zeros(len(mask))
    away = distance_transform_edt(~mask) / (seconds * fps)
    return 0.5 + 0.5 * np.cos(np.pi * np.minimum(away, 1.0))


def _correction(
    leg: Leg, ankle: np.ndarray, ball: np.ndarray, free: np.ndarray, fps: float, settings: FootLock
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What to turn the foot (T, 3) axis-angle and to shift the ankle (T, 3) by, both zero away from contacts.

    And what stays in its place, a point between ball (0) and ankle (1), (T,).
    """
    flat = ankle & ball
    turn = np.zeros_like(leg.ankle)
    quat = leg.foot.as_quat(scalar_first=True)
    for begin, end in _runs(flat):
        turn[begin:end] = _levelled(quat[begin:end], settings.roll)
    no_steps = np.zeros(len(flat) - 1, bool)
    turn = _smoothest(turn, flat, no_steps, np.zeros_like(turn[1:]), free, fps, settings.blend)

    arm = (Rotation.from_rotvec(turn) * leg.foot).apply(leg.sole)
    aims, heights = [], []
    for rests, place in ((ankle, leg.ankle), (ball, leg.ball)):
        aim, height = place.copy(), np.zeros(len(place))
        for begin, end in _runs(rests):
            aim[begin:end] = _held(place[begin:end], fps, settings.travel)
            height[begin:end] = place[begin:end, 1] - np.quantile(place[begin:end, 1], LOW)
        aims.append(aim)
        heights.append(np.maximum(height, 0.0) ** 2)
    share = heights[1] / (heights[0] + heights[1] + FLAT**2)
    pivot = np.where(flat, share, ankle.astype(float))[:, None]
    aim = pivot * aims[0] + (1.0 - pivot) * (aims[1] - arm)
    on_ankle, on_ball = ankle[1:] & ankle[:-1], ball[1:] & ball[:-1]
    share = np.where((on_ankle & on_ball)[:, None], (pivot[1:] + pivot[:-1]) / 2.0, on_ankle[:, None])
    path = share * np.diff(aims[0], axis=0) + (1.0 - share) * np.diff(aims[1] - arm, axis=0)
    path -= np.diff(leg.ankle, axis=0)
    rests = ball | ankle
    shift = _smoothest(aim - leg.ankle, rests, on_ankle | on_ball, path, free, fps, settings.blend)
    return turn, shift, pivot[:, 0]


def _levelled(quat: np.ndarray, roll: float) -> np.ndarray:
    """(T, 3) axis-angle in the world that keeps feet (T, 4), WXYZ, at rest; what they roll beyond ``roll`` is left."""
    middle = mean_rotation(quat[:, None])[0]
    middle = multiply(middle, rotvec_to_quat(np.median(log_around(middle, quat), axis=0)))
    away = log_around(middle, quat)
    size = np.linalg.norm(away, axis=-1, keepdims=True)
    kept = np.maximum(0.0, 1.0 - roll / np.maximum(size, 1e-12))
    # Turning back about the axis that the foot is turned about, which is the same in the foot's own axes.
    return Rotation.from_quat(quat, scalar_first=True).apply((kept - 1.0) * away)


def _smoothest(
    aim: np.ndarray,
    wanted: np.ndarray,
    steps: np.ndarray,
    step: np.ndarray,
    free: np.ndarray,
    fps: float,
    blend: float,
) -> np.ndarray:
    """The smooth curve (T, 3) that is near to ``aim`` (T, 3) where ``wanted`` (T,) and zero ``blend`` seconds away.

    From frame to frame it changes by ``step`` (T-1, 3) where ``steps`` (T-1,), and it is zero where not ``free`` (T,).
    It is the least-squares solution, with the integral of the squared second derivative for smoothness.
    """
    if not (wanted & free).any():
        return np.zeros_like(aim)
    # The curve goes on beyond the clip, where it falls to zero as it does within.
    reach = int(np.ceil(blend * fps))
    inner = slice(reach + 2, reach + 2 + len(aim))
    wide = np.pad(wanted, reach + 2)
    free = np.pad(free, reach + 2, constant_values=True) & binary_dilation(wide, iterations=reach)
    firm = STILLNESS * fps * np.pad(steps, reach + 2)
    stiff = STIFFNESS**4 * fps**3 * np.ones(len(wide) - 2)
    bands = np.zeros((3, len(wide)))
    bands[0] = wide / fps
    bands[0, :-1] += firm
    bands[0, 1:] += firm
    bands[1, :-1] -= firm
    for start, weight in enumerate((1.0, 4.0, 1.0)):
        bands[0, start : start + len(stiff)] += weight * stiff
    bands[1, :-2] -= 2.0 * stiff
    bands[1, 1:-1] -= 2.0 * stiff
    bands[2, :-2] = stiff
    right = np.zeros((len(wide), 3))
    right[inner] = aim * (wanted / fps)[:, None]
    pull = STILLNESS * fps * steps[:, None] * step
    right[inner][1:] += pull
    right[inner][:-1] -= pull
    # A frame that is not free is a zero that the others know.
    bands[0, ~free] = 1.0
    for apart in (1, 2):
        bands[apart, :-apart] *= free[apart:] & free[:-apart]
    return solveh_banded(bands, np.where(free[:, None], right, 0.0), lower=True)[inner]
