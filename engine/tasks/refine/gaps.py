# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames on which no camera saw anything, among frames that cameras corrected."""

from __future__ import annotations

import numpy as np

LASTS, ENDS = 0.25, 1.0
"""Seconds that a correction stays where nothing confirms it, and after which nothing of it is left."""


def carried(change: np.ndarray, seen: np.ndarray, fps: float) -> np.ndarray:
    """Corrections (T, K) where nothing was seen: from those on one side of a gap to those on the other.

    They fade away with the time to the next frame that was seen, so that a motion nobody watched stays as it was.

    Args:
        change: (T, K), of which those of frames that were not seen are ignored.
        seen: (T,) bool, some of them.
        fps: frames per second.
    """
    time, known = np.arange(len(seen)), np.flatnonzero(seen)
    filled = np.stack([np.interp(time, known, column[known]) for column in change.T], axis=1)
    after = np.searchsorted(known, time).clip(max=len(known) - 1)
    nearest = np.minimum(np.abs(known[after] - time), np.abs(time - known[np.maximum(after - 1, 0)]))
    apart = nearest / fps
    left = np.clip((ENDS - apart) / (ENDS - LASTS), 0.0, 1.0)
    return filled * (left * left * (3.0 - 2.0 * left))[:, None]
