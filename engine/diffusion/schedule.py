# SPDX-License-Identifier: GPL-3.0-or-later
"""Diffusion times of an optimisation or a sampler, as 1-D float64 grids from first step to last."""

from __future__ import annotations

import numpy as np


def truncated(steps: int, t_max: float, t_min: float) -> np.ndarray:
    """Truncated annealed times, (steps,): t_max falling linearly to t_min (DPoser eq. 13).

    A single step gets t_max.
    """
    return np.linspace(t_max, t_min, steps)
