# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks over the joints of a skeleton: graph convolution, attention between joints, attention between frames."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


def normalised_adjacency(parents: Sequence[int]) -> Tensor:
    """(J, J) float32: D^-1/2 A D^-1/2 of the bones, without self-loops (Kipf and Welling 2017)."""
    adjacency = torch.zeros(len(parents), len(parents))
    for joint, parent in enumerate(parents):
        if parent >= 0:
            adjacency[joint, parent] = adjacency[parent, joint] = 1.0
    degree = adjacency.sum(dim=1)
    return adjacency / (degree[:, None] * degree[None]).sqrt()


class GraphConvolution(nn.Module):
    """W_0 x + A W_1 x: a joint's own features, and those of its neighbours along the bones.

    Args:
        inputs, outputs: features per joint.
        parents: of the joints.
    """

    adjacency: Tensor

    def __init__(self, inputs: int, outputs: int, parents: Sequence[int]) -> None:
        super().__init__()
        self.own = nn.Linear(inputs, outputs)
        self.neighbours = nn.Linear(inputs, outputs, bias=False)
        self.register_buffer("adjacency", normalised_adjacency(parents), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., J, inputs) to (..., J, outputs)."""
        return self.own(x) + self.adjacency.to(x.dtype) @ self.neighbours(x)


class SelfAttention(nn.Module):
    """Multi-head attention within sequences (Vaswani et al. 2017).

    Args:
        width: features; heads: that they are shared out to.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.into = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, weight: Tensor | None = None) -> Tensor:
        """(B, L, width) to the same; ``weight`` (B, L) bool says which of the sequence exist (default: all)."""
        query, key, value = self.into(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mask = None if weight is None else weight[:, None, None, :]
        return self.out(scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2).flatten(2))


