# SPDX-License-Identifier: GPL-3.0-or-later
"""The spline against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import make_smoothing_spline

from engine.tasks.lift.smoothing_spline import smoothing_spline


@settings(max_examples=30, deadline=None)
@given(start=st.floats(-5, 5), slope=st.floats(-3, 3), first=st.integers(1, 8), gap=st.integers(0, 20))
def test_a_straight_line_stays_through_gaps_and_beyond_ends(start: float, slope: float, first: int, gap: int) -> None:
    line = (start + slope * np.arange(40) / 25.0)[:, None]
    deviation = np.full(line.shape, 0.01)
    deviation[:first] = deviation[10 : 10 + gap] = np.inf
    found = smoothing_spline(np.where(np.isfinite(deviation), line, 1e6), deviation, 2.0, 25.0)
    np.testing.assert_allclose(found, line, atol=1e-3)


def test_it_is_scipy_s_smoothing_spline_where_errors_are_small() -> None:
    """Both minimise squared misses and the integral of the squared second derivative, so the weights must agree."""
    rng = np.random.default_rng(0)
    fps, roughness, deviation = 50.0, 3.0, 0.02
    seconds = np.arange(300) / fps
    truth = np.sin(2.0 * seconds) + 0.3 * np.cos(5.0 * seconds)
    values = truth + deviation * rng.uniform(-0.8, 0.8, 300)
    found = smoothing_spline(values[:, None], np.full((300, 1), deviation), roughness, fps)[:, 0]
    # Weights of Student's distribution are about (f + 1) / (f + 0.2) for errors as small as these.
    share = 5.0 / (4.0 + 0.64 / 3.0)
    expected = make_smoothing_spline(seconds, values, lam=deviation**2 / share / roughness)(seconds)
    assert np.abs(found - expected)[20:-20].max() < 0.15 * deviation
    assert np.abs(found - truth).mean() < 0.4 * np.abs(values - truth).mean()


def test_an_outlier_hardly_counts_and_rates_agree() -> None:
    seconds = np.arange(200) / 100.0
    values = np.sin(3.0 * seconds)[:, None]
    spoilt = values.copy()
    spoilt[90:93] += 1.0
    deviation = np.full(values.shape, 0.01)
    assert np.abs(smoothing_spline(spoilt, deviation, 5.0, 100.0) - values).max() < 0.03
    fine = smoothing_spline(values, 2.0 * deviation, 5.0, 100.0)[::4]
    coarse = smoothing_spline(values[::4], deviation[::4], 5.0, 25.0)
    assert np.abs(fine - coarse)[5:-5].max() < 0.003


def test_clips_of_a_frame_or_two() -> None:
    values = np.array([[1.0, 5.0], [2.0, 6.0]])
    found = smoothing_spline(values, np.array([[0.1, np.inf], [0.1, 0.1]]), 1.0, 30.0)
    np.testing.assert_allclose(found, [[1.0, 6.0], [2.0, 6.0]])
    with pytest.raises(ValueError, match="without a sample"):
        smoothing_spline(values, np.full((2, 2), np.inf), 1.0, 30.0)
