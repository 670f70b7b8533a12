# SPDX-License-Identifier: GPL-3.0-or-later
"""Heatmaps as a detector would have them of known points."""

from __future__ import annotations

import numpy as np

WIDE = 2.0  # cells


def rendered(cells: np.ndarray, height: int, width: int, wide: float = WIDE) -> np.ndarray:
    """(..., H, W) Gaussians of peak 1 about points (..., 2), across and down in cells."""
    down, across = np.mgrid[:height, :width] + 0.5
    away = (across - cells[..., 0, None, None]) ** 2 + (down - cells[..., 1, None, None]) ** 2
    return np.exp(-0.5 * away / wide**2)
