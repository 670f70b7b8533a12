# SPDX-License-Identifier: GPL-3.0-or-later
"""Every sampler against the closed forms of a diffused Gaussian."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from engine.diffusion.noise import Noise
from engine.diffusion.samplers import SAMPLERS, ddim, integrate, probability_flow_euler, probability_flow_heun
from engine.diffusion.schedule import bent, uniform
from engine.errors import Cancelled

T_END = 0.01
STEPS = 150
ALL = SAMPLERS | {"probability-flow Euler": probability_flow_euler}
COUNT = 20_000
SAMPLING = 4.0 / np.sqrt(COUNT)
"""Four standard errors of a mean of unit variance."""

# What finitely many steps leave from pure noise on, in the largest entry of the covariance (entries up to 1).
BIAS = {
    "euler-maruyama": 0.02,
    "predictor-corrector": 0.02,
    "probability-flow": 0.002,
    "probability-flow Euler": 0.01,
    "ddim": 0.03,
    "ddim 0.6": 0.04,
    "ancestral": 0.05,
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("start", [1.0, 0.3], ids=["from noise", "truncated"])
def test_mean_and_covariance_are_the_datas(gaussian: Any, name: str, start: float) -> None:
    times = bent(STEPS, start, T_END, 2.0)
    first = gaussian.draw(start, COUNT)
    x = integrate(gaussian.denoise, gaussian.sde, first, times, ALL[name], Noise(range(COUNT))).x.double()
    mean, covariance = gaussian.moments(T_END)
    assert float((x.mean(dim=0) - mean).abs().max()) < SAMPLING
    assert float((torch.cov(x.T) - covariance).abs().max()) < BIAS[name] + np.sqrt(2.0) * SAMPLING


@pytest.mark.parametrize(
    ("step", "order"),
    [(ddim(0.0), 1), (probability_flow_euler, 1), (probability_flow_heun, 2)],
    ids=["ddim", "euler", "heun"],
)
@pytest.mark.parametrize(("begin", "end"), [(1.0, T_END), (T_END, 1.0)], ids=["decoding", "encoding"])
def test_deterministic_steps_converge_at_their_order(
    gaussian: Any, step: Any, order: int, begin: float, end: float
) -> None:
    first = gaussian.draw(begin, 50)
    exact = gaussian.flow(first, begin, end)
    errors = [
        float(
            (integrate(gaussian.denoise, gaussian.sde, first, uniform(n, begin, end), step).x - exact)
            .abs()
            .max()
        )
        for n in (80, 160, 320)
    ]
    rates = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(rates, order, atol=0.1)


def test_encoding_then_decoding_comes_back(gaussian: Any) -> None:
    x0 = gaussian.draw(T_END, 50)
    latent = integrate(gaussian.denoise, gaussian.sde, x0, uniform(200, T_END, 1.0), probability_flow_heun).x
    back = integrate(
        gaussian.denoise, gaussian.sde, latent, uniform(200, 1.0, T_END), probability_flow_heun
    ).x
    assert float((back - x0).abs().max()) < 2e-3
    assert float((latent - x0).abs().max()) > 0.1, "the latent is not the pose"


@pytest.mark.parametrize("name", ALL)
def test_an_item_is_the_same_alone_and_in_a_batch(gaussian: Any, name: str) -> None:
    times = bent(10, 1.0, T_END, 2.0)

    def sample(seeds: list[int]) -> torch.Tensor:
        noise = Noise(seeds)
        x = noise.draw((3,))
        return integrate(gaussian.denoise, gaussian.sde, x, times, ALL[name], noise).x

    batch = sample([7, 3, 11])
    assert torch.equal(batch, sample([7, 3, 11])), "the same seeds give the same samples"
    assert torch.equal(batch[1:2], sample([3]))
    assert not torch.equal(batch[0], batch[1])


@pytest.mark.parametrize("name", ["euler-maruyama", "predictor-corrector", "ancestral"])
def test_a_stochastic_step_needs_noise(gaussian: Any, name: str) -> None:
    with pytest.raises(ValueError, match="noise"):
        integrate(gaussian.denoise, gaussian.sde, torch.zeros(1, 3), uniform(3, 1.0, 0.5), ALL[name])


def test_sampling_reports_and_stops(gaussian: Any) -> None:
    seen: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 2:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        integrate(
            gaussian.denoise, gaussian.sde, torch.zeros(1, 3), uniform(5, 1.0, 0.5), ddim(), on_iteration=stop
        )
    assert seen == [(1, 5), (2, 5)]


def test_evaluations_are_counted(gaussian: Any) -> None:
    def evaluations(name: str) -> int:
        x = torch.zeros(2, 3)
        return integrate(
            gaussian.denoise, gaussian.sde, x, uniform(6, 1.0, 0.1), ALL[name], Noise([0, 1])
        ).evaluations

    assert [evaluations(name) for name in ("ddim", "probability-flow", "predictor-corrector")] == [6, 12, 12]


def test_projection_is_the_last_word(gaussian: Any) -> None:
    def project(x: torch.Tensor, s: float) -> torch.Tensor:
        return torch.cat([torch.full_like(x[:, :1], s), x[:, 1:]], dim=1)

    x = integrate(
        gaussian.denoise, gaussian.sde, torch.ones(2, 3), uniform(5, 1.0, 0.2), ddim(), project=project
    ).x
    assert (x[:, 0] == 0.2).all()


def test_one_time_is_no_path(gaussian: Any) -> None:
    with pytest.raises(ValueError, match="two times"):
        integrate(gaussian.denoise, gaussian.sde, torch.zeros(1, 3), np.array([1.0]), ddim())
