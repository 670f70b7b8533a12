# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves through doubtful samples: what is known of each sample, against how fast velocities change."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solveh_banded

ROBUST_ROUNDS = 4
FREEDOM = 4.0
"""Degrees of freedom of the Student distribution that samples' errors have: few, so an outlier hardly counts."""
_LEAST = 1e-9  # precision, relative to the clip's, of what nothing is known of: a singular system has no solution


def smoothing_spline(values: np.ndarray, deviation: np.ndarray, roughness: float, fps: float) -> np.ndarray:
    """The most probable curves (T, K) through samples, the velocity being a random walk (Wahba 1978).

    A spline that is cubic where nothing is known, so gaps are bridged and the ends go on straight. Errors of samples
    have heavy tails (iterated weights of Student's distribution; Lange et al. 1989).

    Args:
        values: (T, K); what has an infinite deviation is ignored.
        deviation: (T, K) standard deviation of each sample, positive.
        roughness: variance that a velocity gains in a second, in units^2 / s^3.
        fps: frames per second.

    Raises:
        ValueError: a curve has no sample.
    """
    known = np.isfinite(deviation)
    if not known.any(axis=0).all():
        raise ValueError("A curve without a sample cannot be smoothed.")
    if len(values) < 3:
        return np.where(known, values, np.nan_to_num(np.nanmean(np.where(known, values, np.nan), axis=0)))
    frames, bends = len(values), _bends(len(values)) * fps**3 / roughness
    result = np.empty(values.shape)
    for column in range(values.shape[1]):
        told = known[:, column]
        y = np.where(told, values[:, column], 0.0)
        start = float(np.median(y[told]))
        precision = np.where(told, 1.0 / np.square(np.where(told, deviation[:, column], 1.0)), 0.0)
        base = precision + _LEAST * precision.max()
        weight = np.ones(frames)
        for _ in range(ROBUST_ROUNDS):
            bands = bends.copy()
            bands[0] += weight * base
            x = start + solveh_banded(bands, weight * precision * (y - start), lower=True)
            weight = np.where(told, (FREEDOM + 1.0) / (FREEDOM + precision * np.square(y - x)), 1.0)
        result[:, column] = x
    return result


def _bends(frames: int) -> np.ndarray:
    """(3, T) lower bands of D'D, D taking second differences."""
    bands = np.zeros((3, frames))
    for place, share in enumerate((1.0, 4.0, 1.0)):
        bands[0, place : place + frames - 2] += share
    bands[1, : frames - 2] -= 2.0
    bands[1, 1 : frames - 1] -= 2.0
    bands[2, : frames - 2] = 1.0
    return bands
