# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong poses to refine: the truth as a regression network would miss it, by as much as those of ScoreHMR's tables."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from engine.body.shapes import BETAS, offsets_of
from engine.priors.weights import load_pose_prior

QUALITIES: dict[str, float] = {"far": 0.68, "near": 0.43}
"""Errors as a share of what joints turn by in captured motion: by PA-MPJPE some 86 mm and 54 mm on the test split,
as the paper's worst and best starts, ProHMR on EMDB and HMR 2.0 on 3DPW."""
ROOT_SHARE = 0.35
"""Radians that the root is off by, for an error of the whole of what joints turn by."""
DEPTH, ASIDE = 0.12, 0.04
"""Of the distance, and of it across, that the pelvis is off by, likewise."""
SHAPE = 0.8  # of a shape coefficient, likewise
SLOW_SECONDS = 1.0
SLOW = 0.993
"""Share of the errors' variance that changes slowly in a clip; the jitter that is left makes errors of acceleration of
some 35 and 22 mm per squared frame, those of the networks named having 38 and 17."""


def perturbed(
    poses: np.ndarray, transl: np.ndarray, quality: str, rng: np.random.Generator, fps: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Wrong poses (T, 22, 3) and places (T, 3) in a camera's frame.

    Args:
        poses: (T, 22, 3) axis-angle in radians, the truth; transl: (T, 3) metres.
        quality: of `QUALITIES`.
        rng: of the errors.
        fps: frames per second of a clip; None where poses have nothing to do with each other.
    """
    share, frames = QUALITIES[quality], len(poses)
    spread = np.concatenate([np.full(3, ROOT_SHARE), load_pose_prior().std.double().numpy()])
    away = np.array([ASIDE, ASIDE, DEPTH]) * np.linalg.norm(transl, axis=1, keepdims=True)
    noise = _noise(frames, len(spread) + 3, fps, rng)
    error = Rotation.from_rotvec((share * spread * noise[:, 3:]).reshape(-1, 3))
    wrong = error * Rotation.from_rotvec(poses.reshape(-1, 3))
    return wrong.as_rotvec().reshape(poses.shape), transl + share * away * noise[:, :3]


def wrong_shape(betas: np.ndarray, quality: str, rng: np.random.Generator) -> np.ndarray:
    """Rest offsets (22, 3) in metres of a person of shape coefficients (10,), as they are misjudged."""
    return offsets_of((betas + QUALITIES[quality] * rng.normal(0.0, SHAPE, BETAS))[None])[0]


def _noise(frames: int, size: int, fps: float | None, rng: np.random.Generator) -> np.ndarray:
    """Standard normal errors (T, D)."""
    fresh = rng.standard_normal((frames, size))
    if fps is None or frames == 1:
        return fresh
    apart = np.abs(np.arange(frames)[:, None] - np.arange(frames)) / fps
    slow = np.linalg.cholesky(np.exp(-0.5 * (apart / SLOW_SECONDS) ** 2) + 1e-6 * np.eye(frames))
    return np.sqrt(SLOW) * (slow @ rng.standard_normal((frames, size))) + np.sqrt(1.0 - SLOW) * fresh
