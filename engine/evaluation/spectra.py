# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a motion's fast part survives: spectra of angular velocities.

Spectra are averaged over overlapping windows with a Hann taper (Welch 1967), above a frequency.
"""

from __future__ import annotations

import numpy as np

from engine.motion.windows import Windows, log_around

WINDOW_SECONDS = 2.0


def spectrum(quat: np.ndarray, fps: float, least: float) -> np.ndarray:
    """Spectra of angular velocities above a frequency, (B, F, J, 3) complex, windows and frequencies.

    Args:
        quat: (T, J, 4) unit quaternions WXYZ, sign-continuous.
        fps: frame rate.
        least: hertz.
    """
    velocity = fps * log_around(quat[:-1], quat[1:])
    cover = Windows.cover(len(velocity), round(WINDOW_SECONDS * fps))
    window = cover.cut(velocity, cover.starts)
    window = window - window.mean(axis=1, keepdims=True)
    taper = np.hanning(cover.length + 2)[1:-1, None, None]
    return np.fft.rfft(taper * window, axis=1)[:, np.fft.rfftfreq(cover.length, 1.0 / fps) > least]


def energy(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(3, J) sums over `spectrum`s: energy of the truth, of what was found, and what they have in common.

    The last over the first is the coefficient of the regression of the found on the true fast part: 1 where all of
    it is kept, whatever else is there.
    """
    common = (found * truth.conj()).real
    return np.stack([np.sum(e, axis=(0, 1, 3)) for e in (abs(truth) ** 2, abs(found) ** 2, common)])
