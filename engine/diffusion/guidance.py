# SPDX-License-Identifier: GPL-3.0-or-later
"""Guidance: a denoiser that is bent towards what was observed, and losses that need no more than events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from engine.diffusion.denoiser import Estimate
from engine.diffusion.samplers import Denoise
from engine.diffusion.sde import SDE


class Guidance(Protocol):
    """How far clean events are from an observation; any task's loss will do."""

    def __call__(self, x0: Tensor) -> Tensor:
        """Losses (B,) of events (B, *event); differentiable. Weights are the step size rho of ScoreHMR's eq. 8."""
        ...


def guided(denoise: Denoise, sde: SDE, guidance: Guidance, through_network: bool = True) -> Denoise:
    """The denoiser whose noise is bent by the gradient of a loss of its own clean estimate (ScoreHMR eq. 8 to 10).

    ``noise + sigma(t) grad_{x_t} loss(x0_hat(x_t))``: any sampler takes it in place of the prior.

    Args:
        denoise, sde: the prior.
        guidance: see `Guidance`; items may share it, as frames of a clip do.
        through_network: take the gradient through the network, as eq. 8 has it; else hold the predicted noise for a
            constant, as the released code does, which leaves 1 / alpha of it.
    """

    def bent(x_t: Tensor, t: Tensor) -> Estimate:
        alpha, sigma = (c.reshape(-1, *[1] * (x_t.ndim - 1)) for c in sde.marginal(t))
        with torch.enable_grad():
            leaf = x_t.detach().requires_grad_(through_network)
            estimate = denoise(leaf, t)
            x0 = estimate.x0 if through_network else estimate.x0.detach().requires_grad_(True)
            (gradient,) = torch.autograd.grad(guidance(x0).sum(), leaf if through_network else x0)
        noise = estimate.noise.detach() + sigma * (gradient if through_network else gradient / alpha)
        return Estimate((x_t - sigma * noise) / alpha, noise, -noise / sigma.clamp_min(1e-12))

    return bent


def weighted(terms: list[tuple[float, Guidance]]) -> Guidance:
    """The weighted sum of several; those of weight 0 are not asked.

    Raises:
        ValueError: there is none.
    """
    asked = [(weight, term) for weight, term in terms if weight]
    if not asked:
        raise ValueError("Guidance needs a term that counts.")
    return lambda x0: torch.stack([weight * term(x0) for weight, term in asked]).sum(dim=0)


def consecutive(clip: Tensor, order: int = 1) -> Guidance:
    """Temporal consistency (ScoreHMR eq. 14): squared steps from each event to the next of its clip.

    Args:
        clip: (B,) which clip an event belongs to; those of a clip stand side by side, in order.
        order: of the differences; 1 for steps, as in the paper, 2 for how much a step differs from the one before.
    """

    linked = clip[order:] == clip[: max(0, len(clip) - order)]

    def loss(x0: Tensor) -> Tensor:
        squared = torch.diff(x0, order, dim=0).flatten(1).square().sum(dim=1) * linked
        return torch.cat([squared.new_zeros(len(x0) - len(squared)), squared])

    return loss


def same_across(views: int, part: Callable[[Tensor], Tensor]) -> Guidance:
    """Consistency of views of one moment (ScoreHMR eq. 13): squared distance of what should agree from its mean.

    Args:
        views: N; events of one moment stand side by side.
        part: of events (B, *event), what views agree on: (B, *).
    """

    def loss(x0: Tensor) -> Tensor:
        bodies = part(x0).unflatten(0, (-1, views))
        return (bodies - bodies.mean(dim=1, keepdim=True)).flatten(2).square().sum(dim=2).flatten()

    return loss
