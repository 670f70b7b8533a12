# SPDX-License-Identifier: GPL-3.0-or-later
"""The least-squares solver against closed forms and SciPy; robust loss; the prior's Gaussian on a Gaussian prior."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from torch import Tensor, nn

from engine.diffusion.sde import SubVP
from engine.priors.pose_prior import POSE_DIM, PosePrior
from engine.tasks.fit.gaussian import LEVEL, precision_of
from engine.tasks.fit.levenberg import Linear, minimise
from engine.tasks.fit.terms import bending, geman_mcclure, geman_mcclure_weight


def test_a_linear_problem_with_a_gaussian_prior_has_its_posterior_mean() -> None:
    rng = np.random.default_rng(0)
    design, data, centre = (torch.from_numpy(rng.normal(size=s)) for s in ((3, 4, 6), (3, 4), (3, 6)))
    root = torch.from_numpy(rng.normal(size=(6, 6)))
    precision = root @ root.T + torch.eye(6)

    def linearise(x: Tensor) -> Linear:
        values = (design @ x[..., None])[..., 0] - data
        return Linear(values, design, values.square().sum(dim=1))

    found = minimise(linearise, torch.zeros(3, 6, dtype=torch.float64), centre, precision, 20)
    slope = (design.mT @ data[..., None] + precision @ centre[..., None])[..., 0]
    expected = torch.linalg.solve(design.mT @ design + precision, slope)
    torch.testing.assert_close(found.x, expected, atol=1e-8, rtol=0)


def test_rosenbrocks_valley_ends_where_scipy_ends() -> None:
    starts = torch.tensor([[-1.2, 1.0], [2.0, -3.0]], dtype=torch.float64)

    def linearise(x: Tensor) -> Linear:
        values = torch.stack([10.0 * (x[:, 1] - x[:, 0] ** 2), 1.0 - x[:, 0]], dim=1)
        one, zero = torch.ones_like(x[:, 0]), torch.zeros_like(x[:, 0])
        rows = torch.stack([torch.stack([-20.0 * x[:, 0], 10.0 * one], 1), torch.stack([-one, zero], 1)], 1)
        return Linear(values, rows, values.square().sum(dim=1))

    found = minimise(linearise, starts, torch.zeros(2).double(), torch.zeros(2, 2).double(), 60).x
    for start, end in zip(starts.numpy(), found.numpy(), strict=True):
        other = least_squares(lambda v: [10.0 * (v[1] - v[0] ** 2), 1.0 - v[0]], start)
        np.testing.assert_allclose(end, other.x, atol=1e-6)


def test_geman_mcclure_is_quadratic_near_zero_bounded_far_away_and_its_weight_is_its_slope() -> None:
    squared = torch.tensor([1e-8, 4.0, 1e12], dtype=torch.float64, requires_grad=True)
    rho = geman_mcclure(squared, 3.0)
    assert rho[0].item() == pytest.approx(1e-8)
    assert rho[2].item() == pytest.approx(9.0)
    rho.sum().backward()
    torch.testing.assert_close(squared.grad, geman_mcclure_weight(squared.detach(), 3.0))


def test_bending_grows_where_knees_and_elbows_overstretch() -> None:
    straight = torch.zeros(4, 21, 3)
    assert bending(straight).tolist() == [4.0] * 4
    bent = straight.clone()
    bent[0, 3, 0] = bent[1, 4, 0] = 1.0  # knees flex about +x
    bent[2, 17, 1] = -1.0  # the left elbow about -y
    bent[3, 18, 1] = 1.0  # the right one about +y
    torch.testing.assert_close(bending(bent), torch.full((4,), 3.0 + np.exp(-1.0)).float())
    torch.testing.assert_close(bending(-bent, squared=True), torch.full((4,), 3.0 + np.exp(2.0)).float())


def test_the_gaussian_is_read_off_the_exact_denoiser_of_a_gaussian() -> None:
    rng = np.random.default_rng(1)
    axes, _ = np.linalg.qr(rng.normal(size=(POSE_DIM, POSE_DIM)))
    covariance = torch.from_numpy(axes @ np.diag(np.linspace(0.2, 3.0, POSE_DIM)) @ axes.T).float()
    sde = SubVP()

    class Exact(nn.Module):
        settings = {"dim": POSE_DIM}  # noqa: RUF012

        def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
            alpha, sigma = (float(c) for c in sde.marginal(t))
            identity = torch.eye(POSE_DIM)
            return sigma * torch.linalg.solve(alpha**2 * covariance + sigma**2 * identity, x_t.T).T

    prior = PosePrior(Exact(), torch.zeros(POSE_DIM), torch.ones(POSE_DIM), sde)  # type: ignore[arg-type]
    expected = torch.linalg.inv(covariance.double())
    assert 0 < LEVEL < 1
    torch.testing.assert_close(precision_of(prior), expected, atol=5e-3, rtol=5e-3)
