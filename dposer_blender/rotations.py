# SPDX-License-Identifier: GPL-3.0-or-later
"""A bone's rotation channels to unit quaternions and back, for whole animations at once.

Conventions are Blender's: quaternions are WXYZ, an axis-angle is (angle, x, y, z), and an Euler of order
"XYZ" turns about X first and about Z last, each about the fixed axes.
"""

from __future__ import annotations

import numpy as np

QUATERNION = "QUATERNION"
AXIS_ANGLE = "AXIS_ANGLE"
# The f-curve property of a rotation mode and the number of its channels; every other mode is an Euler order.
PROPERTIES = {QUATERNION: ("rotation_quaternion", 4), AXIS_ANGLE: ("rotation_axis_angle", 4)}
EULER = ("rotation_euler", 3)

_EPSILON = 1e-12


def channels(mode: str) -> tuple[str, int]:
    """The property that holds the rotation of a bone in this mode, and how many channels it has."""
    return PROPERTIES.get(mode, EULER)


def to_quaternions(values: np.ndarray, mode: str) -> np.ndarray:
    """Channel values (..., C) of a rotation mode as unit quaternions (..., 4); zeros give the identity."""
    values = np.asarray(values, np.float64)
    if mode == QUATERNION:
        return _normalise(values, (1.0, 0.0, 0.0, 0.0))
    if mode == AXIS_ANGLE:
        length = np.linalg.norm(values[..., 1:], axis=-1, keepdims=True)
        axis = np.divide(values[..., 1:], length, out=np.zeros_like(values[..., 1:]), where=length > _EPSILON)
        half = np.where(length > _EPSILON, values[..., :1], 0.0) / 2
        return np.concatenate([np.cos(half), np.sin(half) * axis], axis=-1)
    turns = np.zeros((3, *values.shape[:-1], 4))
    for i in range(3):
        turns[i, ..., 0] = np.cos(values[..., i] / 2)
        turns[i, ..., 1 + i] = np.sin(values[..., i] / 2)
    first, second, third, _ = _axes(mode)
    return multiply(turns[third], multiply(turns[second], turns[first]))


def to_channels(quaternions: np.ndarray, mode: str, raw: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """The channel values that show new rotations, continuous in time.

    One rotation has many values (q and -q, two Eulers and their full turns); each frame takes those
    nearest to the frame before it, so that nothing spins between two keys.

    Args:
        quaternions: (T, B, 4) unit, the new rotations of B bones that share the mode.
        mode: the rotation mode.
        raw: (T, B, C) the channels as they are.
        changed: (T, B) where the new rotations count.

    Returns:
        (T, B, C): bit-equal to ``raw`` where not changed.
    """
    result = np.array(raw, np.float64)
    frames, bones = np.nonzero(changed.T)[::-1]  # bone after bone, so that one run follows another
    if not len(frames):
        return result
    starts = np.ones(len(frames), bool)
    starts[1:] = (np.diff(frames) != 1) | (np.diff(bones) != 0)
    before = result[np.maximum(frames[starts] - 1, 0), bones[starts]]
    follow = _FOLLOW.get(mode)
    wanted = quaternions[frames, bones]
    result[frames, bones] = (
        follow(wanted, starts, before) if follow is not None else _follow_euler(wanted, mode, starts, before)
    )
    return result


def from_matrices(matrices: np.ndarray) -> np.ndarray:
    """Unit quaternions (..., 4) of the rotations in (..., 3, 3), whose columns may be scaled.

    Shepperd (1978): of the four ways to begin, the one whose divisor is largest.
    """
    m = (
        matrices * np.where(np.linalg.det(matrices) < 0, -1.0, 1.0)[..., None, None]
    )  # mirrored: as Blender does
    m = m / np.maximum(np.linalg.norm(m, axis=-2, keepdims=True), _EPSILON)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    squares = np.stack([1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz], axis=-1)
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0], m[..., 2, 1] + m[..., 1, 2]
    rows = np.stack(
        [
            np.stack([squares[..., 0], wx, wy, wz], axis=-1),
            np.stack([wx, squares[..., 1], xy, xz], axis=-1),
            np.stack([wy, xy, squares[..., 2], yz], axis=-1),
            np.stack([wz, xz, yz, squares[..., 3]], axis=-1),
        ],
        axis=-2,
    )
    best = squares.argmax(axis=-1)[..., None, None]
    return _normalise(np.take_along_axis(rows, best, axis=-2)[..., 0, :], (1.0, 0.0, 0.0, 0.0))


