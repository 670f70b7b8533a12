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

from engine.motion.windows import Windows, continuous, exp_around, log_around, vectors
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
MAD_TO_DEVIATION = 1.4826  # of a Gaussian
BOUND_MARGIN = 1.5  # on the variance: the median of one short window is uncertain
SHORTEST_MEASURE = 12  # frames; fewer say nothing about noise
CLEAN_LEVEL = 6  # index of the noise level up to which a clip counts as clean
ACTIVITIES = np.geomspace(0.1, 10.0, 9)
ROTATION_LEVELS = np.deg2rad(np.concatenate([[0.0], np.geomspace(0.05, 20.0, 32)]))
POSITION_LEVELS = np.concatenate([[0.0], np.geomspace(0.0002, 0.1, 32)])
CORRELATED_BAND = (0.8, 8.0)  # Hz, where correlated noise has most of its power
QUIET_SHARE, QUIET_QUANTILE = 0.25, 0.1
"""Noise lies on all axes of a joint alike. If one in ten joints has an axis that is quieter than so much of the noise
it is said to carry, what was taken for noise is motion."""
CORRELATED_EVIDENCE = 3.0  # nats, median over joints, before correlated noise is believed
FILL_DEGREES = 1.0  # measurement noise assumed while filling; less makes the equations stiff, not better
REFINEMENTS = 2
CHUNK_SECONDS = 60.0  # searched for gaps at a time
CONTEXT_SECONDS = 4.0  # seen on either side of it
SMOOTHED_SHARE = 0.2
GAP_DRIFT, GAP_LIMIT = np.deg2rad(20.0), np.deg2rad(15.0)  # per second, and at most

Advance = Callable[[float], None]
"""Told the share done, from 0 to 1; may raise `Cancelled`."""


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


