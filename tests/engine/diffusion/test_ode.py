# SPDX-License-Identifier: GPL-3.0-or-later
"""The probability flow and its likelihood against the closed forms of a diffused Gaussian."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from engine.diffusion.ode import (
    LikelihoodSettings,
    OdeSettings,
    bits_per_dimension,
    decode,
    encode,
    log_likelihood,
)
from engine.diffusion.sde import SubVP
from engine.errors import Cancelled

EXACT = OdeSettings("dopri5", t_min=0.01, rtol=1e-8, atol=1e-8, dtype=torch.float64)
SHARED = OdeSettings("dopri5", t_min=0.01)
FIXED = OdeSettings(steps=100, t_min=0.01, dtype=torch.float64)


@pytest.mark.parametrize(
    ("settings", "tolerance"),
    [
        (EXACT, 1e-6),
        (FIXED, 1e-4),
        (OdeSettings(t_min=0.01), 1e-3),
        (SHARED, 1e-3),
        (OdeSettings("midpoint", 50, t_min=0.01), 0.02),
    ],
    ids=["adaptive", "rk4", "defaults", "adaptive, defaults", "midpoint"],
)
def test_the_flow_is_the_closed_form(gaussian: Any, settings: OdeSettings, tolerance: float) -> None:
    x0 = gaussian.draw(0.01, 50)
    latent = encode(gaussian.denoise, gaussian.sde, x0, settings)
    assert latent.x.dtype == torch.float64
    assert latent.evaluations > 10
    assert float((latent.x - gaussian.flow(x0, 0.01, 1.0)).abs().max()) < tolerance
    assert float((decode(gaussian.denoise, gaussian.sde, latent.x, settings).x - x0).abs().max()) < tolerance


def test_a_fixed_grid_knows_no_batch(gaussian: Any) -> None:
    """Which an adaptive method does, to the order of its tolerance: the batch shares its steps."""
    x0 = gaussian.draw(0.01, 8)
    alone, batch = (encode(gaussian.denoise, gaussian.sde, x, FIXED).x for x in (x0[2:3], x0))
    assert torch.equal(alone[0], batch[2])
    alone, batch = (encode(gaussian.denoise, gaussian.sde, x, SHARED).x for x in (x0[2:3], x0))
    torch.testing.assert_close(alone[0], batch[2], rtol=0.0, atol=1e-3)


def _with_true_end(gaussian: Any, nats: torch.Tensor, x0: torch.Tensor) -> torch.Tensor:
    """The latents' density is N(0, I) only nearly (alpha(1) = 0.0066): put the exact one in its place."""
    latent = gaussian.flow(x0, 0.01, 1.0)
    standard = -0.5 * (latent**2 + math.log(2 * math.pi)).sum(dim=1)
    return nats - standard + gaussian.log_density(latent, 1.0)


@pytest.mark.parametrize("ode", [EXACT, FIXED], ids=["adaptive", "rk4"])
def test_likelihood_by_exact_trace_is_the_closed_form(gaussian: Any, ode: OdeSettings) -> None:
    x0 = gaussian.draw(0.01, 20)
    nats = log_likelihood(gaussian.denoise, gaussian.sde, x0, range(20), LikelihoodSettings(0, ode=ode))
    exact = gaussian.log_density(x0, 0.01)
    torch.testing.assert_close(_with_true_end(gaussian, nats, x0), exact, rtol=0.0, atol=1e-3)
    torch.testing.assert_close(nats, exact, rtol=0.0, atol=0.03)


