# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of in-betweening: L2P and L2Q (Harvey et al. 2020, sec. 6.1) and NPSS (Gopalakrishnan et al. 2019).

All take the filled frames alone, (N, T, ...): N gaps of T frames.
"""

from __future__ import annotations

import numpy as np

LEAST_POWER = 1e-12  # a feature without any motion has no spectrum


def l2p(positions: np.ndarray, truth: np.ndarray, mean: np.ndarray, std: np.ndarray) -> float:
    """Mean over frames of the distance between all global joint positions, normalised.

    Args:
        positions, truth: (N, T, J, 3) metres.
        mean, std: (J, 3) statistics of training positions.
    """
    miss = ((positions - mean) - (truth - mean)) / std
    return float(np.sqrt((miss**2).sum(axis=(2, 3))).mean())


def l2q(quat: np.ndarray, truth: np.ndarray) -> float:
    """Mean over frames of the distance between all global unit quaternions (N, T, J, 4), of the nearer sign."""
    aligned = np.where((quat * truth).sum(axis=-1, keepdims=True) < 0, -quat, quat)
    return float(np.sqrt(((aligned - truth) ** 2).sum(axis=(2, 3))).mean())


def npss(features: np.ndarray, truth: np.ndarray) -> float:
    """Normalised power spectrum similarity, the less the better.

    The earth mover's distance between the power spectra over time of each feature, both normalised to sum 1, weighted
    by the true power.

    Args:
        features, truth: (N, T, F) curves; quaternions with continuous, equal signs.
    """
    power, aim = (np.abs(np.fft.fft(curves, axis=1)) ** 2 for curves in (features, truth))
    total, total_aim = (p.sum(axis=1) for p in (power, aim))
    spectrum = power / np.maximum(total, LEAST_POWER)[:, None]
    spectrum_aim = aim / np.maximum(total_aim, LEAST_POWER)[:, None]
    distance = np.abs(np.cumsum(spectrum, axis=1) - np.cumsum(spectrum_aim, axis=1)).sum(axis=1)
    return float((distance * total_aim).sum() / np.maximum(total_aim.sum(), LEAST_POWER))
