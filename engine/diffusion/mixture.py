# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaussian mixtures, many at once: expectation-maximisation, and diffusion towards one of their components.

DiffPose (Gong et al. 2023, sec. 4.2) diffuses a pose not to white noise but to the distribution it will be looked for
in: with the mean mu and the factor L of a component drawn by weight, eq. 7 is

    h_k = mu + sqrt(a_k) (h_0 - mu) + sqrt(1 - a_k) L z,

the ordinary forward process in y = (h - mu) / L. So nothing else of a sampler has to know.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Frame:
    """Where a component is centred and how far it spreads: the coordinates in which its diffusion is the ordinary one.

    Attributes:
        mean: (B, D).
        scale: (B, D) standard deviations.
    """

    mean: Tensor
    scale: Tensor

    def whiten(self, x: Tensor) -> Tensor:
        """(x - mean) / scale for x (B, D)."""
        return (x - self.mean) / self.scale

    def colour(self, y: Tensor) -> Tensor:
        """The inverse of `whiten`."""
        return self.mean + self.scale * y


@dataclass(frozen=True)
class GaussianMixtures:
    """B mixtures of M Gaussians with diagonal covariances over D dimensions.

    The starting distributions of poses are independent in every coordinate, given the joint's mode; a full covariance
    would hold noise of the samples beside the diagonal.

    Attributes:
        weights: (B, M), each row sums to 1.
        means: (B, M, D).
        stds: (B, M, D).
    """

    weights: Tensor
    means: Tensor
    stds: Tensor

    @classmethod
    def fit(
        cls,
        samples: Tensor,
        components: int,
        generator: torch.Generator,
        iterations: int = 10,
        floor: float = 1e-3,
        alike: bool = False,
        width: Tensor | None = None,
    ) -> GaussianMixtures:
        """The mixtures of greatest likelihood (eq. 6), by expectation-maximisation (Dempster et al. 1977).

        Means start at samples drawn far from each other (k-means++, Arthur and Vassilvitskii 2007).

        Args:
            samples: (B, N, D) of each distribution.
            components: M.
            generator: of the start.
            iterations: of expectation and maximisation.
            floor: least standard deviation.
            alike: start all by the same draws, so that components of samples that differ little go on as each other.
            width: (B, D) standard deviations of a single mode, where they are known to be less than the samples':
                components start as wide, or in many dimensions the others' noise hides that two modes lie apart.

        Raises:
            ValueError: fewer samples than components.
        """
        if not 1 <= components <= samples.shape[1]:
            raise ValueError(f"{samples.shape[1]} samples cannot be told into {components} components.")
        spread = samples.var(dim=1, correction=0).clamp_min(floor**2)
        if width is not None:
            spread = width.square().clamp_min(floor**2)
        means = _spread_out(samples, spread, components, generator, alike)
        variances = spread[:, None].expand_as(means)
        weights = samples.new_full((len(samples), components), 1.0 / components)
        squares = samples.square()
        for _ in range(iterations):
            log = _log_densities(samples, squares, weights, means, variances)
            share = torch.softmax(log, dim=2)
            mass = share.sum(dim=1).clamp_min(1e-6)
            means = (share.mT @ samples) / mass[:, :, None]
            variances = ((share.mT @ squares) / mass[:, :, None] - means.square()).clamp_min(floor**2)
            weights = mass / mass.sum(dim=1, keepdim=True)
        return cls(weights, means, variances.sqrt())

    def log_likelihood(self, samples: Tensor) -> Tensor:
        """Mean log density (B,) of samples (B, N, D)."""
        log = _log_densities(samples, samples.square(), self.weights, self.means, self.stds.square())
        return torch.logsumexp(log, dim=2).mean(dim=1)

    def choose(self, uniform: Tensor) -> Tensor:
        """Components (B, N) of each mixture by weight, for numbers (B, N) uniform in [0, 1)."""
        upto = self.weights.cumsum(dim=1)
        chosen = torch.searchsorted(upto, uniform.to(upto).contiguous(), right=True)
        return chosen.clamp(max=self.weights.shape[1] - 1)

    def component(self, rows: Tensor, chosen: Tensor) -> Frame:
        """Components (N,) of the mixtures ``rows`` (N,)."""
        return Frame(self.means[rows, chosen], self.stds[rows, chosen])

    def draw(self, uniform: Tensor) -> Frame:
        """A component of each mixture by weight, for numbers (B,) uniform in [0, 1)."""
        chosen = self.choose(uniform[:, None])[:, 0]
        return self.component(torch.arange(len(chosen), device=chosen.device), chosen)


def _log_densities(samples: Tensor, squares: Tensor, weights: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    """log of weight times density, (B, N, M), as matrix products."""
    inverse = 1.0 / variances
    constant = (means.square() * inverse + torch.log(2.0 * math.pi * variances)).sum(dim=2)
    distance = squares @ inverse.mT - 2.0 * (samples @ (means * inverse).mT) + constant[:, None]
    return torch.log(weights.clamp_min(1e-12))[:, None] - 0.5 * distance


def _spread_out(
    samples: Tensor, spread: Tensor, components: int, generator: torch.Generator, alike: bool
) -> Tensor:
    """Samples (B, M, D) of each row drawn with chances that grow with the squared distance to those before."""
    rows = torch.arange(len(samples), device=samples.device)
    draws = 1 if alike else len(samples)
    scaled = samples * torch.rsqrt(spread)[:, None]
    first = torch.randint(samples.shape[1], (draws,), generator=generator)
    chosen = [first.to(samples.device).expand(len(samples))]
    nearest = torch.full(samples.shape[:2], torch.inf, device=samples.device)
    for _ in range(components - 1):
        last = scaled[rows, chosen[-1]]
        nearest = torch.minimum(nearest, (scaled - last[:, None]).square().sum(dim=2))
        total = nearest.cumsum(dim=1)
        at = torch.rand(draws, 1, generator=generator).to(samples) * total[:, -1:]
        chosen.append(torch.searchsorted(total, at)[:, 0].clamp(max=samples.shape[1] - 1))
    return torch.stack([samples[rows, index] for index in chosen], dim=1)
