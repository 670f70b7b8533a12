# SPDX-License-Identifier: GPL-3.0-or-later
"""The normal distribution of poses: what a linear guess of missing joints is made from.

Not a prior anyone would sample from; it is where the motion prior starts when a joint is never seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.priors.array_file import load_arrays, save_arrays

FILE = Path(__file__).resolve().parent.parent / "weights" / "gaussian.safetensors"
SCHEMA = "dposer-pose-gaussian/1"
SIZE = 63
MAX_BYTES = 1_000_000
DOUBT = 0.35  # standard deviations of each coordinate that known joints are doubted by: few people were seen
LEAST_DOUBT = np.deg2rad(2.0)  # of each coordinate: toes hardly turned sideways in training, and those of rigs may
FARTHEST = 4.0  # standard deviations that a known coordinate counts as away from the mean, at most


@dataclass(frozen=True)
class PoseGaussian:
    """Mean and covariance of body poses in axis-angle.

    Attributes:
        mean: (63,) radians.
        covariance: (63, 63) radians squared.
    """

    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, poses: np.ndarray, weights: np.ndarray) -> PoseGaussian:
        """From poses (N, 21, 3) with weights (N,)."""
        flat = poses.reshape(len(poses), -1).astype(np.float64)
        share = weights / weights.sum()
        mean = share @ flat
        centred = flat - mean
        return cls(mean, (centred * share[:, None]).T @ centred)

    def complete(self, poses: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Poses (T, 21, 3) with unknown joints, known (T, 21), at their mean given the known ones."""
        flat = poses.reshape(len(poses), -1)
        out = flat.copy()
        coordinates = np.repeat(known, 3, axis=1)
        spread = np.sqrt(np.diag(self.covariance) + LEAST_DOUBT**2)
        doubted = self.covariance + np.diag(DOUBT**2 * np.diag(self.covariance) + LEAST_DOUBT**2)
        away = np.clip(flat - self.mean, -FARTHEST * spread, FARTHEST * spread)
        patterns, which = np.unique(coordinates, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            if pattern.all():
                continue
            rows = which.reshape(-1) == number
            gain = np.linalg.solve(
                doubted[np.ix_(pattern, pattern)], self.covariance[np.ix_(pattern, ~pattern)]
            )
            out[np.ix_(rows, ~pattern)] = (
                self.mean[~pattern] + away[np.ix_(rows, pattern)] @ gain
            )
        return out.reshape(poses.shape)

    def save(self, path: Path, notes: dict[str, str]) -> None:
        """Write in float32, whole or not at all; ``notes`` go into the metadata."""
        save_arrays(path, SCHEMA, {"mean": self.mean, "covariance": self.covariance}, notes)

    @classmethod
    def load(cls, path: Path | None = None) -> PoseGaussian:
        """The bundled one, or that in ``path``.

        Raises:
            WeightsError: the file is missing, damaged, or holds something else.
        """
        return cls(*load_arrays(path or FILE, SCHEMA, MAX_BYTES, _checked))


def _checked(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    mean, covariance = arrays["mean"], arrays["covariance"]
    if mean.shape != (SIZE,) or covariance.shape != (SIZE, SIZE):
        raise ValueError("shapes differ")
    if not (np.isfinite(mean).all() and (np.linalg.eigvalsh(covariance) > -1e-6).all()):
        raise ValueError("not finite, or no covariance")
    return mean, covariance
