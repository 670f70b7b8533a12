# SPDX-License-Identifier: GPL-3.0-or-later
"""The Gaussian that a diffusion prior looks like from afar, read off its denoiser.

Noise of level t blurs the prior's shape until only mean and covariance C are left. There Tweedie's second formula
(Efron 2011; Boys et al. 2023, eq. 5) says that x0 given x_t has the covariance ``sigma^2 / alpha dx0_hat / dx_t``, and
for a Gaussian that is ``(C^-1 + alpha^2 / sigma^2)^-1``. So the denoiser's Jacobian gives C: no sample, no data.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from engine.priors.pose_prior import POSE_DIM, PosePrior

LEVEL = 0.5
"""Diffusion time. Less sees single modes, more loses C in the noise; of 0.4, 0.5, 0.6 and 0.7 it poses best (val)."""
PROBES = 64
"""Draws of x_t the Jacobian is averaged over; beyond 64 the covariance moves by less than a hundredth."""
PRECISIONS = (0.1, 30.0)
"""Bounds of C^-1's eigenvalues, where 1 is a coordinate's own variance: beyond, the response is noise."""


@lru_cache(maxsize=2)
def precision_of(prior: PosePrior) -> Tensor:
    """C^-1, (63, 63) float64 on the CPU, of the prior's events; its mean is zero by normalisation.

    Takes the network some thousand rows once per prior: about a second on one core.
    """
    device = prior.mean.device
    alpha, sigma = (float(c) for c in prior.sde.marginal(torch.tensor(LEVEL, dtype=torch.float64)))
    generator = torch.Generator().manual_seed(0)
    scale = (alpha**2 + sigma**2) ** 0.5
    x_t = (scale * torch.randn(PROBES, POSE_DIM, generator=generator)).to(device)
    time = torch.full((1,), LEVEL, device=device)
    slope = torch.func.jacfwd(lambda shift: prior.estimate(x_t + shift, time).x0.mean(dim=0))
    with torch.inference_mode(False):
        jacobian = slope(torch.zeros(POSE_DIM, device=device)).double().cpu()
    values, axes = torch.linalg.eigh(sigma**2 / alpha * (jacobian + jacobian.T) / 2.0)
    least, most = PRECISIONS
    ratio = (alpha / sigma) ** 2
    return (
        axes @ torch.diag((1.0 / values.clamp_min(1.0 / (most + ratio)) - ratio).clamp(least, most)) @ axes.T
    )
