# SPDX-License-Identifier: GPL-3.0-or-later
"""The cosine schedule against its closed form, and the released code's figures."""

from __future__ import annotations

import math

import pytest
import torch

from engine.diffusion.sde import CosineVP


def kept(step: float) -> float:
    """The squared alpha of Nichol and Dhariwal's eq. 17."""
    return math.cos((step / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 / math.cos(0.008 / 1.008 * math.pi / 2) ** 2


def test_marginals_are_the_closed_form_s_as_far_as_no_beta_is_cut() -> None:
    sde = CosineVP()
    steps = torch.arange(0, 999, dtype=torch.float64)
    alpha, sigma = sde.marginal(steps)
    expected = torch.tensor([kept(float(step)) for step in steps], dtype=torch.float64)
    torch.testing.assert_close(alpha.square(), expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(alpha.square() + sigma.square(), torch.ones_like(alpha))
    assert float(sde.marginal(torch.tensor(1000.0, dtype=torch.float64))[0]) > 0.0
    assert (sde.t_min, sde.t_max) == (1.0, 1000.0)


@pytest.mark.parametrize(("index", "squared"), [(50, 0.9917), (100, 0.9716)])
def test_it_is_the_released_one(index: int, squared: float) -> None:
    """Whose arrays begin with what is our step 1."""
    alpha, sigma = CosineVP().marginal(torch.tensor(index + 1.0, dtype=torch.float64))
    assert float(alpha) ** 2 == pytest.approx(squared, abs=5e-5)
    if index == 50:
        assert float(sigma) == pytest.approx(0.091, abs=5e-4)
