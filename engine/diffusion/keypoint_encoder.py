# SPDX-License-Identifier: GPL-3.0-or-later
"""A context feature from 2D keypoints, where no network for images gives one."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class KeypointEncoder(nn.Module):
    """Dense layers with residuals (Martinez et al. 2017) from keypoints to a feature, and from that to an event.

    The event is what a regression network would take for the answer; it is trained along and makes the feature tell
    what regression networks' features tell.

    Args:
        seen: numbers told of keypoints.
        context: of the feature.
        dim: of an event.
        hidden, blocks: of the layers.
    """

    def __init__(self, seen: int = 51, context: int = 512, dim: int = 144, hidden: int = 1024, blocks: int = 2) -> None:
        super().__init__()
        self.settings = {"seen": seen, "context": context, "dim": dim, "hidden": hidden, "blocks": blocks}
        self.into = nn.Linear(seen, hidden)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.SiLU(), nn.LayerNorm(hidden),
                nn.Linear(hidden, hidden), nn.SiLU(),
            )
            for _ in range(blocks)
        )  # fmt: skip
        self.out = nn.Linear(hidden, context)
        self.norm = nn.LayerNorm(context)
        self.answer = nn.Linear(context, dim)

    def forward(self, keypoints: Tensor) -> Tensor:
        """Features (B, context) of keypoints (B, seen)."""
        h = torch.nn.functional.silu(self.into(keypoints))
        for block in self.blocks:
            h = h + block(h)
        return self.norm(self.out(h))
