# SPDX-License-Identifier: GPL-3.0-or-later
"""Least squares over a path of bodies that shall change smoothly: Levenberg and Marquardt's method, banded in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import LinAlgError, solveh_banded
from torch import Tensor

from engine.tasks.fit.levenberg import Damping, Linearise


@dataclass(frozen=True)
class Bending:
    """What the second differences of the change of a path cost.

    Attributes:
        weight: of their squares.
        before, after: (0 to 2, D) the change on the frames next to the path, which hold still.
    """

    weight: float
    before: Tensor
    after: Tensor


def minimise_path(
    linearise: Linearise,
    x: Tensor,
    start: Tensor,
    centre: Tensor,
    precision: Tensor,
    bending: Bending,
    columns: Tensor,
    iterations: int,
    damping: Damping,
    tolerance: float = 0.0,
) -> Tensor:
    """Minimise the sum over frames of ``cost(x) / 2 + (x - centre)' precision (x - centre) / 2``, and the bending.

    Args:
        linearise: residuals and their derivative.
        x: (T, D) where to begin.
        start: (T, D) the path before its change.
        centre: (T, D) or (D,) of the prior.
        precision: (D, D).
        bending: of ``x - start`` over time.
        columns: (N,) that may change.
        iterations: at most; each evaluates ``linearise`` once.
        damping: how to damp, all frames alike.
        tolerance: stop once an accepted step is nowhere longer than this, in the units of x.

    Returns:
        (T, D).
    """
    stencil = _stencil(len(x), len(bending.before), len(bending.after))
    here = slice(len(bending.before), len(bending.before) + len(x))
    inner = stencil[:, here].copy()
    inner[1, -1:] = inner[2, -2:] = 0.0

    def pulls(x: Tensor) -> tuple[Tensor, Tensor]:
        """Slope (T, D) and cost of prior and bending."""
        away = x - centre
        pull = away @ precision
        change = torch.cat([bending.before, x - start, bending.after]).cpu().numpy()
        bent = torch.as_tensor(bending.weight * _times(stencil, change)).to(x)
        cost = (away * pull).sum() + (torch.as_tensor(change).to(x) * bent).sum()
        return pull + bent[here], cost

    strength, at = damping.start, linearise(x)
    pull, cost = pulls(x)
    cost = cost + at.cost.sum()
    within = precision[columns][:, columns]
    for _ in range(iterations):
        jacobian = at.jacobian[..., columns]
        normal = jacobian.mT @ jacobian + within
        slope = (jacobian.mT @ at.values[..., None])[..., 0] + pull[:, columns]
        step = torch.zeros_like(x)
        step[:, columns] = _step(normal, slope, bending.weight * inner, strength)
        trial = x + step
        there = linearise(trial)
        trial_pull, trial_cost = pulls(trial)
        trial_cost = trial_cost + there.cost.sum()
        if trial_cost <= cost:
            x, at, pull, cost = trial, there, trial_pull, trial_cost
            strength = max(strength * damping.less, damping.least)
            if tolerance and float(step.abs().max()) < tolerance:
                break
        else:
            strength = min(strength * damping.more, damping.most)
    return x


def _stencil(frames: int, before: int, after: int) -> np.ndarray:
    """(3, T) diagonal and lower bands of ``D'D``, D taking second differences over all frames together."""
    total = frames + before + after
    bands = np.zeros((3, total))
    count = max(total - 2, 0)
    for start, weight in enumerate((1.0, 4.0, 1.0)):
        bands[0, start : start + count] += weight
    bands[1, :count] -= 2.0
    bands[1, 1 : 1 + count] -= 2.0
    bands[2, :count] = 1.0
    return bands


def _times(bands: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """The symmetric banded matrix (3, T) times (T, D)."""
    product = bands[0, :, None] * vectors
    for apart in (1, 2):
        band = bands[apart, :-apart, None]
        product[apart:] += band * vectors[:-apart]
        product[:-apart] += band * vectors[apart:]
    return product


def _step(normal: Tensor, slope: Tensor, stencil: np.ndarray, strength: float) -> Tensor:
    """(T, N), minus the damped system's solution: blocks ``normal`` (T, N, N), coupled by ``stencil`` (3, T)."""
    if len(normal) == 1:  # nothing is coupled, and every millisecond counts
        only = normal[0] + torch.diag(strength * normal[0].diagonal() + (1.0 + strength) * stencil[0, 0])
        factor, failed = torch.linalg.cholesky_ex(only)
        return torch.zeros_like(slope) if failed else -torch.cholesky_solve(slope.T, factor).T
    blocks, right = normal.cpu().double().numpy(), slope.cpu().double().numpy()
    frames, size = right.shape
    diagonal = np.einsum("tnn->tn", blocks)
    bands = np.zeros((min(3, frames) * size - (size - 1 if frames > 2 else 0), frames * size))
    for apart in range(size):
        bands[apart].reshape(frames, size)[:, : size - apart] = np.einsum("tnn->tn", blocks[:, apart:, : size - apart])
    bands[0] += (strength * (diagonal + stencil[0, :, None]) + stencil[0, :, None]).ravel()
    for apart in range(1, min(3, frames)):
        bands[apart * size] += np.repeat(stencil[apart], size)
    try:
        solved = solveh_banded(bands, right.ravel(), lower=True, check_finite=False)
    except LinAlgError:
        return torch.zeros_like(slope)
    return torch.as_tensor(-solved.reshape(frames, size)).to(slope)
