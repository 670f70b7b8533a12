# SPDX-License-Identifier: GPL-3.0-or-later
"""What a denoiser is told of clean events goes to a latent and back unchanged, and the rest follows it."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.diffusion.denoiser import Estimate
from engine.diffusion.guidance import guided
from engine.diffusion.holding import holding, not_pulling
from engine.diffusion.refinement import RefinementSettings, invert, latent_times
from engine.diffusion.samplers import ddim, integrate
from engine.diffusion.sde import CosineVP

SDE = CosineVP()
TIMES = latent_times(RefinementSettings(depth=100, stride=4), SDE)
CORRELATION = 0.9


def paired(x_t: Tensor, t: Tensor) -> Estimate:
    """The exact denoiser of pairs of standard normal numbers with a correlation, in closed form."""
    alpha, sigma = (float(c) for c in SDE.marginal(t))
    prior = torch.tensor([[1.0, CORRELATION], [CORRELATION, 1.0]], dtype=x_t.dtype)
    gain = alpha * prior @ torch.linalg.inv(alpha**2 * prior + sigma**2 * torch.eye(2, dtype=x_t.dtype))
    x0 = x_t @ gain.T
    noise = (x_t - alpha * x0) / sigma
    return Estimate(x0, noise, -noise / sigma)


def test_what_is_held_comes_back_whatever_pulls_at_the_rest() -> None:
    start = torch.tensor([[1.0, 0.8], [-0.5, 0.3]], dtype=torch.float64)
    held = torch.tensor([True, False])
    denoise = holding(paired, SDE, start, held)
    pull = not_pulling(lambda x0: 50.0 * (x0 - 3.0).square().sum(dim=1), start, held)
    for through in (True, False):
        bent = guided(denoise, SDE, pull, through)
        found = start
        for _ in range(3):
            found = integrate(bent, SDE, invert(denoise, SDE, found, TIMES), TIMES[::-1], ddim()).x
        torch.testing.assert_close(found[:, 0], start[:, 0], atol=1e-6, rtol=0.0)
        assert (found[:, 1] > start[:, 1] + 0.3).all(), "what is free is pulled"


def test_nothing_held_is_the_denoiser_itself() -> None:
    x, t = torch.randn(4, 2, dtype=torch.float64), torch.tensor([40.0])
    for own, held in zip(paired(x, t), holding(paired, SDE, x, torch.zeros(2, dtype=torch.bool))(x, t), strict=True):
        torch.testing.assert_close(own, held)
