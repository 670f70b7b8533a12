# SPDX-License-Identifier: GPL-3.0-or-later
"""A few hypotheses that stand for many candidates: diverse, and ranked by how much of the posterior each one holds.

Of S answers of which the best will be kept, the least expected error is had by the centres of S clusters (the
principal points of a distribution; Flury 1990), not by S random draws: these repeat the likely and miss the rare.
"""

from __future__ import annotations

import torch
from torch import Tensor

ITERATIONS = 15  # of Lloyd's algorithm; assignments no longer change by then


def cluster(features: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """k-means (Lloyd 1982, seeded as k-means++; Arthur, Vassilvitskii 2007) of many small sets at once.

    Args:
        features: (N, C, F) features of C candidates of each of N items.
        count: clusters per item, at most C.
        generator: on the CPU.

    Returns:
        (N, C) int64 cluster of each candidate, ranked: 0 is the largest, and empty clusters come last.
    """
    items, candidates, _ = features.shape
    rows = torch.arange(items)
    # Candidates are random already, so the first is as good as any. Drawing by distance is an argmax under Gumbel
    # noise that belongs to the candidate's number, so an item's clusters do not depend on its batch.
    chosen = [torch.zeros(items, dtype=torch.int64)]
    gumbel = -torch.empty(count, candidates).exponential_(generator=generator).log().to(features.device)
    nearest = torch.full((items, candidates), torch.inf, device=features.device)
    for draw in range(count - 1):
        newest = features[rows, chosen[-1]][:, None]
        nearest = torch.minimum(nearest, (features - newest).square().sum(dim=-1))
        chosen.append((nearest.clamp_min(1e-12).log() + gumbel[draw]).argmax(dim=1).cpu())
    centres = features[rows[:, None], torch.stack(chosen, dim=1)]
    for _ in range(ITERATIONS):
        labels = torch.cdist(features, centres).argmin(dim=2)
        member = torch.nn.functional.one_hot(labels, count).to(features)
        size = member.sum(dim=1)[..., None]
        centres = torch.where(size > 0, member.mT @ features / size.clamp_min(1.0), centres)
    order = size[..., 0].argsort(dim=1, descending=True, stable=True)
    return order.argsort(dim=1).gather(1, labels)


def summarise(candidates: Tensor, labels: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The mean of each cluster, and its share of the candidates.

    Args:
        candidates: (C, N, D) in a space where means make sense.
        labels: (N, C) from `cluster`.
        count: clusters.

    Returns:
        means (count, N, D), those of empty clusters being the candidates' own mean; shares (count, N).
    """
    member = torch.nn.functional.one_hot(labels, count).to(candidates)  # (N, C, S)
    size = member.sum(dim=1)
    sums = torch.einsum("ncs,cnd->snd", member, candidates)
    means = torch.where(
        (size > 0).T[..., None], sums / size.T[..., None].clamp_min(1.0), candidates.mean(dim=0)
    )
    return means, (size / len(candidates)).T
