# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of fast motion, against motions of known frequencies."""

from __future__ import annotations

import numpy as np
import pytest

from engine.evaluation.spectra import energy, spectrum
from engine.motion.windows import rotvec_to_quat

FPS = 30.0


def swinging(hertz: float, size: float) -> np.ndarray:
    """Rotations (300, 2, 4) of two joints about one axis each."""
    time = np.arange(300) / FPS
    turn = np.zeros((300, 2, 3))
    turn[:, 0, 0] = turn[:, 1, 2] = size * np.sin(2.0 * np.pi * hertz * time)
    return rotvec_to_quat(turn)


def shares(found: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energy kept and coefficient of the regression, per joint."""
    true, kept, common = energy(spectrum(found, FPS, 4.0), spectrum(truth, FPS, 4.0))
    return kept / true, common / true


def test_half_the_swing_is_a_quarter_of_the_energy() -> None:
    kept, followed = shares(swinging(6.0, 0.05), swinging(6.0, 0.1))
    np.testing.assert_allclose(kept, 0.25, rtol=1e-3)
    np.testing.assert_allclose(followed, 0.5, rtol=1e-3)


def test_slow_motion_is_not_counted() -> None:
    slow, fast = (np.abs(spectrum(swinging(hertz, 0.1), FPS, 4.0)).sum() for hertz in (1.0, 6.0))
    assert slow < 1e-3 * fast


def test_noise_is_energy_and_follows_nothing() -> None:
    truth = swinging(6.0, 0.1)
    noise = rotvec_to_quat(0.1 * np.random.default_rng(0).normal(size=(300, 2, 3)))
    kept, followed = shares(noise, truth)
    assert (kept > 1.0).all() and np.abs(followed).max() < 0.2
    assert shares(truth, truth)[0] == pytest.approx([1.0, 1.0])
