# SPDX-License-Identifier: GPL-3.0-or-later
"""The spline of an animator's software between two keys."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicHermiteSpline

from engine.evaluation.gap_windows import CONTEXT, GapWindows
from engine.evaluation.two_key_spline import hermite, two_key_spline


def turning(gap: int) -> GapWindows:
    """A body that turns and walks at constant speed."""
    frames = np.arange(CONTEXT + gap + 1)[None, :, None]
    poses = 0.03 * frames[..., None] * np.random.default_rng(0).normal(size=(3, 1, 22, 3))
    return GapWindows(poses, 0.02 * frames * np.array([1.0, 0.0, -2.0]) * np.ones((3, 1, 1)))


@pytest.mark.parametrize("clamped", [False, True])
def test_constant_speed_is_kept(clamped: bool) -> None:
    windows = turning(15)
    held = GapWindows(windows.poses.copy(), windows.transl.copy())
    held.poses[:, CONTEXT:-1], held.transl[:, CONTEXT:-1] = 9.0, 9.0  # what is in the gap does not matter
    filled = two_key_spline(held, clamped)
    np.testing.assert_allclose(filled.poses, windows.poses, atol=1e-9)
    np.testing.assert_allclose(filled.transl, windows.transl, atol=1e-12)
    np.testing.assert_array_equal(filled.poses[:, windows.keys], windows.poses[:, windows.keys])


def test_a_cubic_as_scipy_has_it() -> None:
    before, first, last = np.random.default_rng(1).normal(size=(3, 4, 2))
    found = hermite(before, first, last, 7, clamped=False)
    ends, slopes = np.stack([first, last]), np.stack([first - before, (last - first) / 8.0])
    expected = CubicHermiteSpline([0.0, 8.0], ends, slopes)(np.arange(1, 8))
    np.testing.assert_allclose(found, expected.swapaxes(0, 1), atol=1e-12)


def test_clamped_curves_stay_between_their_keys() -> None:
    before, first, last = 3.0 * np.random.default_rng(2).normal(size=(3, 200, 1))
    found = hermite(before, first, last, 20, clamped=True)
    low, high = np.minimum(first, last)[:, None], np.maximum(first, last)[:, None]
    assert (found >= low - 1e-9).all() and (found <= high + 1e-9).all()
    assert (np.abs(hermite(before, first, last, 20, clamped=False) - found) > 0.1).any()
