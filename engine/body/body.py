# SPDX-License-Identifier: GPL-3.0-or-later
"""A body of one shape: its joints, and the skin that follows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import roma
import torch

from engine.body.kinematics import forward_kinematics
from engine.motion.joints import JOINTS, PARENTS

CHUNK = 32  # frames skinned at once: a skin of 25,000 vertices then needs some tens of megabytes


class Skin(Protocol):
    """Vertices that follow the 22 joints."""

    def __call__(self, local: torch.Tensor, rotations: torch.Tensor, pelvis: torch.Tensor) -> torch.Tensor:
        """Posed vertices (B, V, 3) in metres.

        Args:
            local: (B, 22, 3, 3) float32 local rotation matrices, index 0 the root's orientation.
            rotations: (B, 22, 3, 3) float32 global rotation matrices.
            pelvis: (B, 3) float32 position of the pelvis joint in metres.
        """
        ...


@dataclass(frozen=True)
class Body:
    """A body of one shape in SMPL's convention: 22 joints, metres, Y up, facing +Z, T-pose = zero.

    Attributes:
        offsets: (22, 3) float64, rest position of each joint relative to its parent; row 0 is zero.
        pelvis_offset: (3,) float64, rest position of the pelvis from the model's origin. SMPL and AMASS files
            store translations of that origin: pelvis position = their translation + `pelvis_offset`.
        betas: (S,) float64 shape coefficients.
        faces: (F, 3) int64 triangles of the skin.
        skin: poses the vertices.
        names: joint names.
        parents: parent of each joint, -1 for the pelvis.
    """

    offsets: np.ndarray
    pelvis_offset: np.ndarray
    betas: np.ndarray
    faces: np.ndarray
    skin: Skin
    names: tuple[str, ...] = JOINTS
    parents: tuple[int, ...] = PARENTS

    def joints(self, poses: torch.Tensor | np.ndarray, transl: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Joint positions (..., 22, 3) in metres, of the dtype of `poses`.

        Args:
            poses: (..., 22, 3) axis-angle in radians, index 0 the root's orientation.
            transl: (..., 3) position of the pelvis in metres.
        """
        poses = torch.as_tensor(poses)
        offsets = torch.as_tensor(self.offsets).to(poses)
        return forward_kinematics(roma.rotvec_to_rotmat(poses), offsets, torch.as_tensor(transl))[0]

    def vertices(self, poses: torch.Tensor | np.ndarray, transl: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Skin vertices (..., V, 3) in metres, of the dtype of `poses` but computed in float32.

        Args:
            poses: (..., 22, 3) axis-angle in radians, index 0 the root's orientation; hands stay relaxed.
            transl: (..., 3) position of the pelvis in metres.
        """
        poses = torch.as_tensor(poses)
        pelvis = torch.as_tensor(transl).to(poses).expand(*poses.shape[:-2], 3).reshape(-1, 3)
        local = roma.rotvec_to_rotmat(poses.reshape(-1, len(self.names), 3))
        rotations = forward_kinematics(local, torch.as_tensor(self.offsets).to(poses), pelvis)[1]
        chunks = [
            self.skin(*(part.float() for part in parts)).to(poses.dtype)
            for parts in zip(local.split(CHUNK), rotations.split(CHUNK), pelvis.split(CHUNK), strict=True)
        ]
        vertices = torch.cat(chunks)
        return vertices.reshape(*poses.shape[:-2], *vertices.shape[1:])


def fit_betas(betas: np.ndarray | None, count: int) -> np.ndarray:
    """Shape coefficients (count,) float64 of a model that has `count`.

    They belong to principal components, the largest first: those that the model lacks are left out, those not
    given are zero, None is the mean shape.

    Raises:
        ValueError: `betas` is not a vector of finite numbers.
    """
    given = np.zeros(0) if betas is None else np.asarray(betas, dtype=np.float64)
    if given.ndim != 1 or not np.isfinite(given).all():
        raise ValueError(f"Shape coefficients must be one row of finite numbers, not {given!r}.")
    return np.pad(given[:count], (0, max(0, count - len(given))))
