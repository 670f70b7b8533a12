# SPDX-License-Identifier: GPL-3.0-or-later
"""How a pose prior writes a joint's rotation as numbers: axis-angle, or the first two columns of its matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import roma
import torch
from torch import Tensor

SHORTEST_COLUMN = 1e-6
"""Columns shorter than this are not divided by their length: a network's degenerate answer gives no NaN."""

NORMALISATIONS = ("none", "min-max", "z-score")
"""What an event's centre and scale are (DPoser sec. D): 0 and 1; middle and half of the training poses' range, which
then fill [-1, 1]; their mean and standard deviation."""


@dataclass(frozen=True)
class Representation:
    """A way of writing rotations.

    Attributes:
        name: as kept in the weights' metadata.
        size: numbers per joint.
        encode: axis-angle (..., 3) in radians -> (..., size).
        decode: (..., size), any numbers -> axis-angle (..., 3); gradients pass.
    """

    name: str
    size: int
    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]


def _same(values: Tensor) -> Tensor:
    return values


def encode_6d(rotvec: Tensor) -> Tensor:
    """Axis-angle (..., 3) as the first two columns of the rotation matrix, row by row: (..., 6)."""
    return roma.rotvec_to_rotmat(rotvec)[..., :2].flatten(-2)


def decode_6d(columns: Tensor) -> Tensor:
    """(..., 6) numbers as axis-angle (..., 3), |angle| <= pi, by Gram-Schmidt (Zhou et al. 2019, eq. 15 and 16)."""
    rotmat = roma.special_gramschmidt(columns.unflatten(-1, (3, 2)), SHORTEST_COLUMN)
    return roma.rotmat_to_rotvec(rotmat)


REPRESENTATIONS: dict[str, Representation] = {
    "axis-angle": Representation("axis-angle", 3, _same, _same),
    "6d": Representation("6d", 6, encode_6d, decode_6d),
}
"""Representations by name."""


def joint_coordinates(joints: Tensor, size: int) -> Tensor:
    """Masks over joints (..., J) as masks over their coordinates (..., J * size)."""
    return torch.repeat_interleave(joints, size, dim=-1)
