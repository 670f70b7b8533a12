# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fit solves for, as one row of numbers per body: root, position, pose as the prior sees it, and shape."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import roma
import torch
from torch import Tensor

from engine.body import bundled, mean_offsets
from engine.motion.joints import PARENTS
from engine.priors.pose_prior import POSE_DIM, PosePrior
from engine.tasks.fit.linearisation import Placed, Points, carriers, place

ROOT = slice(0, 3)
"""Columns of the root's rotation vector, radians."""
TRANSL = slice(3, 6)
"""Columns of the pelvis' position, metres."""
BODY = slice(6, 6 + POSE_DIM)
"""Columns of the prior's event: the 21 rotation vectors, z-scored."""
BETAS = slice(BODY.stop, None)
"""Columns of the shape coefficients; there may be none."""


@lru_cache(maxsize=1)
def shape_basis() -> np.ndarray:
    """(22, 3, 10) metres by which the bundled body's offsets change per unit of each shape coefficient.

    SMPL's joints are linear in betas (Loper et al. 2015, eq. 8 and 10), so unit shapes measure the basis.
    """
    return np.stack([bundled(row).offsets - mean_offsets() for row in np.eye(10)], axis=-1)


@dataclass(frozen=True)
class Space:
    """Rows x (B, D) and what they mean.

    Attributes:
        mean, std: (63,) of the prior's normalisation.
        offsets: (22, 3) rest offsets of the mean shape, metres.
        basis: (22, 3, S) their change per shape coefficient; S = 0 where shape is given.
    """

    mean: Tensor
    std: Tensor
    offsets: Tensor
    basis: Tensor

    @classmethod
    def of(cls, prior: PosePrior, offsets: np.ndarray, basis: np.ndarray | None = None) -> Space:
        """The space of a prior and a body, in float64 on the prior's device (float32 where that has no float64)."""
        device = prior.mean.device
        dtype = torch.float32 if device.type == "mps" else torch.float64
        change = np.zeros((*offsets.shape, 0)) if basis is None else basis
        arrays = (torch.tensor(a, dtype=dtype, device=device) for a in (offsets, change))
        return cls(prior.mean.to(dtype), prior.std.to(dtype), *arrays)

    @property
    def size(self) -> int:
        """D."""
        return BODY.stop + self.basis.shape[-1]

    def zeros(self, count: int) -> Tensor:
        """(count, D) rows of the prior's mean pose, upright at the origin, of mean shape."""
        return self.mean.new_zeros(count, self.size)

    def pose(self, x: Tensor) -> Tensor:
        """(B, 22, 3) rotation vectors in radians, the root's first."""
        return torch.cat([x[:, ROOT], x[:, BODY] * self.std + self.mean], dim=1).unflatten(1, (-1, 3))

    def rows(self, pose: Tensor, transl: Tensor, betas: Tensor | None = None) -> Tensor:
        """x (B, D) of poses (B, 22, 3), positions (B, 3) and shapes (B, S), which are zero by default."""
        event = (pose[:, 1:].flatten(1).to(self.mean) - self.mean) / self.std
        shape = event.new_zeros(len(event), self.basis.shape[-1]) if betas is None else betas.to(event)
        return torch.cat([pose[:, 0].to(event), transl.to(event), event, shape], dim=1)

    def shaped(self, x: Tensor) -> Tensor:
        """(22, 3) or (B, 22, 3) offsets in metres."""
        return (
            self.offsets + torch.einsum("jcs,bs->bjc", self.basis, x[:, BETAS])
            if self.basis.shape[-1]
            else self.offsets
        )

    def place(self, x: Tensor, points: Points) -> tuple[Placed, Tensor]:
        """Points, and their derivative (B, P, 3, D) by x."""
        placed = place(self.pose(x), x[:, TRANSL], self.shaped(x), points)
        by_shape = (
            self._by_shape(x, points)
            if self.basis.shape[-1]
            else placed.points.new_zeros(*placed.points.shape, 0)
        )
        rotations = placed.by_rotation.flatten(3)
        by_place = torch.eye(3, dtype=x.dtype, device=x.device).expand(*placed.points.shape, 3)
        by_event = rotations[..., 3:] * self.std
        return placed, torch.cat([rotations[..., :3], by_place, by_event, by_shape], dim=-1)

    def turning(self, placed: Placed) -> Tensor:
        """(B, P, 3, D) rotation vectors in the world by which the points' joints turn as x changes."""
        turning = placed.turning.flatten(3)
        still = turning.new_zeros(*turning.shape[:3], 3)
        shape = turning.new_zeros(*turning.shape[:3], self.basis.shape[-1])
        return torch.cat([turning[..., :3], still, turning[..., 3:] * self.std, shape], dim=-1)

    def _by_shape(self, x: Tensor, points: Points) -> Tensor:
        """(B, P, 3, S): every bone above a point grows along its parent's axes."""
        everything = Points.of(np.arange(len(PARENTS))).to(x)
        turns = place(self.pose(x), x[:, TRANSL], self.shaped(x), everything).turns
        grown = turns[:, list(PARENTS[1:])] @ self.basis[1:]
        return torch.einsum("pk,bkcs->bpcs", carriers().to(x)[points.joints, 1:], grown)


def to_body(space: Space, x: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Poses (B, 22, 3) with angles at most pi, positions (B, 3) and shapes (B, S) of x, float64 arrays."""
    pose = roma.unitquat_to_rotvec(roma.rotvec_to_unitquat(space.pose(x)))
    return tuple(a.detach().cpu().double().numpy() for a in (pose, x[:, TRANSL], x[:, BETAS]))  # type: ignore[return-value]
