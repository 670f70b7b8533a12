# SPDX-License-Identifier: GPL-3.0-or-later
"""Terms of SMPLify's objective as DPoser uses it (eq. 11 and 12; Bogo et al. 2016, sec. 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.motion.joints import JOINTS

HINGES: tuple[tuple[str, int, float], ...] = (
    ("left_elbow", 1, 1.0),
    ("right_elbow", 1, -1.0),
    ("left_knee", 0, -1.0),
    ("right_knee", 0, -1.0),
)
"""Joint, coordinate of its rotation vector, and the sign that makes overstretching positive (SMPLify's ``theta_i``)."""

_COLUMNS = [JOINTS.index(joint) - 1 for joint, _, _ in HINGES]
_AXES = [axis for _, axis, _ in HINGES]
_SIGNS = [sign for _, _, sign in HINGES]


def geman_mcclure(squared: Tensor, scale: Tensor | float) -> Tensor:
    """rho(e) = s^2 e^2 / (s^2 + e^2) of squared distances (Geman and McClure 1987): e^2 when small, s^2 at most."""
    return scale**2 * squared / (scale**2 + squared)


def geman_mcclure_weight(squared: Tensor, scale: Tensor | float) -> Tensor:
    """d rho / d e^2 = (s^2 / (s^2 + e^2))^2, the weight of a residual in iterated least squares."""
    return (scale**2 / (scale**2 + squared)) ** 2


def bending(pose: Tensor, squared: bool = False) -> Tensor:
    """L_theta = sum of exp(theta_i) over elbows and knees, (B,) of poses (B, 21, 3); ``squared`` as released."""
    angles = pose[:, _COLUMNS, _AXES] * torch.tensor(_SIGNS, dtype=pose.dtype, device=pose.device)
    return torch.exp((2.0 if squared else 1.0) * angles).sum(dim=1)
