# SPDX-License-Identifier: GPL-3.0-or-later
"""Per-item noise: standard normal, independent between items, draws and places, and the item's own."""

from __future__ import annotations

import numpy as np
import torch
from scipy import stats

from engine.diffusion.noise import Noise

REJECT = 1e-4
"""A p-value below this is no chance; seeds are fixed, so the tests do not waver."""


def test_numbers_are_standard_normal() -> None:
    drawn = Noise(range(2000)).draw((7, 9))
    assert drawn.shape == (2000, 7, 9)
    assert drawn.dtype == torch.float32
    assert stats.kstest(drawn.flatten().numpy(), "norm").pvalue > REJECT
    tails = float((drawn.abs() > 3.0).double().mean())
    expected = 2.0 * stats.norm.sf(3.0)
    assert abs(tails - expected) < 4.0 * np.sqrt(expected / drawn.numel())


def test_one_items_draws_are_normal_too() -> None:
    """Neither a stream over time nor a single long draw may run in patterns."""
    noise = Noise([5])
    over_time = torch.cat([noise.draw((63,)) for _ in range(500)])
    assert stats.kstest(over_time.flatten().numpy(), "norm").pvalue > REJECT
    assert stats.kstest(Noise([5]).draw((30_000,)).flatten().numpy(), "norm").pvalue > REJECT


def test_items_draws_and_places_are_uncorrelated() -> None:
    """Correlations of neighbouring seeds, successive draws, neighbouring places, and both halves of a Box-Muller pair.

    Each is of 60,000 pairs, so within four times 1 / sqrt(60,000) of 0; squares too, which show a shared radius.
    """
    noise = Noise(range(1000))
    first, second = noise.draw((60,)).numpy(), noise.draw((60,)).numpy()
    pairs = {
        "seeds": (first[:-1], first[1:]),
        "draws": (first, second),
        "places": (first[:, :-1], first[:, 1:]),
        "halves": (first[:, :30], first[:, 30:]),
    }
    for name, (a, b) in pairs.items():
        for power in (1, 2):
            found = np.corrcoef((a**power).ravel(), (b**power).ravel())[0, 1]
            assert abs(found) < 4.0 / np.sqrt(a.size), (name, power)


def test_an_items_noise_is_its_own() -> None:
    batch, alone = Noise([4, 9, 2]), Noise([9])
    for event in [(3,), (2, 5), (63,)]:
        assert torch.equal(batch.draw(event)[1:2], alone.draw(event))


def test_seeds_repeat_and_differ() -> None:
    assert torch.equal(Noise([1, 1]).draw((8,))[0], Noise([1]).draw((8,))[0])
    assert not torch.equal(Noise([1]).draw((8,)), Noise([2]).draw((8,)))
    noise = Noise([1])
    assert not torch.equal(noise.draw((8,)), noise.draw((8,)))
