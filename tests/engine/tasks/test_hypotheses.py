# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters of candidates against cases whose best answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.tasks.hypotheses import cluster, summarise


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_separate_groups_are_found_and_ranked_by_size() -> None:
    rng = np.random.default_rng(0)
    sizes, centres = (30, 20, 10), np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    points = np.concatenate([c + 0.1 * rng.normal(size=(n, 2)) for n, c in zip(sizes, centres, strict=True)])
    order = rng.permutation(60)
    features = torch.from_numpy(points[order])[None]
    labels = cluster(features, 3, seeded())
    means, share = summarise(features.movedim(0, 1), labels, 3)
    assert share[:, 0].tolist() == pytest.approx([0.5, 1 / 3, 1 / 6])
    np.testing.assert_allclose(means[:, 0], centres, atol=0.1)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_middles_are_principal_points_of_a_uniform_variable(count: int) -> None:
    """The principal points of U(0, 1) are (2 i - 1) / 2 S (Flury 1990)."""
    features = torch.linspace(0.0, 1.0, 401, dtype=torch.float64)[torch.randperm(401, generator=seeded())]
    labels = cluster(features[None, :, None], count, seeded())
    means, _ = summarise(features[:, None, None], labels, count)
    expected = (2 * np.arange(count) + 1) / (2 * count)
    np.testing.assert_allclose(np.sort(means[:, 0, 0]), expected, atol=0.05)


def test_an_item_has_the_same_clusters_in_any_batch() -> None:
    features = torch.randn(5, 40, 6, generator=seeded())
    together = cluster(features, 4, seeded())
    for n in range(5):
        assert torch.equal(cluster(features[n : n + 1], 4, seeded())[0], together[n])


def test_candidates_that_are_all_alike_are_one_cluster() -> None:
    features = torch.ones(2, 8, 3)
    labels = cluster(features, 3, seeded())
    means, share = summarise(features.movedim(0, 1), labels, 3)
    assert share[:, 0].tolist() == [1.0, 0.0, 0.0] and torch.equal(means, torch.ones(3, 2, 3))
