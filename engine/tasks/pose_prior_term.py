# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose prior's term in an objective that is minimised step by step: L_DPoser (eq. 7), another prior, or none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.diffusion.noise import Noise
from engine.diffusion.solvers import denoised_target
from engine.priors.pose_prior import PosePrior

PosePriorTerm = Callable[[Tensor, int, int], Tensor]
"""``(pose (B, 21, 3) radians, iteration, total) -> (B,)`` loss, differentiable in the pose."""


@dataclass(frozen=True)
class DPoserTerm:
    """L_DPoser of poses (eq. 7): ``w |x - sg[x0_hat(t)]|^2``, summed over coordinates.

    Attributes:
        prior: the pose prior.
        times: one diffusion time per iteration of the whole fit.
        noise: one stream per pose.
        signal: weigh by 0.5 sqrt(1 + alpha / sigma), as released; else by 1.
        steps: of denoising (Table S-1).
    """

    prior: PosePrior
    times: np.ndarray
    noise: Noise
    signal: bool = False
    steps: int = 1

    def __call__(self, pose: Tensor, iteration: int, total: int) -> Tensor:
        """(B,) at an iteration."""
        event = self.prior.normalise(pose.float())
        t = float(self.times[iteration])
        z = self.noise.draw(event.shape[1:], event.device)
        target = denoised_target(self.prior.estimate, self.prior.sde, event.detach(), t, z, self.steps)
        alpha, sigma = self.prior.sde.marginal(torch.tensor(t))
        weight = 0.5 * float(torch.sqrt(1.0 + alpha / sigma)) if self.signal else 1.0
        return weight * (event - target).square().sum(dim=1)


def no_prior(pose: Tensor, iteration: int, total: int) -> Tensor:
    """No pose prior: zero."""
    return pose.new_zeros(len(pose))
