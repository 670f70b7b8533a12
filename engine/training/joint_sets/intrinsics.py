# SPDX-License-Identifier: GPL-3.0-or-later
"""The lens and the image of a real camera: two focal lengths, and distortion as Human3.6M's own cameras have it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Intrinsics:
    """A camera at the origin, Y up, looking along -Z; pixels count from the image's top left corner, v downwards.

    Attributes:
        focal: focal lengths across and down, pixels.
        centre: (u, v) of the principal point, pixels.
        size: width and height of the image, pixels.
        radial: coefficients of the second, fourth and sixth power of the distance from the axis.
        tangential: p1 and p2.
    """

    focal: tuple[float, float]
    centre: tuple[float, float]
    size: tuple[int, int]
    radial: tuple[float, float, float] = (0.0, 0.0, 0.0)
    tangential: tuple[float, float] = (0.0, 0.0)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) of points (..., 3) in metres in front of the camera.

        Distortion is that of the cameras in Human3.6M's code (Ionescu et al. 2014): with (x, y) on the plane at depth
        1, v downwards, and r their length, (x, y) (1 + k1 r^2 + k2 r^4 + k3 r^6 + p1 y + p2 x) + (p2, p1) r^2. OpenCV
        has twice p1 y + p2 x.
        """
        flat = _on_plane(points)
        square = (flat**2).sum(axis=-1, keepdims=True)
        k1, k2, k3 = self.radial
        crosswise = np.array(self.tangential[::-1])
        radial = 1.0 + square * (k1 + square * (k2 + square * k3))
        bent = flat * (radial + (flat * crosswise).sum(axis=-1, keepdims=True)) + crosswise * square
        return np.array(self.focal) * bent + np.array(self.centre)


def fitted(points: np.ndarray, pixels: np.ndarray, size: tuple[int, int]) -> Intrinsics:
    """The lens without distortion that takes points (N, 3) to pixels (N, 2) best, in the sense of least squares.

    Raises:
        ValueError: the points are not in front of the camera, or all on one line through it.
    """
    if not len(points) or (points[:, 2] >= 0).any():
        raise ValueError("points are not in front of the camera")
    flat = _on_plane(points)
    spread = flat.std(axis=0)
    if (spread < 1e-6).any():
        raise ValueError("points are on one line through the camera")
    lines = [np.polyfit(flat[:, side], pixels[:, side], 1) for side in range(2)]
    across, down = ((float(slope), float(start)) for slope, start in lines)
    return Intrinsics((across[0], down[0]), (across[1], down[1]), size)


def _on_plane(points: np.ndarray) -> np.ndarray:
    """(..., 2) float64 where rays to points (..., 3) meet the plane at depth 1, to the right and downwards."""
    points = np.asarray(points, dtype=np.float64)
    return points[..., :2] * (-1.0, 1.0) / points[..., 2:]
