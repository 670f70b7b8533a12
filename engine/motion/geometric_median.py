# SPDX-License-Identifier: GPL-3.0-or-later
"""Running geometric median: a median of vectors, which rejects spikes whatever axes they are written in."""

from __future__ import annotations

import numpy as np

_ITERATIONS = 10
_SOFTNESS = 0.1  # of the mean distance in the window: nearer samples pull less, so that the median is smooth
_BLOCK_BYTES = 32 << 20


def geometric_median(values: np.ndarray, reach: int, antipodal: bool = False) -> np.ndarray:
    """Geometric median of each frame and its neighbours.

    The point with the least sum of distances to the samples of the window, distances being softened near
    zero, by Weiszfeld's iteration from the best of the samples (Astola, Haavisto and Neuvo, Vector median
    filters, 1990). Unlike the median of each component it does not depend on the axes. Towards the ends of the
    clip the windows shrink to three frames, so that a moving end is not dragged inwards.

    Args:
        values: (T, J, D) samples.
        reach: neighbours on each side.
        antipodal: a vector and its negative are the same sample, as for quaternions; the result has any sign.

    Returns:
        (T, J, D); of unit samples, the result is not a unit vector.
    """
    frames, joints, size = values.shape
    if frames < 3 or reach < 1:
        return values.copy()
    reach = min(reach, (frames - 1) // 2)
    width = 2 * reach + 1
    centre = np.clip(np.arange(frames), 1, frames - 2)
    half = np.minimum(reach, np.minimum(centre, frames - 1 - centre))
    steps = np.arange(-reach, reach + 1)
    block = max(1, _BLOCK_BYTES // (8 * max(joints, 1) * width * (width + size)))
    result = np.empty_like(values)
    for start in range(0, frames, block):
        part = slice(start, start + block)
        inside = np.abs(steps) <= half[part, None]
        indices = np.where(inside, centre[part, None] + steps, centre[part, None])
        samples = values[indices].transpose(0, 2, 1, 3)
        # Antipodal samples are of unit length; others may be far from the origin, where products lose digits.
        origin = np.zeros_like(samples[:, :, :1]) if antipodal else samples[:, :, reach : reach + 1]
        result[part] = _median(samples - origin, inside[:, None], antipodal) + origin[:, :, 0]
    return result


def _median(samples: np.ndarray, inside: np.ndarray, antipodal: bool) -> np.ndarray:
    """Medians (B, J, D) of samples (B, J, W, D) where `inside` (B, 1, W)."""
    products = samples @ samples.swapaxes(-1, -2)
    squares = np.einsum("bjww->bjw", products)
    if antipodal:
        products = np.abs(products)
    between = np.sqrt(np.maximum(squares[..., None] + squares[..., None, :] - 2.0 * products, 0.0))
    cost = np.where(inside, (between * inside[..., None, :]).sum(axis=-1), np.inf)
    best = np.argmin(cost, axis=-1)[..., None]
    median = np.take_along_axis(samples, best[..., None], axis=-2)
    if antipodal:
        samples = samples * np.where(np.sum(samples * median, axis=-1, keepdims=True) < 0.0, -1.0, 1.0)
    mean_distance = np.take_along_axis(cost, best, axis=-1) / inside.sum(axis=-1, keepdims=True)
    soft = np.maximum(_SOFTNESS * mean_distance, 1e-12) ** 2
    for _ in range(_ITERATIONS):
        weight = inside / np.sqrt(np.sum((samples - median) ** 2, axis=-1) + soft)
        median = (weight[..., None, :] @ samples) / weight.sum(axis=-1)[..., None, None]
    return median[..., 0, :]
