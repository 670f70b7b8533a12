# SPDX-License-Identifier: GPL-3.0-or-later
"""Observations that a denoiser is taken to, rather than bent towards: implicit steps, stable whatever the weight.

A step of `engine.diffusion.guidance.guided` along a steep loss, as smoothness at a high frame rate is, overshoots, and
the next one more. Where the loss is quadratic, the event that an implicit step leads to is known instead (proximal
gradient; Parikh and Boyd 2014, sec. 4.2): guided DDIM and such steps together rest where all losses are least.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from engine.diffusion.denoiser import Estimate
from engine.diffusion.samplers import Denoise
from engine.diffusion.sde import SDE


class ImplicitGuidance(Protocol):
    """How far clean events are from an observation, and the way to it."""

    def __call__(self, x0: Tensor) -> Tensor:
        """Losses (B,) of events (B, *event), as `engine.diffusion.guidance.Guidance`."""
        ...

    def nearest(self, x0: Tensor, step: float) -> Tensor:
        """The events for which losses and half the squared distance from x0, divided by ``step``, sum to the least."""
        ...


def implicitly_guided(denoise: Denoise, sde: SDE, observed: ImplicitGuidance) -> Denoise:
    """The denoiser with its clean estimate taken to an observation, by a step as long as guidance's.

    That is ``(sigma / alpha)^2``, by which the gradient of a loss moves the estimate of `guided`.

    Args:
        denoise: the prior, guided or not; sde: its.
        observed: see `ImplicitGuidance`.
    """

    def taken(x_t: Tensor, t: Tensor) -> Estimate:
        alpha, sigma = sde.marginal(t)
        x0 = observed.nearest(denoise(x_t, t).x0, float((sigma / alpha) ** 2))
        alpha, sigma = (c.reshape(-1, *[1] * (x_t.ndim - 1)) for c in (alpha, sigma))
        noise = (x_t - alpha * x0) / sigma
        return Estimate(x0, noise, -noise / sigma)

    return taken
