# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the motion prior starts from when limbs are missing: dynamics near known frames, a linear guess far off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from engine.motion.windows import continuous, exp_around, log_around, quat_to_rotvec, rotvec_to_quat
from engine.priors.pose_gaussian import PoseGaussian
from engine.priors.spectra_file import load as load_spectra
from engine.tasks.evidence import CHANNELS, Evidence, gather
from engine.tasks.temporal import fill_gaps, gap_seconds

REACH_SECONDS = 0.7  # from a known frame, at which the guess weighs as much as the dynamics
SMOOTH_SECONDS = 0.1  # standard deviation of the Gaussian that the guess is smoothed by
NEVER_SHARE = 0.7  # of a coordinate's spread over all poses that is left when the other joints are known


def completion_reference(
    quat: np.ndarray,
    path: np.ndarray,
    known: np.ndarray,
    fps: float,
    gaussian: PoseGaussian,
    noise: np.ndarray,
    placed: bool = True,
) -> Evidence:
    """Evidence for a clip with missing joints.

    Args:
        quat: (T, 22, 4) unit quaternions WXYZ, sign-continuous; unknown joints do not matter.
        path: (T, 3) metres.
        known: (T, 23) bool; root and path are known.
        fps: frame rate.
        gaussian: of poses.
        noise: (23,) of the known joints.
        placed: whether root and path mean anything.
    """
    body, given = quat[:, 1:], known[:, 1:22]
    ever = given.any(axis=0)
    guess = gaussian.complete(quat_to_rotvec(body), given)
    guess = continuous(rotvec_to_quat(gaussian_filter1d(guess, SMOOTH_SECONDS * fps, axis=0, mode="nearest")))
    held = np.where(ever[:, None], body, guess)
    filled = fill_gaps(held, given | ~ever, load_spectra()["body"], fps)
    away = gap_seconds(given, fps)
    weight = np.where(
        np.isinf(away), 1.0, away**2 / (np.where(np.isinf(away), 0.0, away) ** 2 + REACH_SECONDS**2)
    )
    between = exp_around(filled, weight[..., None] * log_around(filled, guess))
    reference = quat.copy()
    reference[:, 1:] = np.where(given[..., None], body, between)
    left = np.where(noise > 0, noise, 0.0)
    evidence = gather(reference, path, quat, path, known, noise, left, fps, placed)
    spread = np.sqrt(np.diag(gaussian.covariance).reshape(-1, 3).mean(axis=1)) * NEVER_SHARE
    far = np.zeros((len(quat), CHANNELS))
    far[:, 1:22] = np.where(given, 0.0, spread * np.nan_to_num(weight, nan=1.0))
    return replace(evidence, deviation=np.maximum(evidence.deviation, far))