def test_likelihood_in_more_dimensions_is_scipys(gaussian: Any) -> None:
    """Five dimensions, data at t = 0.01. 0.05 nats: noise at t = 1 is the standard normal only nearly."""
    wide = type(gaussian)()
    root = np.tril(np.random.default_rng(0).normal(0.0, 0.3, (5, 5))) + np.diag([0.9, 0.7, 0.5, 0.6, 0.8])
    wide.mean, wide.covariance = torch.linspace(-1.0, 1.0, 5).double(), torch.from_numpy(root @ root.T)
    wide.values, wide.vectors = torch.linalg.eigh(wide.covariance)
    wide.size = 5
    x0 = wide.draw(0.01, 20)
    nats = log_likelihood(wide.denoise, wide.sde, x0, range(20), LikelihoodSettings(0, ode=EXACT))
    mean, covariance = wide.moments(0.01)
    expected = multivariate_normal(mean.numpy(), covariance.numpy()).logpdf(x0.numpy())
    np.testing.assert_allclose(nats.numpy(), expected, atol=0.05)


@pytest.mark.parametrize("normal", [False, True], ids=["signs", "normal"])
def test_hutchinson_is_unbiased(gaussian: Any, normal: bool) -> None:
    x0 = gaussian.draw(0.01, 1).expand(400, 3)
    settings = LikelihoodSettings(4, normal, replace(FIXED, steps=30))
    nats = log_likelihood(gaussian.denoise, gaussian.sde, x0, range(400), settings)
    exact = log_likelihood(
        gaussian.denoise, gaussian.sde, x0[:1], [0], LikelihoodSettings(0, ode=settings.ode)
    )
    error = float(nats.std()) / math.sqrt(400)
    assert error > 1e-3, "probes differ"
    assert float(nats.mean()) == pytest.approx(float(exact[0]), abs=4 * error)


def test_likelihood_does_not_depend_on_the_path(gaussian: Any) -> None:
    """Another noise schedule between the same data and (nearly) the same noise measures the same density."""
    x0 = gaussian.draw(0.01, 10)
    found = []
    for sde in (gaussian.sde, SubVP(beta_min=0.5, beta_max=30.0)):
        t_min = float(sde.time_of_noise(torch.tensor(0.002, dtype=torch.float64)))
        other = type(gaussian)()
        other.sde = sde
        ode = replace(EXACT, t_min=t_min)
        alpha = other.marginal(t_min)[0]
        nats = log_likelihood(other.denoise, sde, alpha * x0, range(10), LikelihoodSettings(0, ode=ode))
        found.append(nats + 3 * math.log(alpha))
    torch.testing.assert_close(found[0], found[1], rtol=0.0, atol=0.03)


def test_scale_is_the_change_of_variables(gaussian: Any) -> None:
    """Data y = s x have log p(y) = log p(x) - sum log s."""
    x0 = gaussian.draw(0.01, 5)
    settings = LikelihoodSettings(0, ode=FIXED)
    scale = torch.tensor([0.5, 2.0, 0.1])
    plain = log_likelihood(gaussian.denoise, gaussian.sde, x0, range(5), settings)
    scaled = log_likelihood(gaussian.denoise, gaussian.sde, x0, range(5), settings, scale)
    torch.testing.assert_close(scaled - plain, torch.full((5,), -math.log(0.1), dtype=torch.float64))


def test_bits_per_dimension_of_a_standard_normal() -> None:
    nats = torch.tensor([-0.5 * 8 * math.log(2 * math.pi * math.e)])
    assert float(bits_per_dimension(nats, 8)) == pytest.approx(0.5 * np.log2(2 * np.pi * np.e))


def test_the_flow_reports_and_stops(gaussian: Any) -> None:
    seen: list[int] = []

    def stop(done: int, total: int) -> None:
        seen.append(done)
        if done > total // 2:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        encode(gaussian.denoise, gaussian.sde, torch.zeros(1, 3), EXACT, stop)
    assert seen == sorted(seen)
    assert 50 < seen[-1] < 100


def test_no_steps_are_no_path(gaussian: Any) -> None:
    with pytest.raises(ValueError, match="at least one step"):
        encode(gaussian.denoise, gaussian.sde, torch.zeros(1, 3), OdeSettings(steps=0))
