# SPDX-License-Identifier: GPL-3.0-or-later
"""The normal distribution of poses: what a linear guess of missing joints is made from.

Not a prior anyone would sample from; it is where the motion prior starts when a joint is never seen.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from engine.errors import WeightsError

FILE = Path(__file__).resolve().parent.parent / "weights" / "gaussian.safetensors"
SCHEMA = "dposer-pose-gaussian/1"
SIZE = 63
MAX_BYTES = 1_000_000
DOUBT = 0.35  # standard deviations of each coordinate that known joints are doubted by: few people were seen


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
        doubted = self.covariance + np.diag(DOUBT**2 * np.diag(self.covariance))
        patterns, which = np.unique(coordinates, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            if pattern.all():
                continue
            rows = which.reshape(-1) == number
            gain = np.linalg.solve(
                doubted[np.ix_(pattern, pattern)], self.covariance[np.ix_(pattern, ~pattern)]
            )
            out[np.ix_(rows, ~pattern)] = (
                self.mean[~pattern] + (flat[np.ix_(rows, pattern)] - self.mean[pattern]) @ gain
            )
        return out.reshape(poses.shape)

    def save(self, path: Path, notes: dict[str, str]) -> None:
        """Write in float32, whole or not at all; ``notes`` go into the metadata."""
        sibling = path.with_suffix(".partial")
        tensors = {k: np.ascontiguousarray(getattr(self, k), np.float32) for k in ("mean", "covariance")}
        save_file(tensors, sibling, {"schema": SCHEMA, **notes})
        os.replace(sibling, path)

    @classmethod
    def load(cls, path: Path | None = None) -> PoseGaussian:
        """The bundled one, or that in ``path``.

        Raises:
            WeightsError: the file is missing, damaged, or holds something else.
        """
        path = path or FILE
        if not path.is_file():
            raise WeightsError(f"The weights file {path.name} is missing; reinstall DPoser.")
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ValueError("too large")
            with safe_open(path, framework="numpy") as file:
                if (file.metadata() or {}).get("schema") != SCHEMA:
                    raise ValueError("another schema")
                mean, covariance = (file.get_tensor(key).astype(np.float64) for key in ("mean", "covariance"))
            if mean.shape != (SIZE,) or covariance.shape != (SIZE, SIZE):
                raise ValueError("shapes differ")
            if not (np.isfinite(mean).all() and (np.linalg.eigvalsh(covariance) > -1e-6).all()):
                raise ValueError("not finite, or no covariance")
        except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
            raise WeightsError(f"The weights file {path.name} is damaged; reinstall DPoser.") from error
        return cls(mean, covariance)
