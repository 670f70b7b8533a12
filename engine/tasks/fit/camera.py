# SPDX-License-Identifier: GPL-3.0-or-later
"""A perspective camera at the origin, Y up, looking along -Z: a body of zero orientation in front of it faces it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

NEAREST = 0.1
"""Metres: points nearer to the camera's plane, or behind it, are projected as if they were this far."""


@dataclass(frozen=True)
class Camera:
    """A pinhole without distortion; pixels count from the image's top left corner, v downwards.

    Attributes:
        focal: focal length in pixels.
        centre: (u, v) of the principal point in pixels.
    """

    focal: float
    centre: tuple[float, float]

    def project(self, points: Tensor) -> Tensor:
        """Pixels (..., 2) of points (..., 3) in metres; differentiable."""
        depth = (-points[..., 2]).clamp_min(NEAREST)
        across = self.focal * points[..., 0] / depth + self.centre[0]
        down = -self.focal * points[..., 1] / depth + self.centre[1]
        return torch.stack([across, down], dim=-1)

    def linearise(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels (..., 2), and their derivative (..., 2, 3) by the points' positions."""
        depth = (-points[..., 2]).clamp_min(NEAREST)
        near = self.focal / depth
        zero = torch.zeros_like(depth)
        by_depth = near / depth
        across = torch.stack([near, zero, points[..., 0] * by_depth], dim=-1)
        down = torch.stack([zero, -near, -points[..., 1] * by_depth], dim=-1)
        return self.project(points), torch.stack([across, down], dim=-2)

    def ray(self, pixels: Tensor) -> Tensor:
        """Points (..., 3) at depth 1 m that project to pixels (..., 2)."""
        across = (pixels[..., 0] - self.centre[0]) / self.focal
        up = -(pixels[..., 1] - self.centre[1]) / self.focal
        return torch.stack([across, up, -torch.ones_like(up)], dim=-1)
