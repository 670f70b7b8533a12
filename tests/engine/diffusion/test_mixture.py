# SPDX-License-Identifier: GPL-3.0-or-later
"""Mixtures by expectation-maximisation against scikit-learn's, and DiffPose's diffusion towards a component."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engine.diffusion.denoiser import diffuse
from engine.diffusion.mixture import Frame, GaussianMixtures
from engine.diffusion.sde import DiscreteVP


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def samples(count: int = 6, each: int = 800) -> torch.Tensor:
    """Of two clumps per row, each row's elsewhere."""
    draw = generator()
    places = 4.0 * torch.randn(count, 2, 5, generator=draw)
    which = (torch.rand(count, each, generator=draw) < 0.3).long()
    centres = torch.gather(places, 1, which[..., None].expand(-1, -1, 5))
    return centres + (0.3 + which[..., None]) * torch.randn(count, each, 5, generator=draw)


@pytest.mark.parametrize("components", [1, 2, 4])
def test_the_likelihood_is_that_of_scikit_learn(components: int) -> None:
    mixture = pytest.importorskip("sklearn.mixture")
    data = samples()
    found = GaussianMixtures.fit(data, components, generator(), iterations=60)
    ours = found.log_likelihood(data)
    for row, points in enumerate(data.numpy()):
        other = mixture.GaussianMixture(
            components, covariance_type="diag", reg_covar=1e-6, n_init=5, random_state=0
        ).fit(points)
        assert float(ours[row]) > other.score(points) - 0.05
    assert torch.allclose(found.weights.sum(dim=1), torch.ones(len(data)))


def test_every_iteration_raises_the_likelihood() -> None:
    data = samples()
    scores = torch.stack([
        GaussianMixtures.fit(data, 3, generator(), iterations=n).log_likelihood(data) for n in (0, 1, 2, 5, 20)
    ])
    assert (scores[1:] >= scores[:-1] - 1e-4).all()


@pytest.mark.parametrize("apart", [10.0, 30.0])
def test_two_modes_of_one_dimension_are_found_among_fifty_by_their_width(apart: float) -> None:
    """As likely as the mixture that the samples are of."""
    draw = generator()
    which = torch.arange(600) < 180
    data = torch.randn(16, 600, 50, generator=draw)
    data[..., 7] += apart * which
    widths = torch.ones(16, 50)
    found = GaussianMixtures.fit(data, 4, draw, width=widths)
    means = torch.zeros(16, 2, 50)
    means[:, 1, 7] = apart
    true = GaussianMixtures(torch.tensor([[0.7, 0.3]]).expand(16, -1), means, torch.ones(16, 2, 50))
    assert (found.log_likelihood(data) > true.log_likelihood(data)).all()
    unaware = GaussianMixtures.fit(data, 4, draw)
    told, untold = (
        ((m.weights * (m.means[..., 7] > 0.9 * apart)).sum(dim=1) - 0.3).abs() < 0.01 for m in (found, unaware)
    )
    assert int(told.sum()) >= 15 and int(untold.sum()) <= 8


def test_one_component_is_the_mean_and_the_deviation() -> None:
    data = samples()
    found = GaussianMixtures.fit(data, 1, generator())
    torch.testing.assert_close(found.means[:, 0], data.mean(dim=1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.stds[:, 0], data.std(dim=1, correction=0), atol=1e-3, rtol=1e-3)


def test_components_are_drawn_by_weight() -> None:
    weights, means = torch.tensor([0.2, 0.5, 0.3]).expand(10_000, -1), torch.arange(3.0)[:, None].expand(10_000, -1, -1)
    mixtures = GaussianMixtures(weights, means, torch.ones(10_000, 3, 1))
    drawn = mixtures.draw(torch.rand(10_000, generator=generator())).mean[:, 0]
    shares = [float((drawn == m).float().mean()) for m in range(3)]
    np.testing.assert_allclose(shares, [0.2, 0.5, 0.3], atol=0.02)
    assert float(mixtures.draw(torch.ones(10_000)).mean.max()) == 2.0


def test_the_diffusion_is_eq_7() -> None:
    draw = generator()
    mean, std, h0, z = (torch.randn(8, 51, generator=draw) for _ in range(4))
    frame, sde = Frame(mean, std.abs() + 0.1), DiscreteVP(50, 1e-4, 0.25)
    k = torch.tensor([0, 1, 5, 10, 20, 30, 40, 50]).float()
    diffused = frame.colour(diffuse(sde, frame.whiten(h0), k, z))
    squared = torch.cumprod(1.0 - torch.linspace(1e-4, 0.25, 50, dtype=torch.float64), dim=0)
    for row, step in enumerate(k.long().tolist()):
        a = 1.0 if step == 0 else float(squared[step - 1])
        expected = mean[row] + math.sqrt(a) * (h0[row] - mean[row]) + math.sqrt(1.0 - a) * frame.scale[row] * z[row]
        torch.testing.assert_close(diffused[row], expected, atol=1e-5, rtol=1e-5)
    # With mu = 0 and L = 1 it is the ordinary diffusion, bit for bit.
    plain = Frame(torch.zeros(8, 51), torch.ones(8, 51))
    assert torch.equal(plain.colour(diffuse(sde, plain.whiten(h0), k, z)), diffuse(sde, h0, k, z))


def test_printed_and_own_noise_end_where_they_are_said_to() -> None:
    last = torch.tensor([50.0])
    printed, own = (DiscreteVP(50, *betas).marginal(last) for betas in ((1e-4, 2e-3), (1e-4, 0.25)))
    # settings.md 1.3: sigma 0.226, alpha^2 0.949.
    assert float(printed[1]) == pytest.approx(0.226, abs=2e-3)
    assert float(printed[0]) ** 2 == pytest.approx(0.949, abs=2e-3)
    assert float(own[0]) ** 2 < 2e-3


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="components"):
        GaussianMixtures.fit(torch.randn(2, 3, 4), 4, generator())


@pytest.mark.parametrize("place", [0.0, 0.4, 20.0])
def test_samples_that_are_all_one_are_a_mixture_there(place: float) -> None:
    samples = torch.full((2, 100, 51), place)
    for width in (None, torch.full((2, 51), 0.1)):
        found = GaussianMixtures.fit(samples, 5, generator(), width=width)
        torch.testing.assert_close(found.weights.sum(dim=1), torch.ones(2))
        drawn = found.draw(torch.rand(2, generator=generator()))
        torch.testing.assert_close(drawn.mean, samples[:, 0], atol=1e-4, rtol=1e-4)
        assert float(drawn.scale.min()) > 0.0 and float(drawn.scale.max()) < 0.03
