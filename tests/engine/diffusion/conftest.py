# SPDX-License-Identifier: GPL-3.0-or-later
"""Data whose diffusion is known in closed form: a Gaussian with full covariance and a mean that is not zero."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.diffusion.denoiser import Estimate
from engine.diffusion.sde import SubVP


class GaussianData:
    """N(mean, covariance) in three dimensions under a diffusion."""

    def __init__(self) -> None:
        self.sde = SubVP()
        self.mean = torch.tensor([0.8, -0.5, 0.3], dtype=torch.float64)
        self.covariance = torch.tensor(
            [[1.0, 0.5, -0.2], [0.5, 0.6, 0.1], [-0.2, 0.1, 0.3]], dtype=torch.float64
        )
        self.values, self.vectors = torch.linalg.eigh(self.covariance)
        self.size = len(self.mean)

    def marginal(self, t: float) -> tuple[float, float]:
        """alpha and sigma at t."""
        alpha, sigma = self.sde.marginal(torch.tensor(t, dtype=torch.float64))
        return float(alpha), float(sigma)

    def moments(self, t: float) -> tuple[Tensor, Tensor]:
        """Mean (3,) and covariance (3, 3) of x_t."""
        alpha, sigma = self.marginal(t)
        return alpha * self.mean, alpha**2 * self.covariance + sigma**2 * torch.eye(
            self.size, dtype=torch.float64
        )

    def denoise(self, x: Tensor, t: Tensor) -> Estimate:
        """The exact estimate; an item's arithmetic does not depend on its batch, as a matrix product's may."""
        alpha, sigma = self.sde.marginal(t.double())
        precision = (self.vectors / (alpha**2 * self.values + sigma**2)) @ self.vectors.T
        centred = x.double() - alpha * self.mean
        noise = sigma * sum(centred[:, i : i + 1] * precision[i] for i in range(self.size))
        return Estimate((x - sigma * noise) / alpha, noise, -noise / sigma)

    def flow(self, x: Tensor, t: float, s: float) -> Tensor:
        """Where the probability flow carries x (B, 3) from t to s: it stretches every principal axis by itself."""
        (alpha_t, sigma_t), (alpha_s, sigma_s) = self.marginal(t), self.marginal(s)
        stretch = ((alpha_s**2 * self.values + sigma_s**2) / (alpha_t**2 * self.values + sigma_t**2)).sqrt()
        centred = (x.double() - alpha_t * self.mean) @ self.vectors
        return alpha_s * self.mean + (centred * stretch) @ self.vectors.T

    def draw(self, t: float, count: int, seed: int = 0) -> Tensor:
        """Exact samples of x_t, (count, 3) float64."""
        mean, covariance = self.moments(t)
        z = torch.from_numpy(np.random.default_rng(seed).standard_normal((count, self.size)))
        return mean + z @ torch.linalg.cholesky(covariance).T

    def log_density(self, x: Tensor, t: float) -> Tensor:
        """Log-density of x_t at x (B, 3), (B,) nats."""
        mean, covariance = self.moments(t)
        centred = x.double() - mean
        distance = (centred @ torch.linalg.inv(covariance) * centred).sum(dim=1)
        return -0.5 * (distance + torch.logdet(covariance) + self.size * math.log(2 * math.pi))


@pytest.fixture(scope="session")
def gaussian() -> GaussianData:
    """Data with closed forms for everything."""
    return GaussianData()