def between(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The least rotations (..., 4) that carry directions (..., 3) to others; opposite ones are left alone."""
    before, after = (v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), _EPSILON) for v in (before, after))
    scalar = 1.0 + (before * after).sum(axis=-1, keepdims=True)
    return _normalise(np.concatenate([scalar, np.cross(before, after)], axis=-1), (1.0, 0.0, 0.0, 0.0))


def angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Radians (...) between the rotations of matrices (..., 3, 3), whose columns may be scaled."""
    one, other = (from_matrices(np.asarray(m, np.float64)) for m in (a, b))
    distance = np.minimum(np.linalg.norm(one - other, axis=-1), np.linalg.norm(one + other, axis=-1))
    return 4.0 * np.arcsin(np.minimum(distance / 2.0, 1.0))


def to_matrices(quaternions: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) of unit quaternions (..., 4)."""
    w, x, y, z = np.moveaxis(quaternions, -1, 0)
    return np.stack(
        [
            np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], axis=-1),
            np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], axis=-1),
            np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=-1),
        ],
        axis=-2,
    )


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The Hamilton product (..., 4): ``b`` first, then ``a``."""
    scalar = a[..., :1] * b[..., :1] - (a[..., 1:] * b[..., 1:]).sum(axis=-1, keepdims=True)
    vector = a[..., :1] * b[..., 1:] + b[..., :1] * a[..., 1:] + _cross(a[..., 1:], b[..., 1:])
    return np.concatenate([scalar, vector], axis=-1)


def slerp(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """From unit quaternions ``a`` (..., 4) to ``b`` by the shorter arc; ``share`` (...) from 0 to 1 (Shoemake 1985)."""
    dot = (a * b).sum(axis=-1)
    near = np.where(dot[..., None] < 0, -b, b)
    half = np.arccos(np.clip(np.abs(dot), 0.0, 1.0))[..., None]
    sine, share = np.sin(half), np.asarray(share)[..., None]
    close = sine < _EPSILON
    safe = np.where(close, 1.0, sine)
    first = np.where(close, 1.0 - share, np.sin((1.0 - share) * half) / safe)
    second = np.where(close, share, np.sin(share * half) / safe)
    return _normalise(first * a + second * near, (1.0, 0.0, 0.0, 0.0))


def rotate(quaternions: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) turned by unit quaternions (..., 4)."""
    axis = quaternions[..., 1:]
    twice = 2 * _cross(axis, vectors)
    return vectors + quaternions[..., :1] * twice + _cross(axis, twice)


def _normalise(values: np.ndarray, default: tuple[float, ...]) -> np.ndarray:
    length = np.linalg.norm(values, axis=-1, keepdims=True)
    return np.where(length > _EPSILON, values / np.maximum(length, _EPSILON), default)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """As `numpy.cross` of three dimensions, which takes several times as long."""
    product = np.empty(np.broadcast_shapes(a.shape, b.shape))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        product[..., i] = a[..., j] * b[..., k] - a[..., k] * b[..., j]
    return product


def _axes(order: str) -> tuple[int, int, int, float]:
    """First, second and third axis of an Euler order, and +1 where they are a cyclic permutation, else -1."""
    first, second, third = ("XYZ".index(letter) for letter in order)
    return first, second, third, 1.0 if (second - first) % 3 == 1 else -1.0


def _to_euler(quaternions: np.ndarray, order: str) -> np.ndarray:
    """Both Eulers (..., 2, 3) of each rotation, by axis X, Y, Z; at gimbal lock the last angle is zero.

    With R = R_third R_second R_first and parity s, R[third, first] = -s sin(b); the rest follows row by row.
    """
    i, j, k, s = _axes(order)
    m = to_matrices(quaternions)
    cosine = np.hypot(m[..., i, i], m[..., j, i])
    locked = cosine < 1e-6
    first = np.where(
        locked, np.arctan2(-s * m[..., j, k], m[..., j, j]), np.arctan2(s * m[..., k, j], m[..., k, k])
    )
    second = np.arctan2(-s * m[..., k, i], cosine)
    third = np.where(locked, 0.0, np.arctan2(s * m[..., j, i], m[..., i, i]))
    result = np.empty((*first.shape, 2, 3))
    result[..., 0, i], result[..., 0, j], result[..., 0, k] = first, second, third
    result[..., 1, i], result[..., 1, j], result[..., 1, k] = first + np.pi, np.pi - second, third + np.pi
    return result


def _to_axis_angle(quaternions: np.ndarray) -> np.ndarray:
    """(angle, axis) (..., 4); the axis is zero where there is no rotation."""
    length = np.linalg.norm(quaternions[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(length, quaternions[..., :1])
    axis = np.divide(
        quaternions[..., 1:], length, out=np.zeros_like(quaternions[..., 1:]), where=length > 1e-9
    )
    return np.concatenate([angle, axis], axis=-1)


# Each rotation takes the value nearest to the one before it. Which value that is depends on the one before only
# through a choice of two (a sign, or which Euler) and a number of full turns. So the steps between neighbours
# are found for all frames at once; composing them, from the start of each run on, is a cumulative operation.
# In what follows N rotations lie run after run, ``starts`` (N,) marks where runs begin, and ``before`` (R, C)
# are the channels on the frame before each of the R runs.


def _follow_quaternions(values: np.ndarray, starts: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(N, 4) each of ``values`` or its opposite."""
    previous = _previous(values, starts, before)
    return np.where(_signs((values * previous).sum(axis=-1), starts)[:, None], -values, values)


def _follow_axis_angles(quaternions: np.ndarray, starts: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(N, 4) axis-angles; where there is no rotation the axis stays as it was."""
    values = _to_axis_angle(quaternions)
    angle, axis = values[:, 0], values[:, 1:]
    none = ~axis.any(axis=-1)
    axis[none & starts] = before[(none & starts)[starts], 1:]
    source = np.maximum.accumulate(np.where(none & ~starts, 0, np.arange(len(axis))))
    axis = axis[source]
    opposite = _signs((axis * _previous(axis, starts, before[:, 1:])).sum(axis=-1), starts)
    angle = np.where(opposite & ~none, -angle, angle)
    turns = _turns(_previous(angle, starts, before[:, 0]) - angle, starts)
    return np.concatenate(
        [(angle + 2 * np.pi * turns)[:, None], np.where(opposite[:, None], -axis, axis)], axis=-1
    )


def _follow_euler(quaternions: np.ndarray, order: str, starts: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(N, 3) one of the two Eulers of each rotation, with full turns added."""
    both = _to_euler(quaternions, order)
    # For each Euler of the frame before (or what was before the run, twice): which one follows, the second?
    previous = _previous(both, starts, before[:, None, :])
    steps = previous[:, :, None] - both[:, None]
    steps -= 2 * np.pi * np.round(steps / (2 * np.pi))
    distance = np.square(steps).sum(axis=-1)
    second = distance[..., 1] < distance[..., 0]
    chosen = _choices(second[:, 0], second[:, 1], starts)
    values = np.where(chosen[:, None], both[:, 1], both[:, 0])
    return values + 2 * np.pi * _turns(_previous(values, starts, before) - values, starts)


_FOLLOW = {QUATERNION: _follow_quaternions, AXIS_ANGLE: _follow_axis_angles}


def _previous(values: np.ndarray, starts: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(N, ...) the value before each one."""
    previous = np.empty_like(values)
    previous[1:] = values[:-1]
    previous[starts] = before
    return previous


def _choices(after_first: np.ndarray, after_second: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(N,) bool from what follows a choice of False, and what follows True; at a start both are the same.

    A step that comes out the same either way settles the choice; any other keeps or swaps it.
    """
    settled = np.maximum.accumulate(np.where((after_first == after_second) | starts, np.arange(len(starts)), 0))
    swaps = np.cumsum(after_first & ~after_second)
    return after_first[settled] ^ ((swaps - swaps[settled]) % 2 == 1)


def _signs(products: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(N,) where to negate, from the scalar product of each value with the one before, neither negated."""
    return _choices(products < 0, np.where(starts, products < 0, products > 0), starts)


def _turns(differences: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(N, ...) how many full turns to add, from the value before minus the value, no turns added to either."""
    turns = np.cumsum(np.round(differences / (2 * np.pi)), axis=0)
    first = np.flatnonzero(starts)
    offsets = np.zeros((len(first), *turns.shape[1:]))
    offsets[1:] = turns[first[1:] - 1]
    return turns - np.repeat(offsets, np.diff(np.append(first, len(starts))), axis=0)
