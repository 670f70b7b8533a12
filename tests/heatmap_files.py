# SPDX-License-Identifier: GPL-3.0-or-later
"""Heatmaps as a detector would have them of known points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

WIDE = 2.0  # cells
CELL = 10.0  # pixels, of `two_minded`


def rendered(cells: np.ndarray, height: int, width: int, wide: float = WIDE) -> np.ndarray:
    """(..., H, W) Gaussians of peak 1 about points (..., 2), across and down in cells."""
    down, across = np.mgrid[:height, :width] + 0.5
    away = (across - cells[..., 0, None, None]) ** 2 + (down - cells[..., 1, None, None]) ** 2
    return np.exp(-0.5 * away / wide**2)


def two_minded(
    path: Path, pixels: np.ndarray, joint: int, aside: tuple[float, float], lower: float = 2.0 / 3.0, **more: Any
) -> Path:
    """A file of heatmaps about pixels (T, J, 2) of images of 1280 x 720.

    A joint has a second mode ``aside`` pixels to the right and down, ``lower`` as high as the first.
    """
    cells = pixels / CELL
    height, width = round(720 / CELL), round(1280 / CELL)
    maps = rendered(cells, height, width)
    maps[:, joint] += lower * rendered(cells[:, joint] + np.array(aside) / CELL, height, width)
    np.savez(path, heatmaps=maps.astype("f2"), size=(1280, 720), **more)
    return path
