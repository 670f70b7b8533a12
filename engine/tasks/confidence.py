# SPDX-License-Identifier: GPL-3.0-or-later
"""Which samples of a clip are measurements at all: spikes, pops and drop-outs are found and left out.

A sample is judged against what its neighbours in time say, never against what poses are likely.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_closing, median_filter

from engine.motion.windows import (
    Windows,
    conjugate,
    exp_around,
    log_around,
    mean_rotation,
    multiply,
    quat_to_rotvec,
)

SPIKE_SECONDS = 0.45  # window of the median; spikes shorter than half of it stand out
SPIKE_DEGREES = 20.0  # least deviation from the neighbours that can be a spike
SPIKE_RATIO = 3.5  # and in terms of the clip's usual deviation; 5.4 sigma for isotropic Gaussian noise
JUMP_SHARE = 0.75  # of a flip that happens between two frames
STILL_RATIO = (
    0.08  # angular acceleration, against the joint's usual, under which a joint is not being measured
)
MOSTLY_STILL = 0.85  # of a stretch's frames
STILL_SECONDS = 0.3  # for at least this long
POP_RATIO = 3.0  # speed at an end of such a stretch, against the joint's usual, that gives it away
POP_DEGREES = 1.0
DEAD_RATIO = 0.01  # acceleration against the joint's usual below which it is dead, pop or no pop,
SHAKY_DEGREES = 1.5  # where the joint's usual acceleration, per frame squared, is that of a shaky capture


def angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Geodesic distance in radians between unit quaternions (..., 4)."""
    return 2.0 * np.arccos(np.clip(np.abs(np.sum(a * b, axis=-1)), 0.0, 1.0))


def running_median(quat: np.ndarray, fps: float, seconds: float = SPIKE_SECONDS) -> np.ndarray:
    """Componentwise median of the log-rotations around window means, (T, J, 4)."""
    frames = len(quat)
    size = max(3, round(seconds * fps) | 1)
    cover = Windows.cover(frames, max(round(4.0 * fps), 4 * size))
    out = np.empty_like(quat)
    for start in cover.starts:
        window = quat[start : start + cover.length]
        reference = mean_rotation(window)
        x = median_filter(log_around(reference, window), size=(size, 1, 1), mode="reflect")
        # Only the middle half is trusted, so that every frame is seen with its neighbours.
        first = 0 if start == 0 else cover.length // 4
        out[start + first : start + cover.length] = exp_around(reference, x[first:])
    return out


def spike_threshold(deviation: np.ndarray) -> np.ndarray:
    """(J,) radians beyond which a deviation (T, J) from the running median cannot be ordinary."""
    return np.maximum(np.deg2rad(SPIKE_DEGREES), SPIKE_RATIO * np.median(deviation, axis=0))


