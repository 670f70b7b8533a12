# SPDX-License-Identifier: GPL-3.0-or-later
"""How diverse, how plausible and how new generated poses are (DPoser Tab. 1 and its second version's additions)."""

from __future__ import annotations

import numpy as np
from scipy.linalg import sqrtm
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from engine.body import Body
from engine.evaluation.places import places

CENTIMETRES = 100.0
MILLIMETRES = 1000.0


def average_pairwise_distance(body: Body, poses: np.ndarray) -> float:
    """APD in cm: mean over all pairs of poses of the mean distance over 22 joints, roots aligned (DPoser Tab. 1).

    Args:
        body: whose joints are measured.
        poses: (N, 21, 3) axis-angle, N >= 2.

    Raises:
        ValueError: fewer than two poses.
    """
    if len(poses) < 2:
        raise ValueError("A pairwise distance needs at least two poses.")
    joints = places(body, poses)
    total = sum(pdist(joints[:, j]).mean() for j in range(joints.shape[1]))
    return float(CENTIMETRES * total / joints.shape[1])


def frechet_distance(poses: np.ndarray, reference: np.ndarray) -> float:
    """Frechet distance of normal distributions fitted to two sets of poses (Heusel et al. 2017, eq. 6), "FID".

    As DPoser's second version has it: on the raw 63 axis-angle numbers, in square radians; no network is involved.

    Args:
        poses, reference: (N, 21, 3) and (M, 21, 3) axis-angle.
    """
    a, b = (p.reshape(len(p), -1).astype(np.float64) for p in (poses, reference))
    covariances = np.cov(a.T), np.cov(b.T)
    root = sqrtm(covariances[0] @ covariances[1]).real
    between = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum()
    return float(between + np.trace(covariances[0] + covariances[1] - 2.0 * root))


class Novelty:
    """Distance of poses to the nearest of a set, by joint positions.

    Args:
        body: whose joints are measured.
        known: (M, 21, 3) axis-angle poses.
    """

    def __init__(self, body: Body, known: np.ndarray) -> None:
        self._body = body
        self._tree = cKDTree(places(body, known).reshape(len(known), -1))

    def nearest(self, poses: np.ndarray) -> np.ndarray:
        """(N,) root mean square joint distance in mm from each pose (N, 21, 3) to its nearest neighbour."""
        joints = places(self._body, poses)
        distance, _ = self._tree.query(joints.reshape(len(joints), -1))
        return MILLIMETRES * distance / np.sqrt(joints.shape[1])
