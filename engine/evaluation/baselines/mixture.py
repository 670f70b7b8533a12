# SPDX-License-Identifier: GPL-3.0-or-later
"""The Gaussian mixture over poses that SMPLify fits with (Bogo et al. 2016, eq. 6): the baseline "GMM".

Eight full-covariance components over the 63 axis-angle coordinates. Given some joints, a Gaussian's conditional is a
Gaussian again, so completion needs no optimisation: it is exact (Bishop 2006, eq. 2.81, 2.82 per component).
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import softmax
from torch import Tensor

from engine.training.dataset import mirror, wrap

COMPONENTS = 8  # Bogo et al. 2016, sec. 3.2
DRAWN = 50_000  # poses drawn by their weights: scikit-learn's mixture takes no weights
FLOOR = 1e-3
"""Variance in square radians added to every coordinate: captures without wrists and toes hold exact zeros there, on
which a component would collapse. Of 1e-5, 3e-5, 1e-4, 3e-4 and 1e-3 the last completes validation poses best."""


class Mixture:
    """A mixture of K Gaussians over poses, 21 joints of axis-angle in radians seen as 63 coordinates.

    Args:
        shares: (K,) > 0, sum 1.
        means: (K, 63) radians.
        covariances: (K, 63, 63), positive definite.
    """

    def __init__(self, shares: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> None:
        self.shares, self.means, self.covariances = shares, means, covariances
        self._factors = np.linalg.cholesky(covariances)
        whiten = np.linalg.inv(self._factors)
        diagonals = np.diagonal(self._factors, axis1=1, axis2=2)
        constants = np.log(shares) - np.log(diagonals).sum(axis=1) - 0.5 * means.shape[1] * np.log(2 * np.pi)
        self._torch = [torch.as_tensor(a, dtype=torch.float32) for a in (means, whiten, constants)]

    def sample(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Poses (count, 21, 3) drawn from the mixture, angles brought to at most pi."""
        which = rng.choice(len(self.shares), count, p=self.shares)
        flat = rng.standard_normal((count, self.means.shape[1]))
        for k, (mean, factor) in enumerate(zip(self.means, self._factors, strict=True)):
            flat[which == k] = mean + flat[which == k] @ factor.T
        return wrap(flat.reshape(count, -1, 3))

    def complete(
        self, pose: np.ndarray, observed: np.ndarray, hypotheses: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Draw the missing joints given the observed ones, exactly: a component, then its conditional Gaussian.

        Args:
            pose: (N, 21, 3) axis-angle; missing joints are not read.
            observed: (21,) bool.
            hypotheses: S draws per pose.
            rng: source of randomness.

        Returns:
            (S, N, 21, 3) float32, observed joints as given.
        """
        known = np.repeat(observed, 3)
        given = pose.reshape(len(pose), -1)[:, known]
        likelihoods, means, factors = [], [], []
        for share, mean, covariance in zip(self.shares, self.means, self.covariances, strict=True):
            factor = cho_factor(covariance[np.ix_(known, known)], lower=True)
            across = covariance[np.ix_(~known, known)]
            left = given - mean[known]
            white = solve_triangular(factor[0], left.T, lower=True)
            likelihoods.append(
                np.log(share) - 0.5 * (white**2).sum(axis=0) - np.log(np.diagonal(factor[0])).sum()
            )
            gain = cho_solve(factor, across.T)
            means.append(mean[~known] + left @ gain)
            factors.append(np.linalg.cholesky(covariance[np.ix_(~known, ~known)] - across @ gain))
        cumulated = softmax(np.stack(likelihoods, axis=1), axis=1).cumsum(axis=1)
        draws = rng.random((hypotheses, len(pose), 1)) * cumulated[:, -1:]
        which = (draws > cumulated).sum(axis=2)
        noise = rng.standard_normal((hypotheses, len(pose), int((~known).sum())))
        missing = np.stack(means)[which, np.arange(len(pose))]
        for k, factor in enumerate(factors):
            missing[which == k] += noise[which == k] @ factor.T
        full = np.broadcast_to(pose, (hypotheses, *pose.shape)).astype(np.float32)
        full[:, :, ~observed] = wrap(missing.reshape(hypotheses, len(pose), -1, 3))
        return full

    def energy(self, pose: Tensor) -> Tensor:
        """SMPLify's pose prior (Bogo et al. 2016, eq. 6): the sum over components approximated by its greatest.

        Differentiable. Every component counts with its normalising constant, so the energy may be negative; only
        differences mean something.

        Args:
            pose: (B, 21, 3) axis-angle in radians.

        Returns:
            (B,) min over components of -log(share_k N(pose; mean_k, covariance_k)).
        """
        return -self._scores(pose).max(dim=1).values

    def log_likelihood(self, pose: Tensor) -> Tensor:
        """Exact log density (B,) in nats of poses (B, 21, 3), per radian^63; differentiable."""
        return self._scores(pose).logsumexp(dim=1)

    def _scores(self, pose: Tensor) -> Tensor:
        """(B, K) log of share times density."""
        means, whiten, constants = (a.to(pose) for a in self._torch)
        white = torch.einsum("kij,bkj->bki", whiten, pose.flatten(1)[:, None] - means)
        return constants - 0.5 * (white**2).sum(dim=2)


def fit_mixture(
    poses: np.ndarray,
    weights: np.ndarray,
    seed: int = 0,
    components: int = COMPONENTS,
    floor: float = FLOOR,
) -> Mixture:
    """Fit a mixture by expectation maximisation (scikit-learn), poses drawn by weight and mirrored half the time.

    Args:
        poses: (N, 21, 3) axis-angle in radians.
        weights: (N,) sampling probabilities, sum 1.
        seed: of the draw and of the start by k-means.
        components: K.
        floor: variance added to every coordinate, square radians.
    """
    from sklearn.mixture import GaussianMixture

    rng = np.random.default_rng(seed)
    drawn = poses[rng.choice(len(poses), DRAWN, p=weights)]
    flipped = rng.random(DRAWN) < 0.5
    drawn[flipped] = mirror(drawn[flipped])
    model = GaussianMixture(components, reg_covar=floor, random_state=seed)
    model.fit(drawn.reshape(DRAWN, -1).astype(np.float64))
    return Mixture(model.weights_, model.means_, model.covariances_)
