# SPDX-License-Identifier: GPL-3.0-or-later
"""Terms of SMPLify's objective as DPoser uses it (eq. 11 and 12; Bogo et al. 2016, sec. 3.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.diffusion.noise import Noise
from engine.diffusion.solvers import denoised_target
from engine.motion.joints import JOINTS
from engine.priors.pose_prior import PosePrior

PosePriorTerm = Callable[[Tensor, int, int], Tensor]
"""``(pose (B, 21, 3) radians, iteration, total) -> (B,)`` loss, differentiable in the pose."""

HINGES: tuple[tuple[str, int, float], ...] = (
    ("left_elbow", 1, 1.0),
    ("right_elbow", 1, -1.0),
    ("left_knee", 0, -1.0),
    ("right_knee", 0, -1.0),
)
"""Joint, coordinate of its rotation vector, and the sign that makes overstretching positive (SMPLify's ``theta_i``)."""

_COLUMNS = [JOINTS.index(joint) - 1 for joint, _, _ in HINGES]
_AXES = [axis for _, axis, _ in HINGES]
_SIGNS = [sign for _, _, sign in HINGES]


def geman_mcclure(squared: Tensor, scale: Tensor | float) -> Tensor:
    """rho(e) = s^2 e^2 / (s^2 + e^2) of squared distances (Geman and McClure 1987): e^2 when small, s^2 at most."""
    return scale**2 * squared / (scale**2 + squared)


def geman_mcclure_weight(squared: Tensor, scale: Tensor | float) -> Tensor:
    """d rho / d e^2 = (s^2 / (s^2 + e^2))^2, the weight of a residual in iterated least squares."""
    return (scale**2 / (scale**2 + squared)) ** 2


def bending(pose: Tensor, squared: bool = False) -> Tensor:
    """L_theta = sum of exp(theta_i) over elbows and knees, (B,) of poses (B, 21, 3); ``squared`` as released."""
    angles = pose[:, _COLUMNS, _AXES] * torch.tensor(_SIGNS, dtype=pose.dtype, device=pose.device)
    return torch.exp((2.0 if squared else 1.0) * angles).sum(dim=1)


@dataclass
class DPoserTerm:
    """L_DPoser of poses (eq. 7): ``w |x - sg[x0_hat(t)]|^2``, summed over coordinates.

    Attributes:
        prior: the pose prior.
        times: one diffusion time per iteration of the whole fit.
        signal: weigh by 0.5 sqrt(1 + alpha / sigma), as released; else by 1.
        steps: of denoising (Table S-1).
        seed: of the noise; every pose of the batch has its own.
    """

    prior: PosePrior
    times: np.ndarray
    signal: bool = False
    steps: int = 1
    seed: int = 0

    def __call__(self, pose: Tensor, iteration: int, total: int) -> Tensor:
        """(B,) at an iteration; noise begins anew at iteration 0."""
        event = self.prior.normalise(pose.float())
        if iteration == 0:
            self._noise = Noise(self.seed + np.arange(len(pose)))
        t = float(self.times[iteration])
        z = self._noise.draw(event.shape[1:], event.device)
        target = denoised_target(self.prior.estimate, self.prior.sde, event.detach(), t, z, self.steps)
        alpha, sigma = self.prior.sde.marginal(torch.tensor(t))
        weight = 0.5 * float(torch.sqrt(1.0 + alpha / sigma)) if self.signal else 1.0
        return weight * (event - target).square().sum(dim=1)


def no_prior(pose: Tensor, iteration: int, total: int) -> Tensor:
    """No pose prior: zero."""
    return pose.new_zeros(len(pose))
