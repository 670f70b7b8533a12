# SPDX-License-Identifier: GPL-3.0-or-later
"""Splines in tension through known frames: between the cubic spline, which overshoots, and straight lines.

The curve minimises the sum over frames of |x''|^2 + |x'|^2 / scale^2 (Schweikert 1966, discretised): within ``scale``
seconds of what is known it keeps its velocity, further away it goes straight.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solveh_banded
from scipy.sparse import csr_array, diags_array

from engine.motion.windows import conjugate, continuous, exp_around, multiply


def _roughness(frames: int, fps: float, scale: float) -> csr_array:
    """(T, T) matrix of the quadratic form, with two diagonals on either side of the main one."""
    slope = diags_array([-fps, fps], offsets=[0, 1], shape=(frames - 1, frames)) / scale
    bend = diags_array([fps**2, -2.0 * fps**2, fps**2], offsets=[0, 1, 2], shape=(frames - 2, frames))
    return csr_array(slope.T @ slope + bend.T @ bend)


def fill_curves(x: np.ndarray, known: np.ndarray, fps: float, scale: float) -> np.ndarray:
    """Curves (T, C) with frames that are not ``known`` (T,) put on the spline; known ones stay bit-equal.

    Args:
        x: samples; those of unknown frames are ignored.
        known: bool, two frames at least.
        fps: frame rate.
        scale: seconds.
    """
    if known.all():
        return x.copy()
    form = _roughness(len(x), fps, scale)
    unknown = np.flatnonzero(~known)
    inner = form[unknown][:, unknown]
    bands = np.zeros((3, len(unknown)))
    for offset in range(min(3, len(unknown))):
        bands[offset, : len(unknown) - offset] = inner.diagonal(-offset)
    filled = x.copy()
    filled[unknown] = solveh_banded(bands, -(form[unknown][:, known] @ x[known]), lower=True)
    return filled


def fill_rotations(quat: np.ndarray, known: np.ndarray, centre: int, fps: float, scale: float) -> np.ndarray:
    """Unit quaternions WXYZ (T, J, 4) as `fill_curves`, in the log-rotations around the known frame ``centre``.

    Rotations up to a full turn away from the centre are followed, not wrapped, where known frames follow each other
    by less than half a turn. Known frames stay bit-equal.
    """
    pivot = quat[centre]
    away = continuous(multiply(conjugate(pivot), quat[known]))
    sign = np.sign(away[np.count_nonzero(known[:centre]), :, :1])
    away = away * sign
    size = np.linalg.norm(away[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(size, away[..., :1])
    # angle / size tends to 2 where there is no rotation; no quaternion's own rounding comes near that.
    x = np.zeros((*quat.shape[:2], 3))
    x[known] = away[..., 1:] * np.divide(angle, size, out=np.full_like(size, 2.0), where=size > 0)
    curves = fill_curves(x.reshape(len(x), -1), known, fps, scale).reshape(x.shape)
    return np.where(known[:, None, None], quat, exp_around(pivot, curves))
