# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of feet on the ground: how far they slide while they rest, and how well it is known that they rest.

Joints of the feet are left ankle, right ankle, left ball, right ball (`engine.priors.motion_prior.FEET`). True
contacts of a clean clip are `engine.training.motion.resting` of its joints: near the floor and slow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FPS = 30.0  # that travel per frame is told for


def skate(feet: np.ndarray, contact: np.ndarray, fps: float) -> float:
    """Millimetres of horizontal travel per contact frame, at 30 frames per second.

    The mean over all steps from one frame to the next at both of which a joint rests. Travel per frame at another rate
    is a speed, and is told as the travel in a thirtieth of a second at that speed; noise, which is no travel, counts
    for more at higher rates all the same.

    Args:
        feet: (T, 4, 3) metres, Y up.
        contact: (T, 4) bool.
        fps: frame rate.

    Returns:
        NaN where nothing rests for two frames.
    """
    rests = contact[1:] & contact[:-1]
    if not rests.any():
        return float("nan")
    travel = np.linalg.norm(np.diff(feet[..., [0, 2]], axis=0), axis=-1)
    return float(1000.0 * travel[rests].mean() * fps / FPS)


@dataclass(frozen=True)
class ContactScores:
    """How well contacts are found, 0 to 1."""

    precision: float
    recall: float
    f1: float


def contact_scores(predicted: np.ndarray, truth: np.ndarray) -> ContactScores:
    """Scores of contacts (T, 4) bool, all joints and frames counted alike.

    Where there is nothing to find and nothing is found, all are 1; a share of nothing is 0 otherwise.
    """
    right = float((predicted & truth).sum())
    found, there = float(predicted.sum()), float(truth.sum())
    if found == there == 0.0:
        return ContactScores(1.0, 1.0, 1.0)
    return ContactScores(right / max(found, 1.0), right / max(there, 1.0), 2.0 * right / (found + there))
