# SPDX-License-Identifier: GPL-3.0-or-later
"""How lively someone who stands is: speed of joints, and how their acceleration spreads over frequencies."""

from __future__ import annotations

import numpy as np

BANDS = ((0.5, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, 8.0))
"""Hertz; slower, a window of two seconds says nothing, and faster, captures are mostly noise."""


def speed(joints: np.ndarray, fps: float) -> float:
    """Mean speed in mm/s of all joints (T, J, 3), metres."""
    return float(1000.0 * fps * np.linalg.norm(np.diff(joints, axis=0), axis=-1).mean())


def acceleration(joints: np.ndarray, fps: float) -> np.ndarray:
    """(4,) root mean square acceleration in mm/s^2 within each of `BANDS`, over all joints (T, J, 3), metres.

    One periodogram with a Hann taper, so windows must be of one length to compare.
    """
    change = fps**2 * np.diff(joints, 2, axis=0)
    taper = np.hanning(len(change) + 2)[1:-1, None, None]
    power = (np.abs(np.fft.rfft(taper * change, axis=0)) ** 2).sum(axis=-1).mean(axis=-1)
    # Both signs of a frequency, over the taper's own energy, give the mean square of the windowed signal.
    power *= 2.0 / (len(change) * (taper**2).sum())
    hertz = np.fft.rfftfreq(len(change), 1.0 / fps)
    return 1000.0 * np.sqrt([power[(hertz >= low) & (hertz < high)].sum() for low, high in BANDS])


def seam(joints: np.ndarray) -> tuple[float, float, float]:
    """How well a loop of joints (T, J, 3) closes, whose last frame is its first.

    Returns:
        The farthest in mm that a joint is from where it began; the mean step of joints into and out of the seam against
        the median step; and the change of velocity over the seam against the median change from frame to frame.
    """
    step = np.diff(joints, axis=0)
    change = np.linalg.norm(np.diff(step, axis=0), axis=-1).mean(axis=-1)
    across = np.linalg.norm(step[0] - step[-1], axis=-1).mean()
    gap = np.linalg.norm(joints[-1] - joints[0], axis=-1).max()
    pace = np.linalg.norm(step, axis=-1).mean(axis=-1)
    return (
        float(1000.0 * gap),
        float(0.5 * (pace[0] + pace[-1]) / max(float(np.median(pace)), 1e-12)),
        float(across / max(float(np.median(change)), 1e-12)),
    )
