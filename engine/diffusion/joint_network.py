# SPDX-License-Identifier: GPL-3.0-or-later
"""GFPose's score network over joint positions (Ci et al. 2023, Fig. 4), with its condition kept out of the loop."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from engine.diffusion.networks import TIME_LABEL_SCALE, TimedLayer, positional_embedding


class ConditionalJointMLP(nn.Module):
    """Residual blocks of dense layers, each biased by the time and by the condition: 10.0 million parameters at the
    defaults.

    The released network is shown ``x_t - condition``, so that all of its condition path runs again at every step and
    for every hypothesis. Here the first layer sees x_t and the condition side by side, of which the difference is one
    linear choice, and the deeper path sees the condition alone: it is computed once (`condition_path`) for all steps,
    and once for all hypotheses of a pose.

    Args:
        dim: event size, 51 for 17 joints.
        seen: numbers in a condition.
        hidden, blocks, groups: as the paper: 1024, 2 and 32.
        embed: width of the embeddings of time and condition.
        dropout: 0.25 in the paper.
    """

    def __init__(
        self,
        dim: int = 51,
        seen: int = 102,
        hidden: int = 1024,
        embed: int = 512,
        blocks: int = 2,
        dropout: float = 0.0,
        groups: int = 32,
    ) -> None:
        super().__init__()
        self.settings = {
            "dim": dim,
            "seen": seen,
            "hidden": hidden,
            "embed": embed,
            "blocks": blocks,
            "groups": groups,
        }
        self.dim, self.embed = dim, embed
        self.time = nn.Linear(embed, embed)
        self.condition = nn.Linear(seen, embed)
        self.direct = nn.Linear(seen, hidden, bias=False)
        self.pre = TimedLayer(dim, hidden, embed, groups, dropout)
        self.layers = nn.ModuleList(
            TimedLayer(hidden, hidden, embed, groups, dropout) for _ in range(2 * blocks)
        )
        self.dense_c = nn.ModuleList(nn.Linear(embed, hidden, bias=False) for _ in range(2 * blocks + 1))
        self.post = nn.Linear(hidden, dim)

    def condition_path(self, seen: Tensor) -> list[Tensor]:
        """Per-layer biases (B, hidden) of conditions (B, seen)."""
        embedding = nn.functional.silu(self.condition(seen))
        first, *others = (dense(embedding) for dense in self.dense_c)
        return [first + self.direct(seen), *others]

    def time_path(self, t: Tensor) -> list[Tensor]:
        """Per-layer biases (B, hidden) of times (B,)."""
        embedding = positional_embedding(TIME_LABEL_SCALE * t, self.embed).to(self.time.weight.dtype)
        embedding = nn.functional.silu(self.time(embedding))
        return [layer.dense_t(embedding) for layer in (self.pre, *self.layers)]

    def forward(self, x: Tensor, t: Tensor, seen: Tensor | list[Tensor]) -> Tensor:
        """Predict the noise in x (B, dim); same shape.

        Args:
            x: diffused events.
            t: (B',) times; where there are fewer than events, each serves B / B' consecutive ones.
            seen: (B'', seen) conditions, or what `condition_path` made of them; likewise shared.
        """
        conditions = self.condition_path(seen) if isinstance(seen, Tensor) else seen
        biases = [
            _shared(time, len(x)) + _shared(condition, len(x))
            for time, condition in zip(self.time_path(t), conditions, strict=True)
        ]
        h = self.pre(x, biases[0])
        for i in range(0, len(self.layers), 2):
            h = h + self.layers[i + 1](self.layers[i](h, biases[i + 1]), biases[i + 2])
        return self.post(h)


def _shared(rows: Tensor, count: int) -> Tensor:
    """Rows (B', C) for ``count`` items: each for as many consecutive ones, a single one left to broadcast."""
    return rows if len(rows) in (1, count) else rows.repeat_interleave(count // len(rows), dim=0)


class JointMLP(nn.Module):
    """The deterministic twin: `ConditionalJointMLP` without time and without x, which regresses the joints.

    GFPose's Table 4 compares the two; the arguments are the same.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.twin = ConditionalJointMLP(**settings)
        self.settings = self.twin.settings

    def forward(self, seen: Tensor) -> Tensor:
        """Events (B, dim) of conditions (B, seen)."""
        start = seen.new_zeros(len(seen), self.twin.dim)
        return self.twin(start, seen.new_zeros(1), seen)
