# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of 3D joints from lifters against the truth, as Human3.6M's and MPI-INF-3DHP's tables have them.

All begin with the distance of each joint in each frame (`root_aligned` is protocol 1, `similar` protocol 2); hypotheses
are an axis before the frames, and `best` picks among them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.evaluation.metrics import MILLIMETRES, similar
from engine.motion.h36m import JOINTS

ROOT = JOINTS.index("pelvis")

COUNTED: tuple[int, ...] = tuple(
    index for index, joint in enumerate(JOINTS) if joint not in ("pelvis", "spine", "nose")
)
"""The 14 joints that MPI-INF-3DHP's own evaluation counts (its mpii_get_pck_auc_joint_groups)."""

THRESHOLD = 150.0
THRESHOLDS: tuple[float, ...] = tuple(5.0 * step for step in range(31))
"""Millimetres: of PCK, and of the curve whose mean is AUC (Mehta et al. 2017; its mpii_compute_3d_pck)."""


def root_aligned(joints: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distances (..., 17) in mm of joints with both pelvises at the origin: protocol 1 of Human3.6M.

    Args:
        joints: (..., T, 17, 3) metres, any axes before.
        truth: (T, 17, 3) metres.
    """
    return _distances(joints - joints[..., ROOT : ROOT + 1, :], truth - truth[..., ROOT : ROOT + 1, :])


def procrustes_aligned(joints: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distances (..., 17) in mm after the best similarity of every frame: protocol 2 of Human3.6M.

    Args: as of `root_aligned`.
    """
    spread = np.broadcast_to(truth, joints.shape)
    flat = similar(joints.reshape(-1, *joints.shape[-2:]), spread.reshape(-1, *joints.shape[-2:]))
    return _distances(flat.reshape(joints.shape), truth)


def best(distances: np.ndarray) -> np.ndarray:
    """Distances (T, 17) of the hypothesis of each frame whose mean distance is least, of (S, T, 17): minMPJPE."""
    chosen = distances.mean(axis=-1).argmin(axis=0)
    return np.take_along_axis(distances, chosen[None, :, None], axis=0)[0]


def pck(distances: np.ndarray, threshold: float = THRESHOLD, joints: Sequence[int] = COUNTED) -> float:
    """Share in percent of distances (..., 17) in mm that are below a threshold: 3D PCK (Mehta et al. 2017)."""
    return float(100.0 * (distances[..., list(joints)] < threshold).mean())


def auc(distances: np.ndarray, joints: Sequence[int] = COUNTED) -> float:
    """Mean of PCK in percent over `THRESHOLDS`, of which the first, zero, none passes."""
    return float(np.mean([pck(distances, threshold, joints) for threshold in THRESHOLDS]))


def _distances(joints: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return MILLIMETRES * np.linalg.norm(joints - truth, axis=-1)
