# SPDX-License-Identifier: GPL-3.0-or-later
"""The body that needs no licensed file: the wooden mannequin of the package mannequin-x (Apache-2.0)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import roma
import torch

from engine.body.body import Body, fit_betas
from engine.body.kinematics import forward_kinematics
from engine.body.mean_shape import mean_offsets
from engine.motion.joints import JOINTS, PARENTS

if TYPE_CHECKING:
    from mannequin import Mannequin

_PROBES = 32  # poses the skin is measured in; 22 would determine it


def bundled(betas: np.ndarray | None = None) -> Body:
    """The bundled mannequin, on the joints of the SMPL-X neutral body of a given shape.

    Args:
        betas: up to ten SMPL-X shape coefficients; None is the mean shape.

    Raises:
        ValueError: `betas` is not a vector of finite numbers.
    """
    from mannequin import Mannequin  # here, so that kinematics alone does not pay for it

    shape = fit_betas(betas, 10)
    model = Mannequin("wooden", shape=shape)
    joints = model.joint_transforms(model.rest_pose(dtype=np.float64))[_joint_indices(model), :3, 3]
    offsets = joints - joints[list(PARENTS)]
    offsets[0] = 0.0
    return Body(offsets, joints[0].copy(), shape, model.faces.astype(np.int64), MannequinSkin(model))


def pose_joints(pose: torch.Tensor) -> torch.Tensor:
    """Joints (..., 22, 3) in metres of the bundled body in poses without a root, pelvis at 0 and not turned.

    Args:
        pose: (..., 21, 3) axis-angle in radians; gradients pass.
    """
    local = roma.rotvec_to_rotmat(pose)
    root = torch.eye(3, dtype=pose.dtype, device=pose.device).expand(*local.shape[:-3], 1, 3, 3)
    offsets = torch.tensor(mean_offsets()).to(pose)
    return forward_kinematics(torch.cat([root, local], dim=-3), offsets, torch.zeros(3).to(pose))[0]


def _joint_indices(model: Mannequin) -> list[int]:
    """Where the mannequin has the 22 joints."""
    sides = {"left": "L", "right": "R"}
    return [
        model.joint_index("_".join(sides.get(word, word.capitalize()) for word in name.split("_")))
        for name in JOINTS
    ]


class MannequinSkin:
    """Linear blend skinning as one matrix product.

    With hands at rest, a vertex blended from joints is linear in their global rotations: ``v - pelvis = sum_j
    R_j c_j``, where the vectors ``c_j`` hold the skinning weights and the rest places of vertex and joints.
    The package does not offer its weights, so the vectors are found by least squares from random poses.
    """

    def __init__(self, model: Mannequin) -> None:
        self._model = model

    @cached_property
    def basis(self) -> torch.Tensor:
        """(66, V) float32, the vectors ``c_j``."""
        model = self._model
        pose = model.rest_pose(batch_dims=(_PROBES,), dtype=np.float64)
        random = np.random.default_rng(0)
        pose["body_pose"] = random.normal(size=pose["body_pose"].shape)
        pose["global_rotation"] = random.normal(size=pose["global_rotation"].shape)
        transforms = model.joint_transforms(pose)[:, _joint_indices(model)]
        # One pose at a time: the package blends in float64 with a matrix per vertex and influence.
        posed = np.stack([model.vertices({k: v[i] for k, v in pose.items()}) for i in range(_PROBES)])
        observed = (posed - transforms[:, :1, :3, 3]).transpose(0, 2, 1).reshape(3 * _PROBES, -1)
        rotations = transforms[..., :3, :3].transpose(0, 2, 1, 3).reshape(3 * _PROBES, -1)
        return torch.as_tensor(np.linalg.lstsq(rotations, observed, rcond=None)[0], dtype=torch.float32)

    def __call__(self, local: torch.Tensor, rotations: torch.Tensor, pelvis: torch.Tensor) -> torch.Tensor:
        """Posed vertices (B, V, 3); see `engine.body.body.Skin`."""
        rows = rotations.permute(0, 2, 1, 3).flatten(2)
        return (rows @ self.basis.to(rows.device)).mT + pelvis[:, None]
