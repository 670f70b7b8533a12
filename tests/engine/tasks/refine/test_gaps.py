# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections across frames that nobody saw, and how much a path shakes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.tasks.refine.gaps import ENDS, LASTS, carried
from engine.tasks.refine.shaking import shaking


@given(
    seen=arrays(bool, st.integers(1, 40)).filter(lambda seen: seen.any()),
    fps=st.floats(5.0, 120.0),
    size=st.floats(-3.0, 3.0),
)
def test_what_was_seen_keeps_its_correction_and_others_have_no_more(seen: np.ndarray, fps: float, size: float) -> None:
    change = np.where(seen[:, None], size, np.nan) * np.ones(2)
    found = carried(change, seen, fps)
    np.testing.assert_array_equal(found[seen], change[seen])
    assert np.isfinite(found).all() and (np.abs(found) <= abs(size) + 1e-12).all()
    apart = np.array([np.abs(np.flatnonzero(seen) - frame).min() for frame in range(len(seen))]) / fps
    np.testing.assert_allclose(found[apart <= LASTS], size)
    assert (found[apart >= ENDS] == 0.0).all()


def test_a_gap_is_bridged_from_one_side_to_the_other() -> None:
    seen = np.ones(9, bool)
    seen[3:6] = False
    change = np.where(np.arange(9) < 3, 1.0, 5.0)[:, None]
    np.testing.assert_allclose(carried(change, seen, 30.0)[:, 0], [1, 1, 1, 2, 3, 4, 5, 5, 5])


@pytest.mark.parametrize("noise", [0.01, 0.2])
def test_white_noise_is_measured_on_a_moving_path(noise: float) -> None:
    time = np.arange(400) / 30.0
    path = np.stack([1.3 * time, 0.1 * np.sin(5.0 * time), 0.0 * time], axis=1)
    assert shaking(path).max() < 0.003
    found = shaking(path + np.random.default_rng(0).normal(0.0, noise, path.shape))
    np.testing.assert_allclose(found, noise, rtol=0.15)
    assert (shaking(path[:2]) == 0.0).all()
