# SPDX-License-Identifier: GPL-3.0-or-later
"""A convolutional network over time: curves in, curves out, any number of frames."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from engine.diffusion.networks import TIME_LABEL_SCALE, positional_embedding


class TimeConvolution(nn.Module):
    """A dilated convolution of three frames without bias; its weights are one matrix, as Muon wants."""

    def __init__(self, inputs: int, outputs: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.weight = nn.Parameter(torch.empty(outputs, 3 * inputs))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5.0))

    def forward(self, x: Tensor) -> Tensor:
        """From (B, inputs, T) to (B, outputs, T)."""
        kernel = self.weight.unflatten(1, (-1, 3))
        return nn.functional.conv1d(x, kernel, padding=self.dilation, dilation=self.dilation)


class Pointwise(nn.Linear):
    """A linear layer over the channels of (B, C, T)."""

    def forward(self, x: Tensor) -> Tensor:
        """From (B, inputs, T) to (B, outputs, T)."""
        return nn.functional.conv1d(x, self.weight[..., None], self.bias)


class TemporalBlock(nn.Module):
    """Residual block: dilated convolution over time, then a pointwise layer; scaled and shifted by the time t."""

    def __init__(self, hidden: int, embed: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.film = nn.Linear(embed, 2 * hidden)
        self.conv = TimeConvolution(hidden, hidden, dilation)
        self.point = Pointwise(hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        for parameter in self.point.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.film(embedding)[:, :, None].chunk(2, dim=1)
        h = self.conv(x) * (1.0 + scale) + shift
        return x + self.point(self.dropout(nn.functional.silu(h)))


class TemporalScoreNet(nn.Module):
    """A stack of `TemporalBlock`: what an image denoiser is in two dimensions, in one.

    Positions in time are relative and nothing is normalised over a window, so that any clip length goes through and
    an answer depends on the frames around it alone, up to the sum of the dilations away. Blocks begin as the identity,
    which keeps the deep stack trainable without normalisation.

    Args:
        inputs, outputs: channels.
        hidden, embed: channels inside, and of the embedding of the diffusion time.
        dilations: one block for each.
        dropout: in training.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: int = 256,
        embed: int = 128,
        dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 1, 2, 4, 8, 16),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.settings = {
            "inputs": inputs,
            "outputs": outputs,
            "hidden": hidden,
            "embed": embed,
            "dilations": list(dilations),
        }
        self.embed = embed
        self.time = nn.Linear(embed, embed)
        self.pre = nn.Conv1d(inputs, hidden, 3, padding=1)
        self.blocks = nn.ModuleList(TemporalBlock(hidden, embed, d, dropout) for d in dilations)
        self.post = nn.Conv1d(hidden, outputs, 1)
        for parameter in self.post.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """From x (B, T, inputs) at diffusion times t, (B,) or (1,), to (B, T, outputs)."""
        embedding = positional_embedding(TIME_LABEL_SCALE * t, self.embed).to(self.time.weight.dtype)
        embedding = nn.functional.silu(self.time(embedding))
        h = self.pre(x.transpose(1, 2))
        for block in self.blocks:
            h = block(h, embedding)
        return self.post(nn.functional.silu(h)).transpose(1, 2)
