# SPDX-License-Identifier: GPL-3.0-or-later
"""Forward kinematics of a joint tree, one level of the tree at a time and all frames at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch

from engine.motion.joints import PARENTS


def kinematic_levels(parents: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Joints grouped by their distance from the root, the root's own level first.

    Args:
        parents: parent index of each joint, -1 for joint 0 only; a parent precedes its children.

    Raises:
        ValueError: joint 0 is not the only root, or a parent does not precede its child.
    """
    if not parents or parents[0] != -1 or any(not 0 <= p < j for j, p in enumerate(parents) if j):
        raise ValueError("The joints must form one tree that starts at joint 0, parents before children.")
    depth = [0]
    for parent in parents[1:]:
        depth.append(depth[parent] + 1)
    return tuple(tuple(j for j, d in enumerate(depth) if d == level) for level in range(max(depth) + 1))


@dataclass(frozen=True)
class _Plan:
    """Index tensors of one tree on one device.

    Attributes:
        order: (J,) joints sorted by level.
        inverse: (J,) place of each joint in `order`.
        sizes: number of joints in each level.
        parents_in_level: for each level but the first, where its joints' parents are in the level above.
        parents: (J-1,) parent of each joint but the root.
        ancestors: (J, J) float64, 1 where the column's joint is the row's joint or above it.
    """

    order: torch.Tensor
    inverse: torch.Tensor
    sizes: tuple[int, ...]
    parents_in_level: tuple[torch.Tensor, ...]
    parents: torch.Tensor
    ancestors: torch.Tensor


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # a plan first made under inference_mode could not serve autograd later
def _plan(parents: tuple[int, ...], device: torch.device) -> _Plan:
    levels = kinematic_levels(parents)
    order = [j for level in levels for j in level]
    ancestors = torch.eye(len(parents), dtype=torch.float64)
    for j, parent in enumerate(parents[1:], start=1):
        ancestors[j] += ancestors[parent]
    above = [
        torch.tensor([upper.index(parents[j]) for j in level], device=device)
        for upper, level in pairwise(levels)
    ]
    return _Plan(
        order=torch.tensor(order, device=device),
        inverse=torch.tensor([order.index(j) for j in range(len(parents))], device=device),
        sizes=tuple(len(level) for level in levels),
        parents_in_level=tuple(above),
        parents=torch.tensor(parents[1:], dtype=torch.long, device=device),
        ancestors=ancestors.to(device),
    )


def forward_kinematics(
    rotmats: torch.Tensor,
    offsets: torch.Tensor,
    transl: torch.Tensor,
    parents: Sequence[int] = PARENTS,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Joint positions and global rotations from local rotations (Loper et al. 2015, SMPL, eq. 3 and 4).

    ::

        globals[j] = globals[parent] @ rotmats[j]
        joints[j] = joints[parent] + globals[parent] @ offsets[j]

    The root is at ``transl``; its own offset is not used. Differentiable with respect to all three inputs.

    Args:
        rotmats: (..., J, 3, 3) local rotation matrices, index 0 the root's orientation.
        offsets: (..., J, 3) rest position of each joint relative to its parent; leading dimensions broadcast.
        transl: (..., 3) position of joint 0; leading dimensions broadcast.
        parents: parent of each joint, one root at index 0, parents first; the SMPL body's by default.

    Returns:
        joints (..., J, 3) in the units of `offsets`, globals (..., J, 3, 3), both of `rotmats`' dtype.

    Raises:
        ValueError: shapes do not fit each other or the tree.
    """
    count = len(parents)
    if rotmats.shape[-3:] != (count, 3, 3) or offsets.shape[-2:] != (count, 3) or transl.shape[-1:] != (3,):
        raise ValueError(
            f"Expected (..., {count}, 3, 3), (..., {count}, 3) and (..., 3), not {tuple(rotmats.shape)}, "
            f"{tuple(offsets.shape)} and {tuple(transl.shape)}."
        )
    batch = torch.broadcast_shapes(rotmats.shape[:-3], offsets.shape[:-2], transl.shape[:-1])
    plan = _plan(tuple(parents), rotmats.device)
    offsets, transl = offsets.to(rotmats), transl.to(rotmats)

    # Frames go last: every step is then an elementwise product over long contiguous rows, which for 3x3
    # matrices is three times as fast as batched matrix multiplication, forwards and backwards.
    local = rotmats.expand(*batch, count, 3, 3).reshape(-1, count, 3, 3).permute(1, 2, 3, 0)
    local = local.index_select(0, plan.order)
    levels = list(local.split(plan.sizes))
    for depth, above in enumerate(plan.parents_in_level, start=1):
        parent = levels[depth - 1].index_select(0, above)
        levels[depth] = (parent[:, :, :, None] * levels[depth][:, None]).sum(dim=2)
    rotations = torch.cat(levels).index_select(0, plan.inverse)

    if offsets.dim() == 2:
        along = offsets[1:, None, :, None]
    else:
        along = offsets.expand(*batch, count, 3).reshape(-1, count, 3).permute(1, 2, 0)[1:, None]
    bones = (rotations.index_select(0, plan.parents) * along).sum(dim=2)
    root = transl.expand(*batch, 3).reshape(1, -1, 3).mT
    frames = rotations.shape[-1]
    # A joint's position is the sum of the bones above it: one product with the 0/1 matrix of ancestors.
    joints = plan.ancestors.to(rotmats.dtype) @ torch.cat([root, bones]).reshape(count, 3 * frames)
    joints = joints.reshape(count, 3, frames).permute(2, 0, 1)
    return joints.reshape(*batch, count, 3), rotations.permute(3, 0, 1, 2).reshape(*batch, count, 3, 3)
