# SPDX-License-Identifier: GPL-3.0-or-later
"""Forward diffusions, each given by its marginals x_t = alpha(t) x_0 + sigma(t) z, z ~ N(0, I).

Drift and diffusion follow from the marginals: f = alpha'/alpha and g^2 = alpha^2 d/dt (sigma^2 / alpha^2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor


class SDE(Protocol):
    """A linear forward SDE dx = f(t) x dt + g(t) dw on t in [t_min, t_max]."""

    @property
    def t_min(self) -> float:
        """The least time, short of which scores grow without bound."""
        ...

    @property
    def t_max(self) -> float:
        """The time at which nothing is left of the data."""
        ...

    def marginal(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha(t) and sigma(t), each of t's shape."""
        ...

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Drift factor f(t) and diffusion g(t), each of t's shape."""
        ...


@dataclass(frozen=True)
class SubVP:
    """Sub-variance-preserving SDE (Song et al. 2021, eq. 13; DPoser sec. 3.1; GFPose eq. 9).

    With B(t) = integral of beta from 0 to t: alpha = exp(-B/2) and sigma = 1 - exp(-B). DPoser's text prints
    sigma as a square; its code, GFPose and Song have the *variance* as the square, which is what is meant here.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0
    t_min: float = 1e-5
    t_max: float = 1.0

    def _integral(self, t: Tensor) -> Tensor:
        return self.beta_min * t + 0.5 * (self.beta_max - self.beta_min) * t**2

    def marginal(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha(t) and sigma(t), each of t's shape."""
        integral = self._integral(t)
        return torch.exp(-0.5 * integral), -torch.expm1(-integral)

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Drift factor f = -beta/2 and diffusion g = sqrt(beta (1 - exp(-2B))), each of t's shape."""
        beta = self.beta_min + (self.beta_max - self.beta_min) * t
        return -0.5 * beta, torch.sqrt(-beta * torch.expm1(-2.0 * self._integral(t)))

    def time_of_noise(self, ratio: Tensor) -> Tensor:
        """The t at which sigma(t) / alpha(t) equals ``ratio``, clamped to [t_min, t_max]; same shape.

        sigma/alpha = e^{B/2} - e^{-B/2} = 2 sinh(B/2), so B = 2 asinh(ratio / 2) and t solves a quadratic.
        """
        integral = 2.0 * torch.asinh(0.5 * ratio)
        slope = self.beta_max - self.beta_min
        root = torch.sqrt(self.beta_min**2 + 2.0 * slope * integral)
        return ((root - self.beta_min) / slope).clamp(self.t_min, self.t_max)


class _InSteps:
    """A variance-preserving diffusion in K steps (Ho et al. 2020, eq. 4): t counts the steps, 0 for the data.

    alpha_k^2 is the product of 1 - beta_i over the first k steps; sigma^2 = 1 - alpha^2.
    """

    steps: int

    @property
    def t_max(self) -> float:
        """K."""
        return float(self.steps)

    @property
    def betas(self) -> Tensor:
        """(K,) float64."""
        raise NotImplementedError

    @cached_property
    def _squared(self) -> Tensor:
        return torch.cat([torch.ones(1, dtype=torch.float64), torch.cumprod(1.0 - self.betas, dim=0)])

    def marginal(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha and sigma of whole steps t from 0 to K, each of t's shape."""
        squared = self._squared.to(t.device)[t.round().long()].to(t.dtype)
        return squared.sqrt(), (1.0 - squared).sqrt()

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """There are none between steps.

        Raises:
            TypeError: always.
        """
        raise TypeError("A diffusion in discrete steps has no drift; sample it by DDIM.")


@dataclass(frozen=True)
class DiscreteVP(_InSteps):
    """Betas that rise linearly (Ho et al. 2020, sec. 4).

    Attributes:
        steps: K.
        beta_first, beta_last: of the first and the last step.
    """

    steps: int
    beta_first: float
    beta_last: float

    t_min: float = 0.0

    @property
    def betas(self) -> Tensor:
        """(K,) float64."""
        return torch.linspace(self.beta_first, self.beta_last, self.steps, dtype=torch.float64)


@dataclass(frozen=True)
class CosineVP(_InSteps):
    """The cosine schedule (Nichol and Dhariwal 2021, eq. 17), which ScoreHMR's denoiser is trained on.

    Attributes:
        steps: K.
        offset: their s, which keeps the first betas from being tiny.
        most: of a beta, so that the last steps stay finite.
        t_min: the first step; the data itself has no noise to be told.
    """

    steps: int = 1000
    offset: float = 0.008
    most: float = 0.999
    t_min: float = 1.0

    @property
    def betas(self) -> Tensor:
        """(K,) float64."""
        share = torch.linspace(0.0, 1.0, self.steps + 1, dtype=torch.float64)
        kept = torch.cos((share + self.offset) / (1.0 + self.offset) * (0.5 * torch.pi)).square()
        return (1.0 - kept[1:] / kept[:-1]).clamp_max(self.most)
