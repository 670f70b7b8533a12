# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured of x_0: linear observations y = A x_0 without noise (DPoser eq. 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Observation(Protocol):
    """A linear measurement of a batch of events.

    Attributes:
        y: (B, *) what was measured, one row per item.
    """

    @property
    def y(self) -> Tensor: ...

    def measure(self, x: Tensor) -> Tensor:
        """A x of events (B, *event), of y's shape; differentiable."""
        ...

    def replace(self, x: Tensor, y: Tensor) -> Tensor:
        """The event nearest to x that measures y: x + A^+ (y - A x)."""
        ...


@dataclass(frozen=True)
class Mask:
    """Some coordinates of each event are known; A is a diagonal of ones and zeros.

    Attributes:
        y: (B, *event), zero where unknown.
        known: bool, broadcast over y.
    """

    y: Tensor
    known: Tensor

    @classmethod
    def of(cls, x: Tensor, known: Tensor) -> Mask:
        """The known coordinates of events x (B, *event)."""
        return cls(torch.where(known, x, torch.zeros_like(x)), known)

    def measure(self, x: Tensor) -> Tensor:
        """The known coordinates, zero elsewhere."""
        return torch.where(self.known, x, torch.zeros_like(x))

    def replace(self, x: Tensor, y: Tensor) -> Tensor:
        """Known coordinates from y, the others from x."""
        return torch.where(self.known, y, x)


class Matrix:
    """A dense matrix measures every event alike.

    Args:
        matrix: (M, D) of full row rank.
        y: (B, M).
    """

    def __init__(self, matrix: Tensor, y: Tensor) -> None:
        self.y = y
        self._matrix = matrix
        self._inverse = torch.linalg.pinv(matrix)

    def measure(self, x: Tensor) -> Tensor:
        """(B, M) from events (B, D)."""
        return x @ self._matrix.mT

    def replace(self, x: Tensor, y: Tensor) -> Tensor:
        """The event nearest to x (B, D) that measures y (B, M)."""
        return x + (y - self.measure(x)) @ self._inverse.mT
