# SPDX-License-Identifier: GPL-3.0-or-later
"""Nonlinear least squares with a Gaussian prior, many problems at once: Levenberg and Marquardt's method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Linear(NamedTuple):
    """Residuals at a point: ``values`` (B, R), their derivative ``jacobian`` (B, R, D), and ``cost`` (B,).

    The cost is what is minimised, where residuals reweighted for a robust loss do not sum up to it.
    """

    values: Tensor
    jacobian: Tensor
    cost: Tensor


Linearise = Callable[[Tensor], Linear]
"""Residuals at x (B, D)."""


@dataclass(frozen=True)
class Damping:
    """Marquardt's damping (1963): relative to the diagonal, per problem.

    Attributes:
        start: at first.
        less, more: factors after a step that lowered the cost, and after one that did not.
        least, most: bounds.
    """

    start: float = 1e-3
    less: float = 0.2
    more: float = 8.0
    least: float = 1e-9
    most: float = 1e6


class Minimum(NamedTuple):
    """``x`` (B, D), its ``cost`` (B,) with the prior's share, and the last ``damping`` (B,)."""

    x: Tensor
    cost: Tensor
    damping: Tensor


def minimise(
    linearise: Linearise,
    x: Tensor,
    centre: Tensor,
    precision: Tensor,
    iterations: int,
    damping: Damping | Tensor | None = None,
    tolerance: float = 0.0,
) -> Minimum:
    """Minimise ``cost(x) / 2 + (x - centre)' precision (x - centre) / 2``.

    Args:
        linearise: residuals and their derivative.
        x: (B, D) where to start.
        centre: (B, D) or (D,) of the prior.
        precision: (B, D, D) or (D, D), positive semi-definite.
        iterations: at most; each evaluates ``linearise`` once.
        damping: how to damp, or the damping (B,) that an earlier call ended with.
        tolerance: stop once no problem's accepted step is longer than this, in the units of x.
    """
    rule = damping if isinstance(damping, Damping) else Damping()
    strength = damping if isinstance(damping, Tensor) else torch.full_like(x[:, 0], rule.start)
    at = linearise(x)
    away = x - centre
    pull = (precision @ away[..., None])[..., 0]
    cost = at.cost + (away * pull).sum(dim=1)
    for _ in range(iterations):
        normal = at.jacobian.mT @ at.jacobian + precision
        slope = (at.jacobian.mT @ at.values[..., None])[..., 0] + pull
        diagonal = normal.diagonal(dim1=-2, dim2=-1)
        damped = normal + torch.diag_embed(strength[:, None] * diagonal)
        factor, failed = torch.linalg.cholesky_ex(damped)
        step = -torch.cholesky_solve(slope[..., None], factor)[..., 0]
        step = torch.where((failed == 0)[:, None] & step.isfinite(), step, 0.0)
        trial = x + step
        there = linearise(trial)
        away = trial - centre
        trial_pull = (precision @ away[..., None])[..., 0]
        trial_cost = there.cost + (away * trial_pull).sum(dim=1)
        better = trial_cost <= cost
        strength = torch.where(better, strength * rule.less, strength * rule.more)
        strength = strength.clamp(rule.least, rule.most)
        x = torch.where(better[:, None], trial, x)
        cost = torch.where(better, trial_cost, cost)
        pull = torch.where(better[:, None], trial_pull, pull)
        at = Linear(
            torch.where(better[:, None], there.values, at.values),
            torch.where(better[:, None, None], there.jacobian, at.jacobian),
            torch.where(better, there.cost, at.cost),
        )
        if tolerance and bool((better & (step.abs().amax(dim=1) < tolerance)).all()):
            break
    return Minimum(x, cost, strength)
