# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips in overlapping windows, and rotations as vectors around each window's mean.

Every joint's rotation in a window is written as ref * exp(x), with ref the joint's mean over the window, so that
x (radians, in the joint's own axes) does not depend on where the body is. Windows are blended back on the sphere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation


def rotvec_to_quat(rotvec: np.ndarray) -> np.ndarray:
    """Axis-angle (..., 3) in radians to unit quaternions WXYZ (..., 4)."""
    flat = Rotation.from_rotvec(rotvec.reshape(-1, 3)).as_quat(scalar_first=True)
    return flat.reshape(*rotvec.shape[:-1], 4)


def quat_to_rotvec(quat: np.ndarray) -> np.ndarray:
    """Unit quaternions WXYZ (..., 4) to axis-angle (..., 3), |angle| <= pi."""
    flat = Rotation.from_quat(quat.reshape(-1, 4), scalar_first=True).as_rotvec()
    return flat.reshape(*quat.shape[:-1], 3)


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton product of quaternions WXYZ, broadcasting."""
    aw, av, bw, bv = a[..., :1], a[..., 1:], b[..., :1], b[..., 1:]
    scalar = aw * bw - np.sum(av * bv, axis=-1, keepdims=True)
    return np.concatenate([scalar, aw * bv + bw * av + np.cross(av, bv)], axis=-1)


def conjugate(q: np.ndarray) -> np.ndarray:
    """Inverse of unit quaternions WXYZ."""
    return q * np.asarray([1.0, -1.0, -1.0, -1.0])


def mean_rotation(quat: np.ndarray) -> np.ndarray:
    """Chordal mean over axis -3 of (..., W, J, 4): the eigenvector of the summed outer products (Markley 2007)."""
    outer = np.einsum("...wja,...wjb->...jab", quat, quat)
    return np.linalg.eigh(outer)[1][..., -1]


def smooth_reference(quat: np.ndarray, fps: float, seconds: float) -> np.ndarray:
    """A slowly moving reference (T, J, 4): the input averaged by a Gaussian of that standard deviation."""
    aligned = continuous(quat)
    smooth = gaussian_filter1d(aligned, seconds * fps, axis=0, mode="nearest")
    return smooth / np.maximum(np.linalg.norm(smooth, axis=-1, keepdims=True), 1e-12)


def extend(path: np.ndarray, pad: int) -> np.ndarray:
    """A path (T, 3) continued by ``pad`` frames at either end, point-reflected, so that it goes on as it went."""
    return np.concatenate([2.0 * path[0] - path[pad:0:-1], path, 2.0 * path[-1] - path[-2 : -pad - 2 : -1]])


def smooth_path(path: np.ndarray, fps: float, seconds: float) -> np.ndarray:
    """A path (T, 3) averaged by a Gaussian of that standard deviation."""
    pad = min(len(path) - 1, round(3 * seconds * fps))
    if pad < 1:
        return path.copy()
    return gaussian_filter1d(extend(path, pad), seconds * fps, axis=0)[pad:-pad]


def continuous(quat: np.ndarray) -> np.ndarray:
    """Quaternions (T, ..., 4) with the sign of each frame chosen nearest to the frame before."""
    flips = np.sum(quat[1:] * quat[:-1], axis=-1) < 0
    sign = np.concatenate(
        [np.ones((1, *quat.shape[1:-1])), np.where(np.cumsum(flips, axis=0) % 2, -1.0, 1.0)]
    )
    return quat * sign[..., None]


def log_around(reference: np.ndarray, quat: np.ndarray) -> np.ndarray:
    """x (..., 3) with quat = reference * exp(x); broadcasting."""
    return quat_to_rotvec(multiply(conjugate(reference), quat))


def exp_around(reference: np.ndarray, x: np.ndarray) -> np.ndarray:
    """reference * exp(x), unit quaternions (..., 4); broadcasting."""
    return multiply(reference, rotvec_to_quat(x))


def between(curve: np.ndarray, at: np.ndarray) -> np.ndarray:
    """A curve (T, ...) at places ``at`` (N,) from 0 to T - 1, on straight lines between its frames; T is 2 at least."""
    low = np.minimum(at.astype(int), len(curve) - 2)
    share = (at - low).reshape(-1, *[1] * (curve.ndim - 1))
    return (1.0 - share) * curve[low] + share * curve[low + 1]


def between_rotations(quat: np.ndarray, at: np.ndarray) -> np.ndarray:
    """As `between` for unit quaternions WXYZ (T, J, 4), on arcs of constant speed."""
    low = np.minimum(at.astype(int), len(quat) - 2)
    share = (at - low)[:, None, None]
    return exp_around(quat[low], share * log_around(quat[low], quat[low + 1]))


def vectors(window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Windows (B, W, J, 4 or 3) as vectors (B, W, 3 J) around their means, and the means (B, 1, J, .)."""
    if window.shape[-1] == 4:
        mean = mean_rotation(window)[:, None]
        x = log_around(mean, window)
    else:
        mean = window.mean(axis=1, keepdims=True)
        x = window - mean
    return x.reshape(*window.shape[:2], -1), mean


@dataclass(frozen=True)
class Windows:
    """Cover of T frames by windows of equal length whose blending weights sum to one.

    Attributes:
        frames: T.
        length: frames per window; the whole clip where it is shorter than asked.
        starts: (n,) first frames; the last window ends with the clip.
    """

    frames: int
    length: int
    starts: np.ndarray

    @classmethod
    def cover(cls, frames: int, length: int) -> Windows:
        """Windows of ``length`` frames, each overlapping its neighbours by at least half."""
        length = min(length, frames)
        hop = max(1, length // 2)
        starts = np.arange(0, max(frames - length, 0) + hop, hop)
        return cls(frames, length, np.unique(np.minimum(starts, frames - length)))

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """Window starts, ``size`` at a time."""
        for i in range(0, len(self.starts), size):
            yield self.starts[i : i + size]

    def cut(self, clip: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """(B, length, ...) windows of a clip (T, ...)."""
        return clip[starts[:, None] + np.arange(self.length)]

    @property
    def taper(self) -> np.ndarray:
        """(length,) blending weight inside a window: zero towards its ends, where least is known."""
        phase = (np.arange(self.length) + 0.5) / self.length
        return np.sin(np.pi * phase) ** 2 + 1e-3

    def add(self, total: np.ndarray, windows: np.ndarray, starts: np.ndarray) -> None:
        """Add tapered windows (B, length, ...) into a sum (T, ...), in place."""
        shaped = self.taper.reshape(-1, *[1] * (windows.ndim - 2))
        for window, start in zip(windows, starts, strict=True):
            total[start : start + self.length] += shaped * window

    def weight(self) -> np.ndarray:
        """(T,) sum of the tapers, to divide blended vectors by; blended quaternions are normalised instead."""
        total = np.zeros(self.frames)
        for start in self.starts:
            total[start : start + self.length] += self.taper
        return total