def _blend(
    clip: np.ndarray, cover: Windows, solve: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Run ``solve(x (B, W, 3 J), starts) -> (B, W, 3 J)`` on all windows of a clip (T, J, 4 or 3) and blend them."""
    total = np.zeros_like(clip)
    for starts in cover.batches(WINDOWS_AT_ONCE):
        window = cover.cut(clip, starts)
        x, mean = vectors(window)
        result = solve(x, starts).reshape(*window.shape[:3], 3)
        if clip.shape[-1] == 4:
            result = exp_around(mean, result)
            result *= np.where(np.sum(result * window, axis=-1, keepdims=True) < 0, -1.0, 1.0)
        else:
            result = result + mean
        cover.add(total, result, starts)
    if clip.shape[-1] == 4:
        return total / np.linalg.norm(total, axis=-1, keepdims=True)
    return total / cover.weight()[:, None, None]


def fill_gaps(quat: np.ndarray, known: np.ndarray, dynamics: Dynamics, fps: float) -> np.ndarray:
    """A clip (T, J, 4) with samples that are not ``known`` (T, J) put where the motion most probably was.

    Known samples come back as they were. The most probable smooth motion misses the known samples by a little; that
    miss is carried across each gap on a straight line, so that there is no step at its ends.
    """
    if known.all():
        return quat
    start = continuous(bridge_rotations(continuous(quat), known))
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


def find_gaps(quat: np.ndarray, dynamics: Dynamics, fps: float, advance: Advance | None = None) -> Gaps:
    """Find spikes and drop-outs in a clip (T, J, 4) and fill them, a minute at a time."""
    frames = len(quat)
    known, spikes, lost = (
        np.ones(quat.shape[:2], bool),
        np.zeros(quat.shape[:2], bool),
        np.zeros(quat.shape[:2], bool),
    )
    filled = quat
    size, context = max(1, round(CHUNK_SECONDS * fps)), round(CONTEXT_SECONDS * fps)
    for begin in range(0, frames, size):
        end = min(begin + size, frames)
        outer = slice(max(0, begin - context), min(frames, end + context))
        found = _find_gaps(quat[outer], dynamics, fps)
        inner = slice(begin - outer.start, end - outer.start)
        known[begin:end], spikes[begin:end], lost[begin:end] = (
            array[inner] for array in (found.known, found.spikes, found.dropouts)
        )
        if not known[begin:end].all():
            filled = quat.copy() if filled is quat else filled
            filled[begin:end] = found.quat[inner]
        if advance:
            advance(end / frames)
    return Gaps(known, spikes, lost, filled)


def _find_gaps(quat: np.ndarray, dynamics: Dynamics, fps: float) -> Gaps:
    lost = dropouts(quat, fps)
    deviation = angle(running_median(quat, fps), quat)
    threshold = spike_threshold(deviation)
    spikes = (deviation > threshold) & ~lost
    for _ in range(REFINEMENTS):
        filled = fill_gaps(quat, _known(spikes | lost), dynamics, fps)
        spikes = flips(log_around(filled, quat), threshold) & ~lost
    known = _known(spikes | lost)
    return Gaps(known, spikes & ~known, lost & ~known, fill_gaps(quat, known, dynamics, fps))


def regapped(quat: np.ndarray, gaps: Gaps, damaged: np.ndarray, dynamics: Dynamics, fps: float) -> Gaps:
    """The gaps of a clip (T, J, 4) when the samples ``damaged`` (T, J) are its gaps, whatever was found before."""
    known = _known(damaged)
    if (known == gaps.known).all():
        return gaps
    spikes = gaps.spikes & ~known
    return Gaps(known, spikes, ~known & ~spikes, fill_gaps(quat, known, dynamics, fps))


def _known(rejected: np.ndarray) -> np.ndarray:
    """What is left when samples (T, J) are rejected; a joint without any measurement left is taken as it is."""
    return ~rejected | rejected.all(axis=0)


def _white_bound(x: np.ndarray) -> np.ndarray:
    """(B, D) variance that white noise in windows (B, W, D) can have at most, deaf to the odd outlier.

    From the median absolute third difference, to which motion adds and from which nothing subtracts; of a joint's
    three coordinates together.
    """
    size = np.median(np.abs(np.diff(x, n=3, axis=1)), axis=1) * MAD_TO_DEVIATION / np.sqrt(20.0)
    joint = np.mean(size.reshape(len(x), -1, 3) ** 2, axis=2)
    return BOUND_MARGIN * np.repeat(joint, 3, axis=1)


def measure_noise(
    x: np.ndarray, dynamics: Dynamics, fps: float, levels: np.ndarray, advance: Advance | None = None
) -> tuple[Noise, Dynamics]:
    """Noise per coordinate of a clip by maximum likelihood, and the dynamics made as lively as the clip.

    Correlated noise must earn its place, since an unusually lively motion resembles it. In a clip that is clean as a
    whole, what every capture carries is not called noise.

    Args:
        x: unit quaternions (T, J, 4), or vectors (T, J, 3).
        dynamics: spectra of the 3 J coordinates.
        fps: frame rate.
        levels: ascending standard deviations to choose from, 0 first (`ROTATION_LEVELS`, `POSITION_LEVELS`).
        advance: told the share done.
    """
    cover = _cover(x, fps)
    size = dynamics.size
    none = np.zeros(size)
    if cover.length < SHORTEST_MEASURE:
        return Noise(none, none, 0.0), dynamics
    power, bound = np.zeros((cover.length, size)), np.zeros(size)
    hertz = np.arange(cover.length) * fps / (2.0 * cover.length)
    band = (hertz > CORRELATED_BAND[0]) & (hertz < CORRELATED_BAND[1])
    axes = np.zeros((size // 3, 3, 3))
    for starts in cover.batches(WINDOWS_AT_ONCE):
        v = vectors(cover.cut(x, starts))[0]
        coefficients = dct(v, axis=1, norm="ortho")
        power += np.sum(coefficients**2, axis=0)
        own = coefficients[:, band].reshape(-1, size // 3, 3)
        axes += np.einsum("nja,njb->jab", own, own) / max(1, band.sum())
        bound += np.sum(_white_bound(v), axis=0)
        if advance:
            advance(float(starts[-1] + cover.length) / len(x))
    power, bound = power / len(cover.starts), bound / len(cover.starts)

    def estimate(seconds: float, activities: np.ndarray) -> tuple[Noise, float, np.ndarray]:
        samples = len(x) / cover.length
        return estimate_noise(power, samples, dynamics, cover.length, fps, seconds, levels, activities)

    noise, activity, _ = estimate(0.0, ACTIVITIES)
    # Whether noise is correlated is decided at the liveliness found without it: left free, a calm body under
    # correlated noise explains any motion. One joint alone cannot tell.
    if size > 3:
        _, _, gained = estimate(CORRELATION_SECONDS, np.array([activity]))
        if np.median(gained) >= CORRELATED_EVIDENCE:
            correlated, lively, _ = estimate(CORRELATION_SECONDS, ACTIVITIES)
            claimed = correlated.spectrum(cover.length, fps)[band].mean(axis=0)[::3]
            quietest = np.linalg.eigvalsh(axes / len(cover.starts))[:, 0]
            share = (quietest / np.maximum(claimed, 1e-12))[claimed > 0]
            if len(share) and np.quantile(share, QUIET_QUANTILE) >= QUIET_SHARE:
                return correlated, dynamics.scaled(lively)
    white = np.minimum(noise.white, bound)
    if np.median(white) <= levels[CLEAN_LEVEL] ** 2:
        white = np.maximum(white - dynamics.floor, 0.0)
    return Noise(white, none, 0.0), dynamics.scaled(activity)


def smooth(
    x: np.ndarray, dynamics: Dynamics, noise: Noise, fps: float, advance: Advance | None = None
) -> np.ndarray:
    """A clip of unit quaternions (T, J, 4) or vectors (T, J, 3) with that much noise taken out.

    The least mean square error that second-order statistics allow. Without noise the clip comes back as it is.
    """
    if not noise.total.any() or len(x) < 3:
        return x
    cover = _cover(x, fps)
    smoother = WienerSmoother(dynamics, noise, cover.length, fps)

    def solve(v: np.ndarray, starts: np.ndarray) -> np.ndarray:
        if advance:
            advance(float(starts[-1] + cover.length) / len(x))
        return smoother.smooth(v)

    return _blend(continuous(x) if x.shape[-1] == 4 else x, cover, solve)


def smoothed_deviation(frames: int, dynamics: Dynamics, noise: Noise, fps: float) -> np.ndarray:
    """(J,) standard deviation per axis of what `smooth` leaves unknown, mean over a clip; 0 without noise."""
    joints = dynamics.size // 3
    if not noise.total.any():
        return np.zeros(joints)
    window = min(frames, round(WINDOW_SECONDS * fps))
    left = WienerSmoother(dynamics, noise, window, fps).posterior_variance
    # The window's mean is not smoothed: it keeps its share of the noise.
    left = left + noise.spectrum(window, fps)[0] / window
    return np.sqrt(left.reshape(joints, 3).mean(axis=1))


def gap_seconds(known: np.ndarray, fps: float) -> np.ndarray:
    """(T, J) seconds from each frame to the nearest one in which the joint is known; inf where there is none."""
    time = np.arange(len(known))[:, None]
    before = np.maximum.accumulate(np.where(known, time, -np.inf), axis=0)
    after = np.minimum.accumulate(np.where(known, time, np.inf)[::-1], axis=0)[::-1]
    return np.minimum(time - before, after - time) / fps


def pose_variance(known: np.ndarray, left: np.ndarray, fps: float) -> np.ndarray:
    """(T, J) variance per axis of a smoothed body as the pose prior is told it, in radians squared.

    In a gap the uncertainty grows with the distance to the nearest known sample. Of the uncertainty that smoothing
    leaves, only a share counts: on the validation split a pose network knows less than time does.

    Args:
        known: (T, J) bool.
        left: (J,) as `smoothed_deviation` gives it.
        fps: frame rate.
    """
    drift = np.minimum(GAP_DRIFT * gap_seconds(known, fps), GAP_LIMIT)
    return SMOOTHED_SHARE * np.broadcast_to(left**2, known.shape) + drift**2
