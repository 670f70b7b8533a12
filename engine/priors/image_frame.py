# SPDX-License-Identifier: GPL-3.0-or-later
"""Between a camera's axes and the image frame that `engine.priors.joint_prior` defines."""

from __future__ import annotations

import torch
from torch import Tensor

LEAST_DISTANCE = 0.5  # metres of a joint from the camera's plane


def image_frame(joints: Tensor, distance: Tensor) -> Tensor:
    """The image frame (B, 17, 3) of joints from the pelvis in a camera's axes, the pelvis (B,) metres before it."""
    away = distance[:, None, None]
    own = (away - joints[..., 2:]).clamp_min(LEAST_DISTANCE)
    return torch.cat([joints[..., :2] * away / own, joints[..., 2:]], dim=-1)


def camera_frame(joints: Tensor, distance: Tensor) -> Tensor:
    """The inverse of `image_frame`."""
    away = distance[:, None, None]
    own = (away - joints[..., 2:]).clamp_min(LEAST_DISTANCE)
    return torch.cat([joints[..., :2] * own / away, joints[..., 2:]], dim=-1)


def to_the_axis(rays: Tensor) -> Tensor:
    """The least rotations (..., 3, 3) that bring unit rays (..., 3) with z < 0 onto (0, 0, -1)."""
    x, y, z = rays.unbind(-1)
    share = 1.0 / (1.0 - z)
    return torch.stack(
        [
            torch.stack([1.0 - x * x * share, -x * y * share, x], dim=-1),
            torch.stack([-x * y * share, 1.0 - y * y * share, y], dim=-1),
            torch.stack([-x, -y, -z], dim=-1),
        ],
        dim=-2,
    )
