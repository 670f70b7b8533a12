# SPDX-License-Identifier: GPL-3.0-or-later
"""Guidance against closed forms: of Gaussian data that is observed linearly, everything is linear."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.diffusion.denoiser import Estimate
from engine.diffusion.guidance import consecutive, guided, same_across, weighted
from engine.diffusion.sde import CosineVP

OBSERVES = torch.tensor([[1.0, -0.4, 0.2], [0.0, 2.0, 0.5]], dtype=torch.float64)
SEEN = torch.tensor([0.3, -1.0], dtype=torch.float64)
WEIGHT = 0.7


def far(x0: Tensor) -> Tensor:
    return WEIGHT * (x0 @ OBSERVES.T - SEEN).square().sum(dim=1)


@pytest.mark.parametrize("time", [0.05, 0.3, 0.8])
def test_the_gradient_is_the_chain_rule_s(gaussian: Any, time: float) -> None:
    """Eq. 8: of a linear denoiser its Jacobian is known, which the released code replaces by 1 / alpha."""
    x, t = gaussian.draw(time, 20), torch.tensor([time], dtype=torch.float64)
    told = gaussian.denoise(x, t)
    alpha, sigma = gaussian.marginal(time)
    identity = torch.eye(3, dtype=torch.float64)
    jacobian = alpha * gaussian.covariance @ torch.linalg.inv(alpha**2 * gaussian.covariance + sigma**2 * identity)
    by_clean = 2.0 * WEIGHT * (told.x0 @ OBSERVES.T - SEEN) @ OBSERVES
    for through, gradient in ((True, by_clean @ jacobian), (False, by_clean / alpha)):
        bent = guided(gaussian.denoise, gaussian.sde, far, through)(x, t)
        torch.testing.assert_close(bent.noise, told.noise + sigma * gradient)
        torch.testing.assert_close(alpha * bent.x0 + sigma * bent.noise, x)
        torch.testing.assert_close(bent.score, -bent.noise / sigma)
        assert not bent.noise.requires_grad


def test_at_the_posterior_s_mean_prior_and_observation_hold_each_other(gaussian: Any) -> None:
    """The guided score of little noise is that of the posterior, which is zero where a Gaussian's mean is."""
    small = 1e-4
    deviation = 0.4
    precision = torch.linalg.inv(gaussian.covariance)
    posterior = precision + OBSERVES.T @ OBSERVES / deviation**2
    mean = torch.linalg.solve(posterior, precision @ gaussian.mean + OBSERVES.T @ SEEN / deviation**2)

    def energy(x0: Tensor) -> Tensor:
        return (x0 @ OBSERVES.T - SEEN).square().sum(dim=1) / (2.0 * deviation**2)

    alpha, _ = gaussian.marginal(small)
    t = torch.tensor([small], dtype=torch.float64)
    score = guided(gaussian.denoise, gaussian.sde, energy)((alpha * mean)[None], t).score
    away = guided(gaussian.denoise, gaussian.sde, energy)((alpha * gaussian.mean)[None], t).score
    assert float(score.norm()) < 1e-3 * float(away.norm())


def test_terms_add_up_by_weight_and_those_without_are_not_asked() -> None:
    x0 = torch.randn(5, 3)

    def forbidden(x0: Tensor) -> Tensor:
        raise AssertionError("it has no weight")

    def first(x0: Tensor) -> Tensor:
        return x0[:, 0]

    def second(x0: Tensor) -> Tensor:
        return x0[:, 1].square()

    total = weighted([(2.0, first), (0.0, forbidden), (0.5, second)])(x0)
    torch.testing.assert_close(total, 2.0 * x0[:, 0] + 0.5 * x0[:, 1] ** 2)
    with pytest.raises(ValueError, match="term"):
        weighted([(0.0, forbidden)])


def test_guidance_of_several_terms_is_the_sum_of_theirs(gaussian: Any) -> None:
    x, t = gaussian.draw(0.3, 6), torch.tensor([0.3], dtype=torch.float64)
    clip = torch.tensor([0, 0, 0, 1, 1, 1])
    terms = [(0.3, far), (2.0, consecutive(clip)), (1.5, same_across(3, lambda x0: x0[:, 1:]))]
    told = gaussian.denoise(x, t).noise
    alone = [guided(gaussian.denoise, gaussian.sde, weighted([term]))(x, t).noise - told for term in terms]
    together = guided(gaussian.denoise, gaussian.sde, weighted(terms))(x, t).noise - told
    torch.testing.assert_close(together, sum(alone))


def test_steps_in_time_count_within_a_clip() -> None:
    """Eq. 14."""
    x0 = torch.randn(7, 4, 2, dtype=torch.float64)
    loss = consecutive(torch.tensor([0, 0, 0, 0, 1, 1, 2]))(x0)
    events = x0.numpy()
    expected = sum(np.sum((events[n + 1] - events[n]) ** 2) for n in (0, 1, 2, 4))
    np.testing.assert_allclose(float(loss.sum()), expected)
    assert loss.shape == (7,) and float(loss[0]) == float(loss[4]) == float(loss[6]) == 0.0


@pytest.mark.parametrize("order", [1, 2, 3])
def test_differences_in_time_are_numpy_s(order: int) -> None:
    lengths = (6, 2, 1, 4)
    x0 = torch.randn(sum(lengths), 4, dtype=torch.float64)
    loss = consecutive(torch.repeat_interleave(torch.arange(4), torch.tensor(lengths)), order)(x0)
    clips = np.split(x0.numpy(), np.cumsum(lengths)[:-1])
    np.testing.assert_allclose(float(loss.sum()), sum(np.square(np.diff(clip, order, axis=0)).sum() for clip in clips))
    assert loss.shape == (13,)


@pytest.mark.parametrize("views", [2, 3, 5])
def test_views_differ_by_their_distances_from_each_other(views: int) -> None:
    """Eq. 13: squared distances from the mean are those of all pairs, divided by how many there are."""
    x0 = torch.randn(4 * views, 6, dtype=torch.float64)
    loss = same_across(views, lambda events: events[:, 2:])(x0).reshape(4, views).sum(dim=1)
    for moment, group in zip(loss, x0[:, 2:].reshape(4, views, 4), strict=True):
        pairs = sum((a - b).square().sum() for a, b in combinations(group, 2))
        torch.testing.assert_close(moment, pairs / views)


def test_guidance_of_whole_steps_leaves_events_that_fit() -> None:
    """In a diffusion by steps, with a prior that knows nothing: only the loss moves what is denoised."""
    sde = CosineVP()
    target = torch.tensor([[0.5, -0.5, 1.0]])

    def denoise(x: Tensor, t: Tensor) -> Estimate:
        alpha, _ = sde.marginal(t)
        return Estimate(x / alpha, torch.zeros_like(x), torch.zeros_like(x))

    t = torch.tensor([40.0])
    alpha, sigma = (float(c) for c in sde.marginal(t))
    bent = guided(denoise, sde, lambda x0: (x0 - target).square().sum(dim=1))
    torch.testing.assert_close(bent(alpha * target, t).x0, target)
    off = target + 1.0
    moved = bent(alpha * off, t).x0
    torch.testing.assert_close(moved, off - (sigma / alpha) ** 2 * 2.0 * (off - target))
