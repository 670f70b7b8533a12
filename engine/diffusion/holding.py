# SPDX-License-Identifier: GPL-3.0-or-later
"""A denoiser that knows part of the clean events: imputation of the estimate, for deterministic steps both ways."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.diffusion.denoiser import Estimate
from engine.diffusion.guidance import Guidance
from engine.diffusion.samplers import Denoise
from engine.diffusion.sde import SDE


def holding(denoise: Denoise, sde: SDE, known: Tensor, held: Tensor) -> Denoise:
    """The denoiser, but with what is known for the estimate of some numbers, and so with the noise that leads there.

    DDIM then carries these numbers to a latent and back without change, and the others see them as they are.

    Args:
        denoise, sde: the prior.
        known: (B, D) clean events.
        held: (D,) or (B, D) bool, which of their numbers are known.
    """

    def held_there(x_t: Tensor, t: Tensor) -> Estimate:
        alpha, sigma = (c.reshape(-1, *[1] * (x_t.ndim - 1)) for c in sde.marginal(t))
        # No gradient reaches what is known, or a sampler's guidance would move it.
        free = denoise(torch.where(held, x_t.detach(), x_t), t)
        x0 = torch.where(held, known, free.x0)
        noise = torch.where(held, (x_t.detach() - alpha * known) / sigma, free.noise)
        return Estimate(x0, noise, -noise / sigma)

    return held_there


def not_pulling(guidance: Guidance, known: Tensor, held: Tensor) -> Guidance:
    """A loss that pulls at nothing that is held: it sees what is known there, see `holding`."""
    return lambda x0: guidance(torch.where(held, known, x0))
