# SPDX-License-Identifier: GPL-3.0-or-later
"""The Gaussian mixture against SciPy's densities, rejection sampling and made-up data of known moments."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from engine.evaluation.baselines.mixture import Mixture, fit_mixture
from engine.training.dataset import mirror


@pytest.fixture(scope="module")
def made_up() -> Mixture:
    """Three correlated Gaussians, small enough that no angle wraps."""
    rng = np.random.default_rng(0)
    roots = 0.06 * rng.standard_normal((3, 63, 20))
    covariances = roots @ roots.transpose(0, 2, 1) + 0.003 * np.eye(63)
    return Mixture(np.array([0.5, 0.3, 0.2]), 0.2 * rng.standard_normal((3, 63)), covariances)


def test_densities_are_scipys(made_up: Mixture) -> None:
    poses = made_up.sample(20, np.random.default_rng(1))
    flat = poses.reshape(20, 63).astype(np.float64)
    parts = np.stack(
        [
            np.log(share) + multivariate_normal(mean, covariance).logpdf(flat)
            for share, mean, covariance in zip(
                made_up.shares, made_up.means, made_up.covariances, strict=True
            )
        ],
        axis=1,
    )
    pose = torch.as_tensor(poses, dtype=torch.float64)
    np.testing.assert_allclose(made_up.energy(pose), -parts.max(axis=1), atol=1e-3)
    np.testing.assert_allclose(made_up.log_likelihood(pose), np.log(np.exp(parts).sum(axis=1)), atol=1e-3)


def test_energy_has_the_gradient_of_its_differences(made_up: Mixture) -> None:
    pose = torch.as_tensor(made_up.sample(1, np.random.default_rng(2)), dtype=torch.float64)
    assert torch.autograd.gradcheck(made_up.energy, pose.requires_grad_(), eps=1e-5, atol=1e-4)


def test_samples_have_the_mixtures_moments(made_up: Mixture) -> None:
    flat = made_up.sample(200_000, np.random.default_rng(3)).reshape(-1, 63)
    mean = made_up.shares @ made_up.means
    second = made_up.covariances + made_up.means[:, :, None] * made_up.means[:, None]
    covariance = np.tensordot(made_up.shares, second, 1) - np.outer(mean, mean)
    np.testing.assert_allclose(flat.mean(axis=0), mean, atol=0.006)
    np.testing.assert_allclose(np.cov(flat.T), covariance, atol=0.006)


def test_completions_follow_the_conditional_density(made_up: Mixture) -> None:
    """Complete draws whose missing half is thrown away: the joint distribution must come back."""
    rng = np.random.default_rng(4)
    observed = rng.random(21) < 0.5
    poses = made_up.sample(100_000, rng)
    blank = np.where(observed[:, None], poses, np.float32(np.nan))
    completed = made_up.complete(blank, observed, 1, rng)[0]
    assert np.isfinite(completed).all()
    np.testing.assert_array_equal(completed[:, observed], poses[:, observed])
    flat, truth = completed.reshape(-1, 63), poses.reshape(-1, 63)
    np.testing.assert_allclose(flat.mean(axis=0), truth.mean(axis=0), atol=0.008)
    np.testing.assert_allclose(np.cov(flat.T), np.cov(truth.T), atol=0.008)


def test_hypotheses_differ_and_repeat_with_the_seed(made_up: Mixture) -> None:
    observed = np.arange(21) < 15
    pose = made_up.sample(4, np.random.default_rng(5))
    draws = [made_up.complete(pose, observed, 3, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert draws[0].shape == (3, 4, 21, 3)
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2])[:, :, ~observed].all()
    assert (draws[0][0] != draws[0][1])[:, ~observed].all()


def test_fit_finds_two_far_clusters_and_their_reflections() -> None:
    rng = np.random.default_rng(6)
    centres = 0.5 * rng.standard_normal((2, 21, 3))
    which = rng.random(4000) < 0.25
    poses = (centres[which.astype(int)] + 0.02 * rng.standard_normal((4000, 21, 3))).astype(np.float32)
    weights = np.where(which, 3.0, 1.0)  # by weight, both centres count the same
    model = fit_mixture(poses, weights / weights.sum(), components=4, floor=1e-5)
    expected = np.concatenate([centres, mirror(centres)]).reshape(4, 63)
    distance = np.linalg.norm(model.means[:, None] - expected, axis=2)
    assert (distance.min(axis=0) < 0.02).all()
    np.testing.assert_allclose(model.shares, 0.25, atol=0.02)
    np.testing.assert_allclose(np.diagonal(model.covariances, axis1=1, axis2=2), 4.1e-4, rtol=0.2)
