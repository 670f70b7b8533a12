# SPDX-License-Identifier: GPL-3.0-or-later
"""Where feet rest, by the rule: near the floor and slow. What the motion prior learns to see through noise."""

from __future__ import annotations

import numpy as np

CONTACT_SPEED = 0.25  # metres per second; feet of captures slide by up to 0.19 in contact
CONTACT_HEIGHT = (0.14, 0.14, 0.06, 0.06)  # metres over the clip's floor, of ankles and balls of the feet
FLOOR = 0.05  # quantile of the lowest joint's heights that is taken for the floor


def resting(feet: np.ndarray, fps: float) -> np.ndarray:
    """(T, 4) bool of positions (T, 4, 3) in metres of left and right ankle, left and right ball of the foot."""
    speed = np.zeros(feet.shape[:2])
    if len(feet) > 2:
        speed[1:-1] = np.linalg.norm(feet[2:] - feet[:-2], axis=-1) * fps / 2.0
        speed[0], speed[-1] = speed[1], speed[-2]
    floor = np.quantile(feet[..., 1].min(axis=1), FLOOR)
    return (speed < CONTACT_SPEED) & (feet[..., 1] < floor + np.array(CONTACT_HEIGHT))
