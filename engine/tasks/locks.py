# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames that stay as they are, and a result that meets them without a step."""

from __future__ import annotations

import math

import numpy as np

from engine.motion.windows import exp_around, log_around

BLEND_SECONDS = 0.25


def meet(result: np.ndarray, original: np.ndarray, locked: np.ndarray, fps: float) -> np.ndarray:
    """The result, carried onto the original at locked frames and eased back over a quarter of a second around them.

    Args:
        result, original: (T, J, 4) unit quaternions or (T, J, 3) vectors.
        locked: (T,) bool.
        fps: frame rate.
    """
    if not locked.any():
        return result
    quaternions = result.shape[-1] == 4
    miss = log_around(result, original) if quaternions else original - result
    frames = len(result)
    time = np.arange(frames)
    reach = max(1.0, BLEND_SECONDS * fps)
    away = frames + math.ceil(reach)  # where no frame is locked on one side, nothing pulls from there
    before = np.maximum.accumulate(np.where(locked, time, -away))
    after = np.minimum.accumulate(np.where(locked, time, frames + away)[::-1])[::-1]
    ease = [0.5 * (1.0 + np.cos(np.pi * np.minimum(d / reach, 1.0))) for d in (time - before, after - time)]
    total = np.maximum(1.0, ease[0] + ease[1])
    left, right = np.clip(before, 0, frames - 1), np.clip(after, 0, frames - 1)
    correction = (ease[0] / total)[:, None, None] * miss[left] + (ease[1] / total)[:, None, None] * miss[
        right
    ]
    met = exp_around(result, correction) if quaternions else result + correction
    met[locked] = original[locked]
    return met
