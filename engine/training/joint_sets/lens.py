# SPDX-License-Identifier: GPL-3.0-or-later
"""The lens and the image of a real camera: two focal lengths, and distortion as Human3.6M's own code has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_TURNS = 50
_CLOSE = 1e-6  # of the plane at depth 1: a thousandth of a pixel
_WIDEST = 5.0  # of that plane: far beyond any image, where the formula's powers would overflow


@dataclass(frozen=True)
class Lens:
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
        return np.array(self.focal) * self._bent(_on_plane(points)) + np.array(self.centre)

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """Points (..., 3) at depth 1 m that project to pixels (..., 2) in or near the image: the inverse of `project`.

        Raises:
            ValueError: a pixel is so far out that the distortion's formula has no such point near it.
        """
        bent = (np.asarray(pixels, dtype=np.float64) - self.centre) / self.focal
        flat = bent.copy()
        for _ in range(_TURNS):
            # What the formula makes too much of is taken off: lenses bend little, so this draws near fast.
            flat = np.clip(flat - (self._bent(flat) - bent), -_WIDEST, _WIDEST)
        if not (np.abs(self._bent(flat) - bent) < _CLOSE).all():
            raise ValueError("a pixel is outside of what the lens's distortion describes")
        return np.concatenate([flat * (1.0, -1.0), np.full_like(flat[..., :1], -1.0)], axis=-1)

    def _bent(self, flat: np.ndarray) -> np.ndarray:
        """Where distortion takes points (..., 2) of the plane at depth 1, the second downwards."""
        square = (flat**2).sum(axis=-1, keepdims=True)
        k1, k2, k3 = self.radial
        crosswise = np.array(self.tangential[::-1])
        radial = 1.0 + square * (k1 + square * (k2 + square * k3))
        return flat * (radial + (flat * crosswise).sum(axis=-1, keepdims=True)) + crosswise * square


def fitted(points: np.ndarray, pixels: np.ndarray, size: tuple[int, int]) -> Lens:
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
    return Lens((across[0], down[0]), (across[1], down[1]), size)


def _on_plane(points: np.ndarray) -> np.ndarray:
    """(..., 2) float64 where rays to points (..., 3) meet the plane at depth 1, to the right and downwards."""
    points = np.asarray(points, dtype=np.float64)
    return points[..., :2] * (-1.0, 1.0) / points[..., 2:]
