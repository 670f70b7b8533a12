# SPDX-License-Identifier: GPL-3.0-or-later
"""Splines in tension against straight lines, SciPy's natural cubic spline, and rotations about one axis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline

from engine.motion.tension_spline import fill_curves, fill_rotations
from engine.motion.windows import rotvec_to_quat
from engine.tasks.confidence import angle

FPS = 30.0


def around_gap(before: int, gap: int, after: int) -> np.ndarray:
    """(T,) bool, a gap between known frames."""
    known = np.ones(before + gap + after, bool)
    known[before : before + gap] = False
    return known


@settings(max_examples=30, deadline=None)
@given(
    before=st.integers(1, 8),
    gap=st.integers(1, 20),
    after=st.integers(1, 8),
    scale=st.floats(0.02, 2.0),
    slope=st.floats(-5.0, 5.0),
)
def test_a_straight_line_stays_one(before: int, gap: int, after: int, scale: float, slope: float) -> None:
    """It has neither curvature nor, through these points, less slope; only known frames are looked at."""
    known = around_gap(before, gap, after)
    line = (1.0 + slope * np.arange(len(known)) / FPS)[:, None]
    filled = fill_curves(np.where(known[:, None], line, 0.0), known, FPS, scale)
    np.testing.assert_array_equal(filled[known], line[known])
    np.testing.assert_allclose(filled, line, atol=1e-7)


def test_without_tension_it_is_the_natural_cubic_spline() -> None:
    """Least bending through points is SciPy's cubic spline with natural ends, but for the discretisation."""
    knots = np.array([0, 30, 70, 90, 150])
    values = np.array([0.0, 1.0, -0.5, 0.7, 0.2])
    known = np.zeros(151, bool)
    known[knots] = True
    x = np.zeros((151, 1))
    x[knots, 0] = values
    filled = fill_curves(x, known, FPS, 1e4)[:, 0]
    np.testing.assert_allclose(
        filled, CubicSpline(knots, values, bc_type="natural")(np.arange(151)), atol=2e-3
    )


def test_much_tension_is_a_straight_line_and_little_keeps_the_velocity() -> None:
    """A curve that comes in at one unit per second and leaves at rest, over a gap of a second."""
    fps = 600.0  # fine, for the comparison with a continuous curve
    known = around_gap(10, 599, 10)
    time = (np.arange(619) - 9) / fps
    x = np.minimum(time, 0.0)[:, None]
    taut = fill_curves(x, known, fps, 1e-4)[9:610, 0]
    np.testing.assert_allclose(taut, 0.0, atol=1e-3)
    loose = fill_curves(x, known, fps, 1e3)[9:610, 0]
    u = np.linspace(0.0, 1.0, 601)
    hermite = u**3 - 2 * u**2 + u  # the cubic with slope 1 at the left and 0 at the right
    np.testing.assert_allclose(loose, hermite, atol=0.02 * hermite.max())


@pytest.mark.parametrize("degrees", [0.0, 3.0, 5.5])
def test_a_steady_turn_goes_on_through_the_gap(degrees: float) -> None:
    """Turning about one axis, more than half a turn in all, is a straight line in log-rotations."""
    known = around_gap(12, 16, 12)
    axis = np.array([1.0, 2.0, -2.0]) / 3.0
    truth = rotvec_to_quat((np.deg2rad(degrees) * np.arange(40))[:, None, None] * axis)
    held = np.where(known[:, None, None], truth, np.array([1.0, 0.0, 0.0, 0.0]))
    filled = fill_rotations(held, known, 11, FPS, 0.1)
    np.testing.assert_array_equal(filled[known], truth[known])
    assert np.rad2deg(angle(filled, truth)).max() < 1e-4
