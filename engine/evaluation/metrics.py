# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of motions against the truth, in the units papers print."""

from __future__ import annotations

import numpy as np

from engine.tasks.confidence import angle

MILLIMETRES = 1000.0


def mpjpe(joints: np.ndarray, truth: np.ndarray) -> float:
    """Mean per-joint position error in mm of (T, J, 3) metres, roots not aligned."""
    return float(MILLIMETRES * np.linalg.norm(joints - truth, axis=-1).mean())


def pa_mpjpe(joints: np.ndarray, truth: np.ndarray) -> float:
    """MPJPE in mm after aligning every frame by the best similarity (Procrustes; Umeyama 1991)."""
    return mpjpe(similar(joints, truth), truth)


def similar(joints: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Joints (T, J, 3), every frame moved, turned and scaled to be nearest to the truth (Umeyama 1991)."""
    centre, aim = joints.mean(axis=1, keepdims=True), truth.mean(axis=1, keepdims=True)
    x, y = joints - centre, truth - aim
    u, s, vt = np.linalg.svd(np.swapaxes(x, 1, 2) @ y)
    sign = np.ones_like(s)
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = u * sign[:, None] @ vt
    scale = (s * sign).sum(axis=1) / np.maximum((x**2).sum(axis=(1, 2)), 1e-12)
    return scale[:, None, None] * x @ rotation + aim


def rotation_error(quat: np.ndarray, truth: np.ndarray) -> float:
    """Mean geodesic distance in degrees of local rotations (T, J, 4)."""
    return float(np.rad2deg(angle(quat, truth)).mean())


def acceleration(joints: np.ndarray, fps: float) -> np.ndarray:
    """(T - 2, J, 3) metres per second squared."""
    return np.diff(joints, n=2, axis=0) * fps**2


def acceleration_error(joints: np.ndarray, truth: np.ndarray, fps: float) -> float:
    """Mean size of the difference of accelerations, metres per second squared."""
    return float(np.linalg.norm(acceleration(joints, fps) - acceleration(truth, fps), axis=-1).mean())


def jitter_ratio(joints: np.ndarray, truth: np.ndarray) -> float:
    """Mean size of the third difference of positions over that of the truth: 1 is as lively as the truth."""
    jerk = [np.linalg.norm(np.diff(j, n=3, axis=0), axis=-1).mean() for j in (joints, truth)]
    return float(jerk[0] / max(jerk[1], 1e-12))
