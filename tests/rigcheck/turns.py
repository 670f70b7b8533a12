# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotation matrices in plain NumPy, for Blenders whose Python has no SciPy."""

from __future__ import annotations

import numpy as np


def about(axis: str, degrees: float | np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) about "x", "y" or "z" by angles (...)."""
    vector = np.zeros((*np.shape(degrees), 3))
    vector[..., "xyz".index(axis)] = np.radians(degrees)
    return from_rotvec(vector)


def from_rotvec(vectors: np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) of rotation vectors (..., 3) in radians, by the formula of Rodrigues."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vectors, -1, 0)
    o = np.zeros_like(x)
    cross = np.stack([np.stack([o, -z, y], -1), np.stack([z, o, -x], -1), np.stack([-y, x, o], -1)], -2)
    # sin(a) / a and (1 - cos(a)) / a^2, through sinc so that no turn at all divides by nothing
    sine, cosine = np.sinc(angle / np.pi), 0.5 * np.square(np.sinc(angle / (2.0 * np.pi)))
    return np.eye(3) + sine * cross + cosine * (cross @ cross)


def angle_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angles (...) in radians between rotations (..., 3, 3), exact for small ones too (no arc cosine)."""
    apart = np.swapaxes(first, -1, -2) @ second
    skew = apart - np.swapaxes(apart, -1, -2)
    sine = np.sqrt(np.square(skew).sum(axis=(-1, -2)) / 8.0)
    cosine = (np.trace(apart, axis1=-2, axis2=-1) - 1.0) / 2.0
    return np.arctan2(sine, cosine)


def angle_of_directions(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angles (...) in radians between vectors (..., 3)."""
    sine = np.linalg.norm(np.cross(first, second), axis=-1)
    return np.arctan2(sine, (first * second).sum(axis=-1))
