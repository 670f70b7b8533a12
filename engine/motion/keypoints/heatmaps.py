# SPDX-License-Identifier: GPL-3.0-or-later
"""What a detector's heatmaps say of where a joint is: its likeliest place, and places drawn in proportion to them.

A heatmap's value holds for all of its cell, so that its density is constant there. Places are in cells, across and down
from the map's corner.
"""

from __future__ import annotations

from itertools import product

import numpy as np

FAINT = 0.01
"""Of a heatmap's largest value, what is taken for the network's noise: over a whole map even little adds up."""
SMOOTHED = 1.0
"""Cells by which heatmaps are smoothed to tell modes apart: what lies closer is one, and noise on a slope is none."""


def peaks(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Heatmaps (..., H, W) in shares of their largest value, 0 where that is `FAINT`; and that value (...)."""
    largest = maps.max(axis=(-2, -1))
    shares = maps / np.where(largest > 0, largest, 1.0)[..., None, None]
    return np.where(shares < FAINT, 0.0, shares), largest


def strongest_mode(shares: np.ndarray) -> np.ndarray:
    """(N, H, W) bool: the cells of heatmaps from which the way steepest upwards leads to the highest place."""
    from scipy.ndimage import gaussian_filter  # the engine starts without it

    count, height, width = shares.shape
    smooth = gaussian_filter(shares, (0.0, SMOOTHED, SMOOTHED), mode="constant")
    framed = np.pad(smooth, ((0, 0), (1, 1), (1, 1)), constant_values=-1.0)
    cells = np.arange(height * width).reshape(height, width)
    highest, upwards = np.full(smooth.shape, -1.0, smooth.dtype), np.zeros(smooth.shape, np.int32)
    # In the order of cells, so that on a plateau all ways lead to one end of it.
    for down, across in product((-1, 0, 1), repeat=2):
        there = framed[:, 1 + down : 1 + down + height, 1 + across : 1 + across + width]
        higher = there > highest
        upwards = np.where(higher, (cells + down * width + across).astype(np.int32), upwards)
        highest = np.maximum(highest, there)
    ends = upwards.reshape(count, -1)
    while not np.array_equal(further := np.take_along_axis(ends, ends, axis=1), ends):
        ends = further
    top = np.take_along_axis(ends, smooth.reshape(count, -1).argmax(axis=1)[:, None], axis=1)
    return (ends == top).reshape(shares.shape)


def moments(shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (N, 2) of densities (N, H, W), across and down, in cells; a cell's own variance counts."""
    mass = np.maximum(shares.sum(axis=(1, 2), dtype=np.float64), 1e-12)
    mean, variance = np.zeros((len(shares), 2)), np.zeros((len(shares), 2))
    for place, other in ((0, 1), (1, 2)):
        line = shares.sum(axis=other, dtype=np.float64) / mass[:, None]
        middles = np.arange(line.shape[1]) + 0.5
        mean[:, place] = line @ middles
        variance[:, place] = (line * np.square(middles - mean[:, place, None])).sum(axis=1) + 1.0 / 12.0
    return mean, variance


def drawn(shares: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Places (N, 2) distributed as a density (H, W) that is not zero everywhere, across and down, in cells.

    The first number of each pair chooses how far down by what lies above, the second how far across by what lies to the
    left (the inverse of Rosenblatt's transform, 1952): where heatmaps go on from frame to frame, so do places that are
    drawn by the same numbers.

    Args:
        shares: not negative, of any sum.
        uniform: (N, 2) from 0 to 1, without 1.
    """
    width = shares.shape[1]
    upto = np.cumsum(shares, dtype=np.float64)
    rows = upto[width - 1 :: width]
    down, row, begin = _among(rows, uniform[:, 0] * rows[-1])
    mass = rows[row] - begin
    across, cell, _ = _among(upto, np.minimum(begin + uniform[:, 1] * mass, np.nextafter(rows[row], 0.0)))
    return np.stack([cell - row * width + across, row + down], axis=1)


def _among(upto: np.ndarray, aim: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far into which steps of a running sum numbers fall, and what is before those; never into empty steps."""
    aim = np.minimum(aim, np.nextafter(upto[-1], 0.0))
    step = np.searchsorted(upto, aim, side="right")
    begin = np.where(step > 0, upto[step - 1], 0.0)
    return (aim - begin) / (upto[step] - begin), step, begin
