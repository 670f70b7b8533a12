# SPDX-License-Identifier: GPL-3.0-or-later
"""The body-model loss of DPoser's sec. D: joints of a recovered pose against those of the true one."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.body import pose_joints
from engine.diffusion.denoiser import diffuse
from engine.priors.pose_prior import PosePrior

DDIM_STEPS = 10


def recover(prior: PosePrior, x_t: Tensor, t: Tensor, steps: int = DDIM_STEPS) -> Tensor:
    """Events (B, dim) at t_min from x_t (B, dim) at a time per item (B,), by deterministic DDIM in equal steps.

    Gradients pass through all the evaluations (Song, Meng, Ermon 2021, eq. 12 with eta = 0).
    """
    x, now = x_t, t
    for step in range(1, steps + 1):
        after = t + (prior.sde.t_min - t) * (step / steps)
        estimate = prior.estimate(x, now)
        alpha, sigma = (c[:, None] for c in prior.sde.marginal(after))
        x, now = alpha * estimate.x0 + sigma * estimate.noise, after
    return x


def body_loss(prior: PosePrior, x0: Tensor, t: Tensor, z: Tensor, weighted: bool) -> Tensor:
    """L_reg of sec. D per item, (B,), in square metres: summed over the joints of the bundled body, mean shape.

    The joint term alone: the vertex term of the paper costs a mesh per item and tells of the same rotations.

    Args:
        prior: in training.
        x0: (B, dim) clean events.
        t: (B,) times.
        z: (B, dim) the noise by which they are diffused.
        weighted: multiply by log(1 + alpha / sigma), which trusts recoveries from little noise more.
    """
    recovered = recover(prior, diffuse(prior.sde, x0, t, z), t).float()
    joints, truth = (pose_joints(prior.denormalise(event)) for event in (recovered, x0))
    loss = (joints - truth).square().sum(dim=(1, 2))
    if not weighted:
        return loss
    alpha, sigma = prior.sde.marginal(t)
    return torch.log1p(alpha / sigma) * loss
