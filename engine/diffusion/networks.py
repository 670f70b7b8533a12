# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw networks: arrays in, arrays out. What their output means is the Denoiser's business."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

TIME_LABEL_SCALE = 999.0
"""Times in [0, 1] are embedded as labels in [0, 999] (score_sde convention, kept by DPoser and GFPose)."""


def positional_embedding(label: Tensor, dim: int, max_positions: float = 10000.0) -> Tensor:
    """Sine-cosine embedding of labels (B,) as (B, dim); even ``dim`` (Vaswani et al. 2017, score_sde form)."""
    half = dim // 2
    rates = torch.exp(
        torch.arange(half, device=label.device, dtype=torch.float32) * (-math.log(max_positions) / (half - 1))
    )
    angles = label.float()[:, None] * rates
    return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)


class TimedLayer(nn.Module):
    """dropout(SiLU(GroupNorm(dense(x) + dense_t(time)))), the one layer DPoser's network is made of."""

    def __init__(self, inputs: int, hidden: int, embed: int, groups: int, dropout: float) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, hidden)
        self.dense_t = nn.Linear(embed, hidden)
        self.norm = nn.GroupNorm(groups, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, time_bias: Tensor) -> Tensor:
        return self.dropout(nn.functional.silu(self.norm(self.dense(x) + time_bias)))


class ScoreMLP(nn.Module):
    """DPoser's time-conditioned MLP (paper sec. B; settings.md 1.1): 7,227,967 parameters at the defaults.

    Args:
        dim: event size, 63 for 21 axis-angle joints.
        hidden, embed, blocks: 1024, 512, 2; each block is two layers with a residual around them.
        dropout: 0.1.
        released_scaling: divide the output by the VE noise table that the authors' code leaves in
            (``scale_by_sigma``); needed for their weights only.
    """

    sigmas: Tensor

    def __init__(
        self,
        dim: int = 63,
        hidden: int = 1024,
        embed: int = 512,
        blocks: int = 2,
        dropout: float = 0.1,
        groups: int = 32,
        released_scaling: bool = False,
    ) -> None:
        super().__init__()
        self.settings = {
            "dim": dim,
            "hidden": hidden,
            "embed": embed,
            "blocks": blocks,
            "groups": groups,
            "released_scaling": released_scaling,
        }
        self.embed, self.released_scaling = embed, released_scaling
        self.time = nn.Linear(embed, embed)
        self.pre = TimedLayer(dim, hidden, embed, groups, dropout)
        self.layers = nn.ModuleList(
            TimedLayer(hidden, hidden, embed, groups, dropout) for _ in range(2 * blocks)
        )
        self.post = nn.Linear(hidden, dim)
        # sigma_max 50 to sigma_min 0.01, descending, as the released configuration has it.
        table = torch.exp(torch.linspace(math.log(50.0), math.log(0.01), 1000))
        self.register_buffer("sigmas", table, persistent=False)

    def time_path(self, t: Tensor) -> list[Tensor]:
        """Per-layer time biases (B, hidden) for times (B,); B = 1 serves a whole batch that shares t."""
        embedding = positional_embedding(TIME_LABEL_SCALE * t, self.embed).to(self.time.weight.dtype)
        embedding = nn.functional.silu(self.time(embedding))
        return [layer.dense_t(embedding) for layer in (self.pre, *self.layers)]

    def forward(self, x: Tensor, t: Tensor, time_biases: list[Tensor] | None = None) -> Tensor:
        """Predict from x (B, dim) at times t, (B,) or (1,) when shared; same shape as x.

        Where t has fewer rows than x, each row of t serves ``B / len(t)`` consecutive rows of x.
        """
        biases = self.time_path(t) if time_biases is None else time_biases
        if 1 < len(t) < len(x):
            biases = [b.repeat_interleave(len(x) // len(t), dim=0) for b in biases]
        h = self.pre(x, biases[0])
        for i in range(0, len(self.layers), 2):
            h = h + self.layers[i + 1](self.layers[i](h, biases[i + 1]), biases[i + 2])
        out = self.post(h)
        if self.released_scaling:
            out = out / self.sigmas[(TIME_LABEL_SCALE * t).long()][:, None].to(out.dtype)
        return out


class ConditionalScoreMLP(nn.Module):
    """`ScoreMLP`'s layers, told which coordinates are known, what they are, and how far to trust them.

    Args:
        dim: event size.
        groups_of: coordinates per joint; a joint is known or unknown as a whole.
        hidden, embed, blocks, dropout, groups: as in `ScoreMLP`.
    """

    def __init__(
        self,
        dim: int = 63,
        groups_of: int = 3,
        hidden: int = 1024,
        embed: int = 256,
        blocks: int = 2,
        dropout: float = 0.0,
        groups: int = 32,
    ) -> None:
        super().__init__()
        self.settings = {
            "dim": dim,
            "groups_of": groups_of,
            "hidden": hidden,
            "embed": embed,
            "blocks": blocks,
            "groups": groups,
        }
        self.embed, self.groups_of = embed, groups_of
        self.time = nn.Linear(embed, embed)
        self.pre = TimedLayer(2 * dim + dim // groups_of, hidden, embed, groups, dropout)
        self.layers = nn.ModuleList(
            TimedLayer(hidden, hidden, embed, groups, dropout) for _ in range(2 * blocks)
        )
        self.post = nn.Linear(hidden, dim)

    def forward(self, x: Tensor, t: Tensor, known: Tensor, trust: Tensor) -> Tensor:
        """Predict the noise of the unknown coordinates; what comes out for known ones means nothing.

        Args:
            x: (B, dim) diffused events; known coordinates are ignored.
            t: (B,), or (1,) when shared, or a divisor of B: each row then serves B / len(t) consecutive items.
            known: (B, dim) known coordinates as measured; unknown ones are ignored.
            trust: (B, joints), 0 where unknown, else 1 / sqrt(1 + s^2) for measurement noise of s standard
                deviations.
        """
        scale = trust.repeat_interleave(self.groups_of, dim=1)
        embedding = positional_embedding(TIME_LABEL_SCALE * t, self.embed).to(self.time.weight.dtype)
        embedding = nn.functional.silu(self.time(embedding))
        biases = [layer.dense_t(embedding) for layer in (self.pre, *self.layers)]
        if 1 < len(t) < len(x):
            biases = [b.repeat_interleave(len(x) // len(t), dim=0) for b in biases]
        h = self.pre(torch.cat([x * (scale == 0), known * scale, trust], dim=1), biases[0])
        for i in range(0, len(self.layers), 2):
            h = h + self.layers[i + 1](self.layers[i](h, biases[i + 1]), biases[i + 2])
        return self.post(h)
