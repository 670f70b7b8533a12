# SPDX-License-Identifier: GPL-3.0-or-later
"""Euler angles of animation channels: any order of one to three axes, continuous in time."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.spatial.transform import Rotation

AXES = "XYZ"


def to_quaternions(degrees: np.ndarray, order: str) -> np.ndarray:
    """Rotations of Euler channels.

    Args:
        degrees: (..., K) angles, K = len(order), in the order of the channels.
        order: one to three different letters of XYZ; the first channel's axis turns last (intrinsic, as in BVH).

    Returns:
        (..., 4) unit quaternions WXYZ.
    """
    flat = np.ascontiguousarray(degrees, dtype=np.float64).reshape(-1, len(order))
    quats = Rotation.from_euler(order, flat, degrees=True).as_quat()
    return np.roll(quats, 1, axis=-1).reshape(*degrees.shape[:-1], 4)


def to_degrees(quats: np.ndarray, order: str) -> np.ndarray:
    """Euler angles of rotations; the inverse of `to_quaternions` for three axes.

    With fewer axes not every rotation can be told: the angles about the missing axes, which turn first, are left out.

    Args:
        quats: (..., 4) unit quaternions WXYZ.
        order: one to three different letters of XYZ.

    Returns:
        (..., len(order)) angles in degrees, the middle one within 90 degrees of zero.
    """
    full = order + "".join(axis for axis in AXES if axis not in order)
    rotations = Rotation.from_quat(np.roll(quats, -1, axis=-1).reshape(-1, 4))
    with warnings.catch_warnings():
        # Gimbal lock: scipy sets the third angle to zero and says so; the rotation is still the same.
        warnings.simplefilter("ignore", UserWarning)
        degrees = rotations.as_euler(full, degrees=True)
    return degrees[:, : len(order)].reshape(*quats.shape[:-1], len(order))


def continue_from(known: np.ndarray, wanted: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """Replace the changed frames of Euler channels by the equal angles that continue their neighbours.

    Every rotation has two triples of angles, each up to whole turns. Which of them continues the frame before is
    the same question for either choice there, so the choices of a run are a running parity and need no loop.

    Args:
        known: (T, J, K) the channels so far, in degrees; unchanged frames keep these values exactly.
        wanted: (T, J, K) angles in degrees as `to_degrees` gives them.
        changed: (T, J) bool.

    Returns:
        (T, J, K) degrees.
    """
    result = np.where(changed[..., None], wanted, known)
    previous = np.concatenate([known[:1], result[:-1]])
    if result.shape[-1] == 3:
        flips = _distance(_other(result), previous) < _distance(result, previous)
        odd = _since_unchanged(flips.astype(np.int64), changed) % 2 == 1
        result = np.where((odd & changed)[..., None], _other(result), result)
        previous = np.concatenate([known[:1], result[:-1]])
    turns = -np.round((result - previous) / 360.0)
    return result + 360.0 * np.where(changed[..., None], _since_unchanged(turns, changed[..., None]), 0.0)


def _other(degrees: np.ndarray) -> np.ndarray:
    """The other triple of the same rotation."""
    first, second, third = np.moveaxis(degrees, -1, 0)
    return np.stack([first + 180.0, 180.0 - second, third + 180.0], axis=-1)


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Largest difference over the channels, whole turns aside."""
    difference = a - b
    return np.abs(difference - 360.0 * np.round(difference / 360.0)).max(axis=-1)


def _since_unchanged(steps: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """Running sum over frames that starts again after each unchanged frame; `steps` (T, ...), `changed` alike."""
    total = np.cumsum(np.where(changed, steps, 0), axis=0)
    frames = np.arange(len(steps)).reshape(-1, *[1] * (steps.ndim - 1))
    last = np.maximum.accumulate(np.where(changed, -1, frames), axis=0)
    start = np.take_along_axis(total, np.broadcast_to(np.maximum(last, 0), total.shape), axis=0)
    return total - np.where(last >= 0, start, 0)
