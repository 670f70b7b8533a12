# SPDX-License-Identifier: GPL-3.0-or-later
"""Diffusion times of an optimisation or a sampler, as 1-D float64 grids from first step to last."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def uniform(steps: int, start: float, stop: float) -> np.ndarray:
    """Grid (steps + 1,) for ``integrate``: equal steps from ``start`` to ``stop``, falling or bent."""
    return np.linspace(start, stop, steps + 1)


def bent(steps: int, start: float, stop: float, bend: float) -> np.ndarray:
    """Grid (steps + 1,) for ``integrate`` whose steps shrink towards ``stop``: t - stop goes as u^bend, u from 1 to 0.

    Poses take their shape at small t (DPoser sec. 4.3), so that is where few steps are best spent.
    """
    return stop + (start - stop) * np.linspace(1.0, 0.0, steps + 1) ** bend


def truncated(steps: int, t_max: float, t_min: float) -> np.ndarray:
    """Truncated annealed times, (steps,): t_max falling linearly to t_min (DPoser eq. 13).

    A single step gets t_max.
    """
    return np.linspace(t_max, t_min, steps)


def random(steps: int, t_max: float, t_min: float, seed: int = 0) -> np.ndarray:
    """Uniform random times in [t_min, t_max], (steps,) (DPoser Tab. 5, "Random"; score distillation)."""
    return np.random.default_rng(seed).uniform(t_min, t_max, steps)


def fixed(steps: int, t_max: float, t_min: float) -> np.ndarray:
    """The same time at every step, (steps,): t_max; t_min is not used (DPoser Tab. 5, "Fixed"; BUDDI)."""
    return np.full(steps, t_max)


SCHEDULES: dict[str, Callable[[int, float, float], np.ndarray]] = {
    "random": random,
    "fixed": fixed,
    "full": truncated,
    "truncated": truncated,
}
"""The strategies of DPoser's Table 5, all ``(steps, t_max, t_min)``: full annealed is truncated with t_max = 1."""

TABLE_5_RANGES: dict[str, tuple[float, float]] = {
    "random": (1.0, 0.001),
    "fixed": (0.1, 0.1),
    "full": (1.0, 0.001),
}
"""(t_max, t_min) of the strategies other than truncated, whose range belongs to each task."""