def dropouts(quat: np.ndarray, fps: float) -> np.ndarray:
    """Stretches (T, J) where a joint that is otherwise measured stands still or drifts, and pops at an end.

    Tracking software holds or extrapolates a limb it has lost: its angular acceleration, never zero in a capture,
    vanishes. Joints that are never measured (constant throughout) and keyed holds without a pop are left alone; in a
    shaky capture a stretch without any shake needs no pop.
    """
    lost = np.zeros(quat.shape[:2], bool)
    if len(quat) < 5:
        return lost
    turn = quat_to_rotvec(multiply(conjugate(quat[:-1]), quat[1:]))  # (T-1, J, 3), frame t to t+1
    speed = np.linalg.norm(turn, axis=-1)
    acceleration = np.linalg.norm(np.diff(turn, axis=0), axis=-1)  # (T-2, J), around frame t+1
    usual = np.median(acceleration, axis=0)
    usual_speed = np.median(speed, axis=0)
    measured = usual > np.deg2rad(0.02)
    still = (acceleration < STILL_RATIO * usual) & measured
    gap = max(1, round(0.05 * fps))
    calm = still
    still = binary_closing(still, np.ones((2 * gap + 1, 1))) | still
    shortest = max(5, round(STILL_SECONDS * fps))
    stretches = []  # (joint, first frame, last frame, pops)
    for joint in np.flatnonzero(measured):
        limit = max(POP_RATIO * usual_speed[joint], np.deg2rad(POP_DEGREES))
        for first, last in runs(still[:, joint]):
            end = last + 2  # acceleration t involves frames t, t + 1 and t + 2
            # A clip brought to a higher rate by straight lines is still in between its own frames, everywhere.
            if end - first < shortest or calm[first : last + 1, joint].mean() < MOSTLY_STILL:
                continue
            inside = np.median(speed[first:end, joint])
            dead = usual[joint] > np.deg2rad(SHAKY_DEGREES)
            dead &= np.median(acceleration[first : last + 1, joint]) < DEAD_RATIO * usual[joint]
            ends = speed[[t for t in (first - 1, end) if 0 <= t < len(speed)], joint]
            stretches.append((joint, first, end, bool(dead or (np.abs(ends - inside) > limit).any())))
    for joint, first, end, pops in stretches:
        beside = [
            other
            for other in stretches
            if other[0] != joint and min(end, other[2]) - max(first, other[1]) > 0.5 * (end - first)
        ]
        # A limb is lost as a whole: a single joint at rest, such as a straight knee, is ordinary.
        if beside and (pops or any(other[3] for other in beside)):
            lost[first + 1 if first else 0 : end + 1, joint] = True
    return lost


def flips(offset: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Samples (T, J) that jump away from where the motion is and jump back.

    A fast movement leaves the expected path gradually, a flip at once: at both ends of a stretch beyond the
    threshold, most of the offset must have come in a single frame.

    Args:
        offset: (T, J, 3) log-rotation from the expected to the measured.
        threshold: (J,) radians.
    """
    size = np.linalg.norm(offset, axis=-1)
    step = np.linalg.norm(np.diff(offset, axis=0), axis=-1)
    found = np.zeros(size.shape, bool)
    for joint in np.flatnonzero((size > threshold).any(axis=0)):
        for first, last in runs(size[:, joint] > threshold[joint]):
            enters = first == 0 or step[first - 1, joint] > JUMP_SHARE * size[first, joint]
            leaves = last == len(size) - 1 or step[last, joint] > JUMP_SHARE * size[last, joint]
            found[first : last + 1, joint] = enters and leaves
    return found


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of every run of True in flags (T,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]


def bridge(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Values (T, J, D) with unknown samples (T, J) replaced by straight lines between their known neighbours.

    Before the first and after the last known sample the nearest one holds; a joint with none keeps its values.
    """
    frames = len(values)
    time = np.arange(frames)[:, None]
    before = np.maximum.accumulate(np.where(known, time, -1), axis=0)
    after = np.minimum.accumulate(np.where(known, time, frames)[::-1], axis=0)[::-1]
    left = np.where(before < 0, after, before)
    right = np.where(after >= frames, before, after)
    left, right = np.clip(left, 0, frames - 1), np.clip(right, 0, frames - 1)
    share = np.where(right > left, (time - left) / np.maximum(right - left, 1), 0.0)[..., None]
    columns = np.arange(values.shape[1])
    line = (1.0 - share) * values[left, columns] + share * values[right, columns]
    return np.where((known | ~known.any(axis=0))[..., None], values, line)


def bridge_rotations(quat: np.ndarray, known: np.ndarray) -> np.ndarray:
    """As `bridge`, for unit quaternions (T, J, 4): normalised straight lines between the nearer signs."""
    frames = len(quat)
    time = np.arange(frames)[:, None]
    last = np.maximum(np.maximum.accumulate(np.where(known, time, -1), axis=0), 0)
    held = np.take_along_axis(quat, last[..., None], axis=0)
    flips = np.sum(held[1:] * held[:-1], axis=-1) < 0
    sign = np.concatenate([np.ones((1, quat.shape[1])), np.where(np.cumsum(flips, axis=0) % 2, -1.0, 1.0)])
    line = bridge(quat * sign[..., None], known)
    line /= np.maximum(np.linalg.norm(line, axis=-1, keepdims=True), 1e-12)
    return np.where(known[..., None], quat, line)
