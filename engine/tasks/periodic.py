# SPDX-License-Identifier: GPL-3.0-or-later
"""Random motion that repeats: sums of a loop's own harmonics, which set out from zero and come back to it.

A stationary Gaussian process on a circle has independent harmonics, with the covariance of its spectrum at each. What
is known of it, that it is zero at the start, conditions them in closed form, so no curve is bent to close the loop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.priors.dynamics import Dynamics

HIGHEST = 6.0  # hertz; faster than that a body at rest does not move
NYQUIST_SHARE = 0.8  # of half the frame rate; closer to it a curve's samples hardly tell what it does
RIDGE = 1e-9  # share of a covariance's trace that keeps it invertible


@dataclass(frozen=True)
class Harmonics:
    """A periodic curve of D coordinates.

    Attributes:
        cosines, sines: (K, D) coefficients of the harmonics 1 to K.
    """

    cosines: np.ndarray
    sines: np.ndarray

    def at(self, phase: np.ndarray) -> np.ndarray:
        """(T, D) values at phases (T,), of which 1 is the whole loop."""
        angle = 2.0 * np.pi * np.asarray(phase)[:, None] * np.arange(1, len(self.cosines) + 1)
        return np.cos(angle) @ self.cosines + np.sin(angle) @ self.sines


def phases(frames: int) -> np.ndarray:
    """(T,) phases of a loop whose last frame equals its first: 0 at both."""
    return np.append(np.arange(frames - 1) / (frames - 1), 0.0)


def sample(
    dynamics: Dynamics, seconds: float, fps: float, rng: np.random.Generator, resting: np.ndarray
) -> Harmonics:
    """A random periodic motion that is zero at phase 0.

    Args:
        dynamics: spectra of D coordinates.
        seconds: length of the loop.
        fps: frame rate, which nothing faster is drawn for; what is slower is the same at any rate.
        rng: one draw per harmonic, slowest first.
        resting: (D,) bool, coordinates that have no velocity at phase 0 either.
    """
    count = max(1, int(seconds * min(HIGHEST, NYQUIST_SHARE * fps / 2.0)))
    rate = np.arange(1, count + 1) / seconds
    covariance = 2.0 / seconds * dynamics.density_at(rate)
    size = dynamics.size
    values, axes = np.linalg.eigh(covariance)
    white = rng.standard_normal((count, 2, size)) * np.sqrt(np.maximum(values, 0.0))[:, None]
    cosines, sines = np.moveaxis(np.einsum("kij,kcj->kci", axes, white), 1, 0)
    return Harmonics(
        _conditioned(cosines, covariance, np.ones(count), np.ones(size, bool)),
        _conditioned(sines, covariance, rate, resting),
    )


def _conditioned(drawn: np.ndarray, covariance: np.ndarray, weight: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """Coefficients (K, D) of covariances (K, D, D) given that their sums by weights (K,) vanish in coordinates (D,)."""
    if not zero.any():
        return drawn
    total = np.einsum("k,kij->ij", weight**2, covariance[:, zero][:, :, zero])
    total += RIDGE * np.trace(total) * np.eye(len(total))
    pull = np.linalg.solve(total, weight @ drawn[:, zero])
    return drawn - weight[:, None] * (covariance[:, :, zero] @ pull)
