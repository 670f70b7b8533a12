# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed, acceleration in bands and seams of motions whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest

from engine.evaluation.standing_metrics import BANDS, acceleration, seam, speed

FPS = 120.0


def sine(hertz: float, amplitude: float, seconds: float) -> np.ndarray:
    """(T, 3, 3) joints that go along X, metres."""
    joints = np.zeros((round(seconds * FPS) + 1, 3, 3))
    joints[..., 0] = amplitude * np.sin(2.0 * np.pi * hertz * np.arange(len(joints)) / FPS)[:, None]
    return joints


@pytest.mark.parametrize(("hertz", "band"), [(0.75, 0), (1.5, 1), (3.0, 2), (6.0, 3)])
def test_a_sine_accelerates_in_its_band(hertz: float, band: int) -> None:
    found = acceleration(sine(hertz, 0.01, 8.0), FPS)
    expected = 10.0 * (2.0 * np.pi * hertz) ** 2 / np.sqrt(2.0)
    assert found[band] == pytest.approx(expected, rel=0.03)
    assert np.delete(found, band).max() < 0.05 * expected
    assert len(found) == len(BANDS)


def test_the_speed_of_a_sine() -> None:
    assert speed(sine(1.0, 0.01, 4.0), FPS) == pytest.approx(4.0 * 10.0, rel=0.01)  # there and back, twice 10 mm each


def test_a_seam_is_seen() -> None:
    closed = sine(1.0, 0.01, 4.0)
    gap, step, jerk = seam(closed)
    assert gap < 1e-9 and step > 1.0 and jerk < 1.0
    bent = np.abs(sine(0.5, 0.01, 1.0))  # half a wave: it closes, with a kink
    assert seam(bent)[0] < 1e-9 and seam(bent)[2] > 10.0
    assert seam(closed[:100])[0] > 1.0