class GraphAttentionBlock(nn.Module):
    """Attention between all joints and two graph convolutions, each around a residual (DiffPose sec. 4.5).

    Args:
        width, heads: of the attention.
        parents: of the joints.
        dropout: of what is added.
    """

    def __init__(self, width: int, heads: int, parents: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__()
        self.before_attention, self.before_graph = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.first = GraphConvolution(width, width, parents)
        self.second = GraphConvolution(width, width, parents)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, J, width) to the same."""
        x = x + self.dropout(self.attention(self.before_attention(x)))
        return x + self.dropout(self.second(nn.functional.gelu(self.first(self.before_graph(x)))))


class FrameBlock(nn.Module):
    """Attention of every joint to itself in other frames, and a dense layer (MixSTE's temporal block).

    Args:
        width, heads: of the attention; the dense layer is twice as wide.
        dropout: of what is added.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.before_attention, self.before_dense = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.dense = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """(B, T, J, width) to the same; ``there`` (B, T) bool, which frames exist."""
        joints = x.shape[2]
        rows = x.transpose(1, 2).flatten(0, 1)
        exist = there.repeat_interleave(joints, dim=0)
        rows = rows + self.dropout(self.attention(self.before_attention(rows), exist))
        rows = rows + self.dropout(self.dense(self.before_dense(rows)))
        return rows.unflatten(0, (-1, joints)).transpose(1, 2)


class ContextEncoder(nn.Module):
    """DiffPose's context encoder: features of every joint from 2D joints of a frame, or of a sequence of frames.

    Of a frame, graph convolution and attention between joints in turn, as GraFormer (Zhao et al. 2022); of a sequence,
    with attention between frames after each, as MixSTE (Zhang et al. 2022). It is trained to tell the 3D joints.

    Args:
        joints_of: parents of the joints.
        seen: numbers told of a joint.
        width, heads, depth: of the blocks.
        frames: longest sequence, 1 for single frames.
        dropout: of the blocks.
    """

    def __init__(
        self,
        joints_of: Sequence[int],
        seen: int = 3,
        width: int = 128,
        heads: int = 4,
        depth: int = 4,
        frames: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        # Parents are kept one up, since settings of a file are not negative.
        self.settings = {
            "joints_of": [parent + 1 for parent in joints_of],
            "seen": seen,
            "width": width,
            "heads": heads,
            "depth": depth,
            "frames": frames,
        }
        self.width, self.frames = width, frames
        self.start = GraphConvolution(seen, width, joints_of)
        self.joint = nn.Parameter(torch.zeros(len(joints_of), width))
        self.time = nn.Parameter(torch.zeros(frames, 1, width))
        self.within = nn.ModuleList(GraphAttentionBlock(width, heads, joints_of, dropout) for _ in range(depth))
        self.across = nn.ModuleList(
            FrameBlock(width, heads, dropout) for _ in range(depth if frames > 1 else 0)
        )
        self.norm = nn.LayerNorm(width)
        self.place = GraphConvolution(width, 3, joints_of)
        self.spread = nn.Linear(width, 3)

    def start_from(self, other: ContextEncoder) -> None:
        """Begin as an encoder of single frames of the same width and depth: what looks across frames adds nothing yet.

        Raises:
            ValueError: the other is not such an encoder.
        """
        kept = {name: value for name, value in other.state_dict().items() if name != "time"}
        mine = self.state_dict()
        if other.frames != 1 or any(name not in mine or mine[name].shape != kept[name].shape for name in kept):
            raise ValueError("An encoder starts from one of single frames that is as wide and as deep.")
        self.load_state_dict(kept, strict=False)
        for block in self.across:
            assert isinstance(block, FrameBlock)
            for last in (block.attention.out, block.dense[-1]):
                for parameter in last.parameters():
                    nn.init.zeros_(parameter)

    def features(self, seen: Tensor, there: Tensor | None = None) -> Tensor:
        """Context (B, T, J, width) of what is seen (B, T, J, seen) in consecutive frames.

        Args:
            seen: T is at most ``frames``.
            there: (B, T) bool, frames that exist; all by default.
        """
        count, frames = seen.shape[:2]
        exist = seen.new_ones(count, frames, dtype=torch.bool) if there is None else there
        x = self.start(seen) + self.joint
        if self.across:
            x = x + self.time[:frames]
        for place, block in enumerate(self.within):
            x = block(x.flatten(0, 1)).unflatten(0, (count, frames))
            if self.across:
                x = self.across[place](x, exist)
        return self.norm(x)

    def told(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Where the joints are, (..., J, 3), and the logarithm of how far that may be off, of features."""
        return self.place(features), self.spread(features)


class PoseGraphNet(nn.Module):
    """DiffPose's diffusion network g (sec. 4.5): three blocks of graph convolution and attention.

    A graph convolution embeds the pose in 128 features a joint, beside which those of the context are put; the sum
    with the embedding of the step goes through the blocks, and a last graph convolution tells the pose. What the paper
    has the network tell is h_{k-1}; here it tells h_0 as what it adds to the centre of the diffusion, from which DDIM's
    formula has h_{k-1} or any step before, so that five steps do for fifty.

    Args:
        joints_of: parents of the joints.
        context: features of a joint's context, 0 for none.
        width: of a pose's embedding; blocks are as wide as both together.
        heads, blocks, dropout: of the blocks.
    """

    def __init__(
        self,
        joints_of: Sequence[int],
        context: int = 128,
        width: int = 128,
        heads: int = 4,
        blocks: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.settings = {
            "joints_of": [parent + 1 for parent in joints_of],
            "context": context,
            "width": width,
            "heads": heads,
            "blocks": blocks,
        }
        self.start = GraphConvolution(6, width, joints_of)
        self.blocks = nn.ModuleList(
            GraphAttentionBlock(width + context, heads, joints_of, dropout) for _ in range(blocks)
        )
        self.norm = nn.LayerNorm(width + context)
        self.end = GraphConvolution(width + context, 3, joints_of)
        self.width = width + context

    def forward(self, pose: Tensor, centre: Tensor, step: Tensor, context: Tensor | None) -> Tensor:
        """The pose h_0 (B, J, 3).

        Args:
            pose: (B, J, 3) h_k.
            centre: (B, J, 3) mu of its diffusion.
            step: (B,) or (1,) k.
            context: (B, J, context) features, None where there are none.
        """
        x = self.start(torch.cat([pose, centre], dim=-1))
        if context is not None:
            x = torch.cat([x, context], dim=-1)
        x = x + step_embedding(step, self.width).to(x.dtype)[:, None]
        for block in self.blocks:
            x = block(x)
        return centre + self.end(self.norm(x))


def step_embedding(step: Tensor, width: int) -> Tensor:
    """(B, width): sin and cos of k / 10000^(2j / width) in turn, for steps (B,) (DiffPose supplementary, sec. 2)."""
    rates = 10000.0 ** (-torch.arange(0, width, 2, device=step.device, dtype=torch.float32) / width)
    angles = step.float()[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
