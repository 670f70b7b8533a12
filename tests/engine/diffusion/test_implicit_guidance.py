# SPDX-License-Identifier: GPL-3.0-or-later
"""Implicit steps against closed forms, with a prior that knows nothing: only what was observed moves anything."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from engine.diffusion.denoiser import Estimate
from engine.diffusion.guidance import Guidance
from engine.diffusion.implicit_guidance import ImplicitGuidance, implicitly_guided
from engine.diffusion.refinement import RefinementSettings, refine
from engine.diffusion.samplers import Denoise
from engine.diffusion.sde import CosineVP

SDE = CosineVP()
SEEN, TARGET = torch.tensor([1.0, -2.0], dtype=torch.float64), torch.tensor([[0.0, 1.0]], dtype=torch.float64)
START = torch.tensor([[0.5, 0.5], [3.0, -1.0]], dtype=torch.float64)
GUIDED = 2.0


def indifferent(x: Tensor, t: Tensor) -> Estimate:
    """The denoiser of a prior for which any event is as likely as another."""
    alpha, _ = SDE.marginal(t)
    return Estimate(x / alpha, torch.zeros_like(x), torch.zeros_like(x))


@dataclass
class Near:
    """Squared distance from a target."""

    weight: float

    def __call__(self, x0: Tensor) -> Tensor:
        return self.weight * (x0 - TARGET).square().sum(dim=1)

    def nearest(self, x0: Tensor, step: float) -> Tensor:
        return (x0 + 2.0 * step * self.weight * TARGET) / (1.0 + 2.0 * step * self.weight)


@dataclass
class Both:
    """Pulled to one place by guidance and to another by implicit steps."""

    near: Near
    is_guided: bool = True

    def denoise(self, rows: Tensor) -> Denoise:
        return indifferent

    def guidance(self, rows: Tensor, x: Tensor) -> Guidance | None:
        return (lambda x0: GUIDED * (x0 - SEEN).square().sum(dim=1)) if self.is_guided else None

    def implicit_guidance(self, rows: Tensor, x: Tensor) -> ImplicitGuidance | None:
        return self.near


def test_the_step_is_as_long_as_guidance_s() -> None:
    """Of a small weight, the implicit step is that of the gradient."""
    t = torch.tensor([60.0], dtype=torch.float64)
    alpha, sigma = (float(c) for c in SDE.marginal(t))
    small = Near(1e-6)
    made = implicitly_guided(indifferent, SDE, small)(alpha * START, t)
    moved = 2.0 * small.weight * (START - TARGET) * (sigma / alpha) ** 2
    torch.testing.assert_close(made.x0 - START, -moved, rtol=1e-4, atol=0.0)
    torch.testing.assert_close(alpha * made.x0 + sigma * made.noise, alpha * START)
    torch.testing.assert_close(made.score, -made.noise / sigma)


@pytest.mark.parametrize("weight", [0.5, 20.0, 1e4])
def test_guidance_and_implicit_steps_rest_where_both_losses_are_least(weight: float) -> None:
    """Whatever the weight, of which the gradient's steps would diverge."""
    settings = RefinementSettings(rounds=100, depth=200, stride=10, tolerance=0.0)
    found = refine(Both(Near(weight)), SDE, START, settings)
    least = (GUIDED * SEEN + weight * TARGET) / (GUIDED + weight)
    torch.testing.assert_close(found.x, least.expand_as(START), atol=2e-3, rtol=0.0)
    losses = GUIDED * (found.x - SEEN).square().sum(dim=1) + weight * (found.x - TARGET).square().sum(dim=1)
    torch.testing.assert_close(found.loss, losses)


def test_without_guidance_it_goes_to_the_target() -> None:
    settings = RefinementSettings(rounds=30, depth=200, stride=10, tolerance=0.0)
    found = refine(Both(Near(100.0), is_guided=False), SDE, START, settings)
    torch.testing.assert_close(found.x, TARGET.expand_as(START), atol=1e-4, rtol=0.0)
