# SPDX-License-Identifier: GPL-3.0-or-later
"""The temporal half of cleaning: gaps filled and noise removed by what is known of motion in time.

Works on unit quaternions WXYZ (T, J, 4) with a `Dynamics` over their 3 J log-rotations, in windows, so that memory
does not grow with the clip beyond its own arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.fft import dct

from engine.motion.windows import Windows, continuous, exp_around, log_around, mean_rotation
from engine.priors.dynamics import Dynamics, Noise, WienerSmoother, estimate_noise, fill
from engine.tasks.confidence import (
    angle,
    bridge,
    bridge_rotations,
    dropouts,
    flips,
    running_median,
    spike_threshold,
)

WINDOW_SECONDS = 4.0
WINDOWS_AT_ONCE = 16
CORRELATION_SECONDS = 0.17
CORRELATED_EVIDENCE = 3.0  # nats, median over joints, before correlated noise is believed
FILL_DEGREES = 1.0  # measurement noise assumed while filling; less makes the equations stiff, not better
REFINEMENTS = 2

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Gaps:
    """What is known of a clip's samples.

    Attributes:
        known: (T, J) bool, False for spikes and drop-outs.
        spikes, dropouts: (T, J) bool, the two kinds.
        quat: (T, J, 4) the clip with unknown samples filled in.
    """

    known: np.ndarray
    spikes: np.ndarray
    dropouts: np.ndarray
    quat: np.ndarray


def _cover(quat: np.ndarray, fps: float) -> Windows:
    return Windows.cover(len(quat), round(WINDOW_SECONDS * fps))


def _blend(quat: np.ndarray, cover: Windows, solve: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Run ``solve(x (B, W, D), starts) -> (B, W, D)`` on log-rotations of all windows and blend the results."""
    joints = quat.shape[1]
    total = np.zeros_like(quat)
    for starts in cover.batches(WINDOWS_AT_ONCE):
        window = cover.cut(quat, starts)
        reference = mean_rotation(window)[:, None]
        x = log_around(reference, window).reshape(len(starts), cover.length, 3 * joints)
        result = exp_around(reference, solve(x, starts).reshape(*window.shape[:3], 3))
        result *= np.where(np.sum(result * window, axis=-1, keepdims=True) < 0, -1.0, 1.0)
        cover.add(total, result, starts)
    return total / np.linalg.norm(total, axis=-1, keepdims=True)


def fill_gaps(quat: np.ndarray, known: np.ndarray, dynamics: Dynamics, fps: float) -> np.ndarray:
    """The clip (T, J, 4) with samples that are not ``known`` (T, J) put where the motion most probably was.

    Known samples come back as they were. The most probable smooth motion misses the known samples by a little; that
    miss is carried across each gap on a straight line, so that there is no step at its ends.
    """
    if known.all():
        return quat
    start = bridge_rotations(continuous(quat), known)
    start = continuous(start)
    cover = _cover(quat, fps)
    variance = np.full(dynamics.size, np.deg2rad(FILL_DEGREES) ** 2)

    def solve(x: np.ndarray, starts: np.ndarray) -> np.ndarray:
        weight = np.repeat(cover.cut(known, starts), 3, axis=-1).astype(float)
        if weight.all():
            return x
        return fill(x, weight, dynamics, variance, fps)

    smooth = _blend(start, cover, solve)
    miss = bridge(log_around(smooth, start), known)
    return np.where(known[..., None], start, exp_around(smooth, miss))


def find_gaps(quat: np.ndarray, dynamics: Dynamics, fps: float, report: Advance | None = None) -> Gaps:
    """Find spikes and drop-outs in a clip (T, J, 4) and fill them."""
    lost = dropouts(quat, fps)
    deviation = angle(running_median(quat, fps), quat)
    threshold = spike_threshold(deviation)
    spikes = (deviation > threshold) & ~lost
    filled = quat
    for _ in range(REFINEMENTS):
        known = ~(spikes | lost)
        # A joint without any measurement left is taken as it is.
        known |= ~known.any(axis=0)
        filled = fill_gaps(quat, known, dynamics, fps)
        spikes = flips(log_around(filled, quat), threshold) & ~lost
    known = ~(spikes | lost)
    known |= ~known.any(axis=0)
    filled = fill_gaps(quat, known, dynamics, fps)
    return Gaps(known, spikes & ~known, lost & ~known, filled)


def measure_noise(quat: np.ndarray, dynamics: Dynamics, fps: float) -> Noise:
    """Noise of a clip (T, J, 4) per log-rotation coordinate, by maximum likelihood under the dynamics."""
    cover = _cover(quat, fps)
    size = dynamics.size
    if cover.length < 8:
        return Noise(np.zeros(size), np.zeros(size), CORRELATION_SECONDS)
    power = np.zeros((cover.length, size))
    for starts in cover.batches(WINDOWS_AT_ONCE):
        window = cover.cut(quat, starts)
        x = log_around(mean_rotation(window)[:, None], window).reshape(len(starts), cover.length, size)
        power += np.sum(dct(x, axis=1, norm="ortho") ** 2, axis=0)
    samples = len(quat) / cover.length
    noise, gained = estimate_noise(power / len(cover.starts), samples, dynamics, cover.length, fps, CORRELATION_SECONDS)
    if np.median(gained) < CORRELATED_EVIDENCE:
        white, _ = estimate_noise(power / len(cover.starts), samples, dynamics, cover.length, fps, 0.0)
        return white
    return noise


def smooth(quat: np.ndarray, dynamics: Dynamics, noise: Noise, fps: float) -> np.ndarray:
    """The clip (T, J, 4) with that much noise taken out, in the mean square sense as well as can be."""
    cover = _cover(quat, fps)
    smoother = WienerSmoother(dynamics, noise, cover.length, fps)
    return _blend(continuous(quat), cover, lambda x, _: smoother.smooth(x))
