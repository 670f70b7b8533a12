# SPDX-License-Identifier: GPL-3.0-or-later
"""GFPose's tasks on a Gaussian prior, of which every answer is known in closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.diffusion.denoiser import Estimate
from engine.diffusion.joint_network import ConditionalJointMLP
from engine.priors.joint_prior import DIM, UNIT, JointPrior, Seen, from_event, to_event
from engine.tasks.lift import gfpose
from engine.tasks.lift.gfpose import SamplingSettings


class GaussianPrior(JointPrior):
    """Joints of a Gaussian: the conditional estimate is Gaussian conditioning, as exact as float64 has it."""

    def __init__(self, mean: Tensor, covariance: Tensor) -> None:
        super().__init__(ConditionalJointMLP(hidden=32, embed=16, groups=8), mean, covariance.diagonal().sqrt())
        self.covariance = covariance

    def under(self, seen: Seen, hypotheses: int = 1) -> Callable[[Tensor, Tensor], Estimate]:
        known = seen.known.flatten(1)
        event = to_event(torch.where(seen.known, seen.joints, 0.0)).double()
        noise = torch.where(known, (seen.doubt.flatten(1) / UNIT).double() ** 2, 0.0)

        def denoise(x_t: Tensor, t: Tensor) -> Estimate:
            alpha, sigma = (float(c) for c in self.sde.marginal(t.double()))
            means = []
            for person in range(len(event)):
                rows = known[person]
                # The observation and x_t are two linear measurements of the same Gaussian.
                h = torch.cat([torch.eye(DIM)[rows], alpha * torch.eye(DIM)]).double()
                r = torch.cat([noise[person, rows] + 1e-8, torch.full((DIM,), sigma**2 + 1e-12).double()])
                gain = self.covariance @ h.T @ torch.linalg.inv(h @ self.covariance @ h.T + torch.diag(r))
                mine = x_t[person * hypotheses : (person + 1) * hypotheses] if len(event) > 1 else x_t
                y = torch.cat([event[person, rows].expand(len(mine), -1), mine.double()], dim=1)
                means.append(self.mean + (y - self.mean @ h.T) @ gain.T)
            x0 = torch.cat(means).float()
            made = (x_t - alpha * x0) / sigma
            return Estimate(x0, made, -made / sigma)

        return denoise


@pytest.fixture(scope="module")
def prior() -> GaussianPrior:
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(DIM, 12))
    covariance = factor @ factor.T / 4.0 + 0.05 * np.eye(DIM)
    mean = 3.0 * rng.normal(size=DIM)
    # An event's pelvis is always at 0.
    covariance[:3], covariance[:, :3], mean[:3] = 0.0, 0.0, 0.0
    return GaussianPrior(torch.from_numpy(mean), torch.from_numpy(covariance))


def some_people(prior: GaussianPrior, count: int) -> Tensor:
    rng = np.random.default_rng(5)
    events = rng.multivariate_normal(prior.mean.numpy(), prior.covariance.numpy(), count, check_valid="ignore")
    return from_event(torch.from_numpy(events).float())


def in_2d(joints: Tensor) -> Seen:
    doubt = torch.zeros_like(joints)
    doubt[..., 2] = torch.inf
    return Seen(joints, doubt)


FEW = SamplingSettings(hypotheses=300, steps=40, sampler="euler-maruyama", bend=1.0)


@pytest.mark.parametrize("approach", ["conditional", "combined"])
def test_hypotheses_are_draws_from_the_posterior(prior: GaussianPrior, approach: str) -> None:
    truth = some_people(prior, 1)
    drawn = gfpose.hypotheses(in_2d(truth), prior, replace(FEW, approach=approach))
    depth, seen = drawn[0, :, 1:, 2] / UNIT, drawn[0, :, 1:, :2]
    # Told alone, they are off by what 40 steps of Euler leave; replaced, by the noise of the last time.
    assert (seen - truth[0, 1:, :2]).abs().max() < (0.06 if approach == "conditional" else 0.002)
    index = torch.arange(3, DIM)
    z = index[index % 3 == 2]
    known = index[index % 3 != 2]
    gain = prior.covariance[z][:, known] @ torch.linalg.inv(prior.covariance[known][:, known])
    mean = prior.mean[z] + gain @ (to_event(truth)[0, known].double() - prior.mean[known])
    spread = (prior.covariance[z][:, z] - gain @ prior.covariance[known][:, z]).diagonal().sqrt()
    assert (depth.mean(dim=0) - mean).abs().max() < 0.35 * spread.max() + 0.05
    torch.testing.assert_close(depth.std(dim=0), spread.float(), rtol=0.4, atol=0.1)


def test_imputation_keeps_what_is_known_with_a_prior_that_is_told_nothing(prior: GaussianPrior) -> None:
    truth = some_people(prior, 2)
    doubt = torch.zeros_like(truth)
    doubt[:, 11:14] = torch.inf
    drawn = gfpose.hypotheses(Seen(truth, doubt), prior, replace(FEW, hypotheses=20, approach="imputation"))
    kept = [j for j in range(17) if j not in (11, 12, 13)]
    # The last time is 1e-3, where sigma is 1e-4 units.
    assert (drawn[:, :, kept] - truth[:, None, kept]).abs().max() < 1e-4
    assert drawn[:, :, 11:14].std(dim=1).min() > 1e-3
    mean = from_event(prior.mean.float())
    far = (drawn[:, :, 11:14].mean(dim=1) - truth[:, 11:14]).norm(dim=-1).mean()
    assert far < (mean[11:14] - truth[:, 11:14]).norm(dim=-1).mean()


def test_a_hidden_pelvis_is_placed_by_the_joints_that_are_seen(prior: GaussianPrior) -> None:
    shift = torch.tensor([0.7, -0.4, 0.0])
    truth = some_people(prior, 1) + shift
    seen = in_2d(truth)
    seen.doubt[:, 0] = torch.inf
    drawn = gfpose.hypotheses(seen, prior, replace(FEW, hypotheses=30, approach="imputation"))
    assert (drawn[0, :, 1:, :2] - truth[0, 1:, :2]).norm(dim=-1).mean() < 0.02
    assert (drawn[0, :, 0, :2].mean(dim=0) - truth[0, 0, :2]).norm() < 0.15


def test_a_hypothesis_is_the_same_whoever_else_is_drawn(prior: GaussianPrior) -> None:
    truth = some_people(prior, 3)
    settings = replace(FEW, hypotheses=4, steps=10)
    together = gfpose.hypotheses(in_2d(truth), prior, settings)
    fewer = gfpose.hypotheses(in_2d(truth[:2]), prior, settings)
    torch.testing.assert_close(together[:2], fewer, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(together[0, 0], together[0, 1])
    assert not torch.allclose(together, gfpose.hypotheses(in_2d(truth), prior, replace(settings, seed=1)))


def test_poses_generated_are_the_prior_s(prior: GaussianPrior) -> None:
    drawn = to_event(gfpose.generate(600, prior, replace(FEW, hypotheses=1)))
    spread = prior.covariance.diagonal().sqrt()[3:].float()
    assert ((drawn.mean(dim=0)[3:] - prior.mean[3:].float()) / spread).abs().max() < 0.25
    torch.testing.assert_close(drawn.std(dim=0)[3:], spread, rtol=0.25, atol=0.0)


@pytest.mark.parametrize("std", [0.01, 0.05])
def test_denoising_goes_along_the_probability_flow(prior: GaussianPrior, std: float) -> None:
    truth = some_people(prior, 40)
    noisy = truth + std * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    noisy[:, 0] = truth[:, 0]
    clean = to_event(gfpose.denoise(noisy, std, prior, steps=60))
    # The flow maps N(mean, C + s^2) onto N(mean, C) along its axes: x -> mean + sqrt(v / (v + s^2)) (x - mean).
    values, axes = torch.linalg.eigh(prior.covariance)
    values = values.clamp_min(0.0)
    shrink = axes @ torch.diag((values / (values + (std / UNIT) ** 2)).sqrt()) @ axes.T
    expected = prior.mean + (to_event(noisy).double() - prior.mean) @ shrink.T
    assert (clean - expected).abs().max() < 0.05
    assert (from_event(clean) - truth).norm(dim=-1).mean() < (noisy - truth).norm(dim=-1).mean()


def test_the_released_steps_go_too_far(prior: GaussianPrior) -> None:
    """From T = 0.05 they cross a whole unit of time: poses shrink towards the mean far beyond the noise."""
    truth = some_people(prior, 20)
    noisy = truth + 0.01 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    noisy[:, 0] = truth[:, 0]
    ours = gfpose.denoise(noisy, 0.01, prior)
    released = gfpose.denoise_as_released(noisy, 0.05, prior, steps=200)
    change = [(made - noisy).norm(dim=-1).mean() for made in (ours, released)]
    assert change[1] > 3.0 * change[0]
    named = gfpose.denoise(noisy[:2], 0.01, prior, released=True)
    assert torch.equal(named, gfpose.denoise_as_released(noisy[:2], 0.05, prior))


def test_an_unknown_approach_is_refused(prior: GaussianPrior) -> None:
    with pytest.raises(ValueError, match="no approach"):
        gfpose.hypotheses(in_2d(some_people(prior, 1)), prior, replace(FEW, approach="guess"))
