# SPDX-License-Identifier: GPL-3.0-or-later
"""Where points of the body are, and how they move with every rotation: analytic Jacobians of the kinematics.

A joint k whose rotation vector changes by d turns everything below it about itself by ``omega = G_k J_r(theta_k) d``
in the world, so a point p moves by ``omega x (p - p_k)``; J_r is the right Jacobian of SO(3) (Chirikjian 2012,
eq. 10.86).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import roma
import torch
from torch import Tensor

from engine.body import forward_kinematics
from engine.motion.joints import JOINTS, PARENTS

SERIES_BELOW = 1e-4
"""Radians below which the coefficients of J_r come from their series; the next term is below 1e-9."""


class Placed(NamedTuple):
    """Points of the body in a pose.

    Attributes:
        points: (B, P, 3) metres.
        turns: (B, P, 3, 3) global rotations of the joints that carry them.
        by_rotation: (B, P, 3, 22, 3) derivative of the points by every joint's rotation vector.
        turning: (B, P, 3, 22, 3) rotation vector in the world by which a point's joint turns, likewise.
    """

    points: Tensor
    turns: Tensor
    by_rotation: Tensor
    turning: Tensor


@dataclass(frozen=True)
class Points:
    """Points fixed to joints.

    Attributes:
        joints: (P,) int64, the joint that carries each.
        places: (P, 3) float64, where it is in that joint's own axes, metres; zero is the joint itself.
    """

    joints: Tensor
    places: Tensor

    @classmethod
    def of(cls, joints: np.ndarray, places: np.ndarray | None = None) -> Points:
        """Points at ``joints`` (P,), set off by ``places`` (P, 3) metres in the joints' axes (default: none)."""
        carried = np.zeros((len(joints), 3)) if places is None else places
        return cls(
            torch.as_tensor(np.asarray(joints, np.int64)), torch.as_tensor(carried, dtype=torch.float64)
        )

    def to(self, like: Tensor) -> Points:
        """The same points on the device and in the precision of another tensor."""
        return Points(self.joints.to(like.device), self.places.to(like))


@lru_cache(maxsize=1)
@torch.inference_mode(False)
def carriers() -> Tensor:
    """(22, 22) float64 on the CPU, 1 where the column's joint moves what the row's joint carries."""
    carried = np.eye(len(JOINTS))
    for joint, parent in enumerate(PARENTS[1:], start=1):
        carried[joint] += carried[parent]
    return torch.from_numpy(carried)


def right_jacobian(rotvec: Tensor) -> Tensor:
    """J_r (..., 3, 3) with ``exp(theta + d) = exp(theta) exp(J_r d)`` to first order, for theta (..., 3) radians."""
    squared = rotvec.square().sum(dim=-1, keepdim=True)[..., None]
    angle = squared.clamp_min(SERIES_BELOW**2).sqrt()
    small = squared < SERIES_BELOW**2
    first = torch.where(small, 0.5 - squared / 24.0, (1.0 - angle.cos()) / angle**2)
    second = torch.where(small, 1.0 / 6.0 - squared / 120.0, (angle - angle.sin()) / angle**3)
    x, y, z = rotvec.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    identity = torch.eye(3, dtype=rotvec.dtype, device=rotvec.device)
    return identity - first * cross + second * (cross @ cross)


def place(pose: Tensor, transl: Tensor, offsets: Tensor, points: Points) -> Placed:
    """Points in poses, with their derivatives.

    Args:
        pose: (B, 22, 3) axis-angle in radians, index 0 the root's orientation.
        transl: (B, 3) position of the pelvis in metres; every point moves with it one to one.
        offsets: (22, 3) or (B, 22, 3) the body's rest offsets in metres.
        points: what to place, on the device of ``pose``.
    """
    joints, turns = forward_kinematics(roma.rotvec_to_rotmat(pose), offsets, transl)
    carried = turns[:, points.joints]
    where = joints[:, points.joints] + (carried @ points.places[:, :, None])[..., 0]
    axes = (turns @ right_jacobian(pose)).mT  # (B, 22, coordinate, world)
    below = carriers().to(pose)[points.joints][None, :, :, None, None]
    turning = axes[:, None] * below
    arms = (where[:, :, None] - joints[:, None])[:, :, :, None].expand_as(turning)
    moved = torch.linalg.cross(turning, arms)
    return Placed(where, carried, moved.permute(0, 1, 4, 2, 3), turning.permute(0, 1, 4, 2, 3))
