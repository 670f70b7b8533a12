# SPDX-License-Identifier: GPL-3.0-or-later
"""How far each joint's rotation was seen in the images that an action was made of, kept with the action.

A custom property of the action holds the first frame and, by the body's joints, a number from 0 to 1 for each frame
from there on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from bpy.types import Action

from ..engine.motion.joints import JOINTS

PROPERTY = "dposer_confidence"


def keep(action: Action, first: int, confidence: np.ndarray) -> None:
    """Keep (T, 22) confidences of consecutive frames with an action, in place of those it had."""
    joints = {joint: confidence[:, number].tolist() for number, joint in enumerate(JOINTS)}
    action[PROPERTY] = {"first": first} | joints


def of(action: Action | None, frames: np.ndarray) -> np.ndarray | None:
    """(T, 22) those of some frames, 1 on frames that it tells nothing of; None where it tells nothing at all."""
    kept: Any = action.get(PROPERTY) if action is not None else None
    try:  # the property is the user's, too
        first, rows = int(kept["first"]), [_numbers(kept[joint]) for joint in JOINTS]
    except (KeyError, TypeError, ValueError):
        return None
    count = len(rows[0])
    if not count or any(len(row) != count for row in rows):
        return None
    found = np.ones((len(frames), len(JOINTS)))
    at = np.asarray(frames) - first
    within = (at >= 0) & (at < count)
    found[within] = np.clip(np.nan_to_num(np.stack(rows, axis=1), nan=1.0), 0.0, 1.0)[at[within]]
    return found


def _numbers(values: Sequence[float]) -> np.ndarray:
    """(T,) of a property's array."""
    return np.array(values, np.float64).reshape(-1)
