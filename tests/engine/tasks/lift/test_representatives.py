# SPDX-License-Identifier: GPL-3.0-or-later
"""Hypotheses that stand for others: found where groups are, nearer to all than as many draws."""

from __future__ import annotations

import pytest
import torch

from engine.tasks.lift.representatives import representatives


def test_groups_are_found() -> None:
    generator = torch.Generator().manual_seed(0)
    groups = torch.randn(2, 4, 17, 3, generator=generator)
    of = torch.arange(40) % 4
    drawn = groups[:, of] + 1e-3 * torch.randn(2, 40, 17, 3, generator=generator)
    found = representatives(drawn, 4)
    away = (found[:, :, None] - groups[:, None]).norm(dim=-1).amax(dim=-1)  # (person, found, group)
    nearest = away.min(dim=2)
    assert float(nearest.values.max()) < 3e-3
    assert all(len(set(row.tolist())) == 4 for row in nearest.indices)


def test_they_are_nearer_to_what_may_be_than_as_many_draws() -> None:
    generator = torch.Generator().manual_seed(0)
    # A limb's few ways to move, of many joints.
    ways = torch.randn(4, 17 * 3, generator=generator)
    drawn, truth = (
        (torch.randn(8, count, 4, generator=generator) @ ways).unflatten(2, (17, 3)) for count in (800, 200)
    )

    def miss(some: torch.Tensor) -> float:
        return float((some[:, None] - truth[:, :, None]).norm(dim=-1).mean(dim=-1).amin(dim=2).mean())

    assert miss(representatives(drawn, 50)) < 0.93 * miss(drawn[:, :50])


def test_as_many_as_there_are_stay() -> None:
    drawn = torch.randn(1, 6, 17, 3, generator=torch.Generator().manual_seed(0))
    found = representatives(drawn, 6)
    assert torch.allclose(found[0].sum(dim=(1, 2)).sort().values, drawn[0].sum(dim=(1, 2)).sort().values, atol=1e-5)
    with pytest.raises(ValueError, match="6 hypotheses"):
        representatives(drawn, 7)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("places", [1, 2, 3])
def test_hypotheses_in_fewer_places_than_asked_for_are_all_of_them(places: int) -> None:
    """A joint that is known exactly, or a network that always says the same."""
    there = torch.randn(1, places, 17, 3, generator=torch.Generator().manual_seed(0))
    found = representatives(there.repeat(1, 10, 1, 1), 5)
    away = (found[:, :, None] - there[:, None]).norm(dim=-1).amax(dim=-1)  # (1, found, place)
    assert found.shape == (1, 5, 17, 3) and float(away.min(dim=2).values.max()) < 1e-6
    assert float(away.min(dim=1).values.max()) < 1e-6
