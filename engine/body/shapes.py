# SPDX-License-Identifier: GPL-3.0-or-later
"""Rest offsets of many body shapes at once."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from engine.body.bundled import bundled

BETAS = 10


@lru_cache(maxsize=1)
def _basis() -> tuple[np.ndarray, np.ndarray]:
    """Offsets (22, 3) of the mean shape and their derivative (10, 22, 3) by the shape coefficients.

    SMPL's joints are a linear regression of vertices that are linear in the coefficients (Loper et al. 2015, eq. 8
    and 10), so differences of unit steps are the derivative.
    """
    mean = bundled().offsets
    return mean, np.stack([bundled(unit).offsets - mean for unit in np.eye(BETAS)])


def offsets_of(betas: np.ndarray) -> np.ndarray:
    """Rest offsets (N, 22, 3) float64 in metres of the bundled body's shapes (N, 10); see `engine.body.bundled`."""
    mean, slopes = _basis()
    return mean + np.tensordot(betas, slopes, axes=1)
