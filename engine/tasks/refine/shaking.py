# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a path shakes."""

from __future__ import annotations

import numpy as np

_OF_MEDIAN = 1.4826  # standard deviation of normal numbers whose absolute values have a median of 1


def shaking(path: np.ndarray) -> np.ndarray:
    """(K,) standard deviations of what is white noise in curves (T, K), by the median of their second differences.

    Those of a motion at a usual frame rate are millimetres, so that all but a few frames may bend as they will.
    """
    if len(path) < 3:
        return np.zeros(path.shape[1])
    bends = np.abs(np.diff(path, 2, axis=0))
    return _OF_MEDIAN * np.median(bends, axis=0) / np.sqrt(6.0)
