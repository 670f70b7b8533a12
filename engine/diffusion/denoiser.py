# SPDX-License-Identifier: GPL-3.0-or-later
"""A network under an SDE: one call gives the clean estimate, the noise and the score."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from engine.diffusion.sde import SDE


class Estimate(NamedTuple):
    """What a denoiser knows about x_t, each (B, *event).

    Attributes:
        x0: E[x_0 | x_t], Tweedie's formula (DPoser Algorithm 1, line 5).
        noise: the predicted z in x_t = alpha x_0 + sigma z.
        score: grad log p_t(x_t) = -noise / sigma.
    """

    x0: Tensor
    noise: Tensor
    score: Tensor


class Denoiser(nn.Module):
    """A noise-predicting network with its SDE.

    Args:
        network: ``network(x_t, t) -> noise``, same shape as x_t.
        sde: marginals of the forward diffusion.
    """

    def __init__(self, network: nn.Module, sde: SDE) -> None:
        super().__init__()
        self.network = network
        self.sde = sde

    def forward(self, x_t: Tensor, t: Tensor) -> Estimate:
        """Estimate from x_t (B, *event) at times t, (B,), or (1,) where the batch shares one time."""
        alpha, sigma = (c.reshape(-1, *[1] * (x_t.ndim - 1)) for c in self.sde.marginal(t))
        noise = self.network(x_t, t)
        return Estimate((x_t - sigma * noise) / alpha, noise, -noise / sigma)


def diffuse(sde: SDE, x0: Tensor, t: Tensor, z: Tensor) -> Tensor:
    """x_t = alpha(t) x_0 + sigma(t) z (DPoser eq. 4) for x0, z (B, *event) and t (B,) or (1,)."""
    alpha, sigma = (c.reshape(-1, *[1] * (x0.ndim - 1)) for c in sde.marginal(t))
    return alpha * x0 + sigma * z


def noise_matching_loss(denoiser: Denoiser, x0: Tensor, t: Tensor, z: Tensor) -> Tensor:
    """Denoising score matching weighted by sigma^2: per-item mean of (noise - z)^2, (B,) (DPoser eq. 5).

    Times t (B',) with B' dividing B serve B / B' consecutive items each, which saves the time path.
    """
    rows = t.repeat_interleave(len(x0) // len(t))
    x_t = diffuse(denoiser.sde, x0, rows, z)
    noise = denoiser.network(x_t, t)
    return torch.mean((noise.float() - z) ** 2, dim=tuple(range(1, x0.ndim)))
