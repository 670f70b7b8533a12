# SPDX-License-Identifier: GPL-3.0-or-later
"""ScoreHMR's denoiser (Stathopoulos et al. 2024, sec. 4.2; settings.md 1.4), with its context kept out of the loop."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from engine.diffusion.networks import positional_embedding


class ContextTerm(NamedTuple):
    """What a block needs of contexts (B, F).

    Attributes:
        inner: (B, hidden) its part of the block's first product, before the norm divides.
        total, squares: (B, 1) sums of it and of its squares.
    """

    inner: Tensor
    total: Tensor
    squares: Tensor

    def shared(self, count: int) -> ContextTerm:
        """For ``count`` events, each context's side by side."""
        if len(self.inner) in (1, count):
            return self
        return ContextTerm(*(rows.repeat_interleave(count // len(rows), dim=0) for rows in self))


class ContextBlock(nn.Module):
    """x + GELU(W2 norm(GELU(W1 norm([time-scaled x, context])))), a residual block of the paper.

    The first norm is over x and context together. Its product with the context's columns is the same at every step,
    so it is made once (`told`), and the norm's mean and deviation are put together from sums.

    Args:
        dim, context, hidden, embed: of x, the context, within, and of the time's embedding.
    """

    def __init__(self, dim: int, context: int, hidden: int, embed: int) -> None:
        super().__init__()
        self.dim, self.size = dim, dim + context
        self.time = nn.Linear(embed, 2 * dim)
        self.norm = nn.LayerNorm(self.size)
        self.into = nn.Linear(self.size, hidden)
        self.within = nn.LayerNorm(hidden)
        self.out = nn.Linear(hidden, dim)

    def told(self, context: Tensor) -> ContextTerm:
        """What contexts (B, F) contribute."""
        columns = self.into.weight[:, self.dim :] * self.norm.weight[self.dim :]
        return ContextTerm(
            context @ columns.T, context.sum(dim=1, keepdim=True), context.square().sum(dim=1, keepdim=True)
        )

    def forward(self, x: Tensor, time: Tensor, context: ContextTerm) -> Tensor:
        """(B, dim) to the same; ``time`` (B or 1, embed)."""
        scale, shift = self.time(nn.functional.silu(time)).chunk(2, dim=1)
        h = scale * x + shift
        mean = (h.sum(dim=1, keepdim=True) + context.total) / self.size
        power = (h.square().sum(dim=1, keepdim=True) + context.squares) / self.size
        deviation = torch.rsqrt((power - mean.square()).clamp_min(0.0) + self.norm.eps)
        weights = self.into.weight * self.norm.weight
        inner = h @ weights[:, : self.dim].T + context.inner - mean * weights.sum(dim=1)
        inner = deviation * inner + self.into(self.norm.bias)
        return x + gelu(self.out(self.within(gelu(inner))))


class RotationMLP(nn.Module):
    """Predicts the noise of 24 joints' 6D rotations under a context feature.

    11,307,024 parameters with the 3,072 features of PARE that the authors' have.

    Args:
        dim: event size, 144 for 24 joints.
        context: features.
        hidden, blocks: 1024 and 3.
    """

    def __init__(self, dim: int = 144, context: int = 512, hidden: int = 1024, blocks: int = 3) -> None:
        super().__init__()
        self.settings = {"dim": dim, "context": context, "hidden": hidden, "blocks": blocks}
        self.dim = dim
        self.time = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, 4 * dim))
        self.start = nn.Linear(dim, dim)
        self.blocks = nn.ModuleList(ContextBlock(dim, context, hidden, 4 * dim) for _ in range(blocks))
        self.end = nn.Linear(dim, dim)

    def context_path(self, context: Tensor) -> list[ContextTerm]:
        """What blocks need of contexts (B, F), the same at every step."""
        return [cast(ContextBlock, block).told(context) for block in self.blocks]

    def forward(self, x: Tensor, t: Tensor, context: Tensor | list[ContextTerm]) -> Tensor:
        """The noise in x (B, dim); same shape.

        Args:
            x: diffused events.
            t: (B,) steps, or (1,) where shared, or a divisor of B: each then serves as many consecutive events.
            context: (B', F) features, likewise shared, or what `context_path` made of them.
        """
        terms = self.context_path(context) if isinstance(context, Tensor) else context
        time = self.time(positional_embedding(t, self.dim).to(x.dtype))
        if 1 < len(time) < len(x):
            time = time.repeat_interleave(len(x) // len(time), dim=0)
        h = self.start(x)
        for block, term in zip(self.blocks, terms, strict=True):
            h = block(h, time, term.shared(len(x)))
        return self.end(h)
