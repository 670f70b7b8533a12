# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints between their frames lie on the line, and are seen where both frames show them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.motion.keypoint_times import sampled


@given(st.lists(st.floats(-3.0, 8.0), min_size=1, max_size=10))
def test_keypoints_are_sampled_between_frames_that_both_show_them(rows: list[float]) -> None:
    pixels = np.arange(6.0)[:, None, None] * np.ones((17, 2)) * 10.0
    confidence = np.ones((6, 17))
    confidence[3, 5] = 0.0
    at, sure, sigma = sampled(pixels, confidence, np.full((6, 17), 2.0), np.array(rows))
    for row, point, trust in zip(rows, at, sure, strict=True):
        inside = -1e-6 <= row <= 5.0 + 1e-6
        assert (trust[0] == 1.0) == inside
        if inside:
            np.testing.assert_allclose(point[0], 10.0 * np.clip(row, 0.0, 5.0), atol=2e-5)
        if abs(row - 3.0) < 1.0 - 1e-5:
            assert trust[5] == 0.0
    assert sigma is not None and (sigma == 2.0).all()


def test_whole_rows_are_the_frames_themselves() -> None:
    pixels, confidence = np.random.default_rng(0).random((5, 17, 2)), np.random.default_rng(1).random((5, 17))
    at, sure, sigma = sampled(pixels, confidence, None, np.array([2.0, 0.0, 4.0]))
    np.testing.assert_array_equal(at, pixels[[2, 0, 4]])
    np.testing.assert_array_equal(sure, confidence[[2, 0, 4]])
    assert sigma is None
