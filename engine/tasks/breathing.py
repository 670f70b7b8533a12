# SPDX-License-Identifier: GPL-3.0-or-later
"""Breathing at rest: when, how deep, and what it turns."""

from __future__ import annotations

import numpy as np

from engine.motion.joints import JOINTS

RATE = 0.25  # hertz; adults at rest take 12 to 20 breaths a minute
INHALING = 0.42  # share of a breath; breathing out takes longer and ends in a pause
UNEVEN_TIME, UNEVEN_DEPTH = 0.02, 0.15  # standard deviations over breaths: share of a breath, share of the depth
SLOWEST = 3  # harmonics of the loop that breaths are uneven by

# Degrees at full breath about the body's own axes: X to its left, Y up, Z ahead. The spine straightens, the shoulders
# rise and come back, and neck and arms make up for it, so that gaze and hands stay about where they are.
TURNS: dict[str, tuple[float, float, float]] = {
    "spine1": (0.35, 0.0, 0.0),
    "spine2": (-0.7, 0.0, 0.0),
    "spine3": (-1.1, 0.0, 0.0),
    "neck": (0.7, 0.0, 0.0),
    "head": (0.45, 0.0, 0.0),
    "left_collar": (0.0, 0.3, 1.0),
    "right_collar": (0.0, -0.3, -1.0),
    "left_shoulder": (0.4, -0.2, -0.8),
    "right_shoulder": (0.4, 0.2, 0.8),
}


def breaths(seconds: float) -> int:
    """How many whole breaths a loop has room for, at least one: as near to `RATE` as can be, by ratio."""
    few = max(1, int(RATE * seconds))
    return min((few, few + 1), key=lambda count: abs(np.log(count / (RATE * seconds))))


def breath(phase: np.ndarray, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """(T,) how full the lungs are at phases of a loop: 0, and at rest, where it begins and ends, about 1 at most."""
    count = breaths(seconds)
    harmonic = np.arange(1, SLOWEST + 1)
    sway = np.sin(2.0 * np.pi * phase[:, None] * harmonic)
    late, deep = rng.standard_normal((2, SLOWEST)) / np.sqrt(SLOWEST) * np.sqrt(2.0)
    # A loop of one or two breaths has no room for uneven ones.
    uneven = min(1.0, (count - 1) / SLOWEST)
    cycle = count * phase + uneven * UNEVEN_TIME * sway @ late
    depth = 1.0 + uneven * UNEVEN_DEPTH * sway @ deep
    return depth * _wave(cycle % 1.0)


def _wave(share: np.ndarray) -> np.ndarray:
    """Volume over one breath, 0 and at rest at either end: in by a half cosine, out by a slower one that lingers."""
    inward = 0.5 - 0.5 * np.cos(np.pi * np.minimum(share / INHALING, 1.0))
    out = np.clip((share - INHALING) / (1.0 - INHALING), 0.0, 1.0)
    outward = (0.5 + 0.5 * np.cos(np.pi * out)) ** 1.5
    return np.where(share < INHALING, inward, outward)


def turns() -> np.ndarray:
    """(22, 3) radians at full breath, about the body's axes."""
    return np.deg2rad([TURNS.get(joint, (0.0, 0.0, 0.0)) for joint in JOINTS])
