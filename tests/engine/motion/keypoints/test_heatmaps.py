# SPDX-License-Identifier: GPL-3.0-or-later
"""Modes, moments and draws of heatmaps, against the closed forms of what was rendered."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engine.motion.keypoints.heatmaps import FAINT, drawn, moments, peaks, strongest_mode

HEIGHT, WIDTH = 64, 48
DOWN, ACROSS = np.mgrid[:HEIGHT, :WIDTH] + 0.5
KEPT = 1.0 + FAINT * np.log(FAINT) / (1.0 - FAINT)
"""Of a Gaussian's variance, the share that is left without what is below `FAINT` of its peak: in r^2 / 2 over the
variance, the density is exponential, cut at -log(FAINT)."""


def gaussian(across: float, down: float, wide: float = 2.0, high: float = 2.0) -> np.ndarray:
    """(H, W) with a peak of 1."""
    return np.exp(-0.5 * (((ACROSS - across) / wide) ** 2 + ((DOWN - down) / high) ** 2))


def strongest(*maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the strongest mode of each."""
    shares, _ = peaks(np.stack(maps))
    return moments(np.where(strongest_mode(shares), shares, 0.0))


@settings(max_examples=60, deadline=None)
@given(
    across=st.floats(12, 36), down=st.floats(14, 50), wide=st.floats(1.5, 3.5), high=st.floats(1.5, 3.5),
    scale=st.floats(1e-3, 1e3),
)  # fmt: skip
def test_moments_of_a_gaussian(across: float, down: float, wide: float, high: float, scale: float) -> None:
    mean, variance = strongest(scale * gaussian(across, down, wide, high))
    np.testing.assert_allclose(mean[0], [across, down], atol=0.05)
    # A cell that is drawn from is drawn from evenly, which adds its own variance.
    np.testing.assert_allclose(variance[0], KEPT * np.square([wide, high]) + 1.0 / 12.0, rtol=0.04)


@settings(max_examples=30, deadline=None)
@given(weight=st.floats(0.1, 0.9), turn=st.floats(0.0, 2.0 * np.pi))
def test_another_mode_does_not_move_the_strongest(weight: float, turn: float) -> None:
    alone = gaussian(24.3, 31.8)
    other = gaussian(24.3 + 14.0 * np.cos(turn), 31.8 + 14.0 * np.sin(turn))
    mean, variance = strongest(alone, alone + weight * other)
    np.testing.assert_allclose(mean[1], mean[0], atol=0.05)
    np.testing.assert_allclose(variance[1], variance[0], rtol=0.05)


def test_a_peak_on_an_edge_and_a_plateau_are_one_mode() -> None:
    between = gaussian(24.0, 32.0)  # four cells are equally high
    flat = np.minimum(gaussian(20.0, 30.0, 4.0, 4.0), 0.5)
    square = np.zeros((HEIGHT, WIDTH))
    square[10:17, 20:31] = 1.0
    single = np.zeros((HEIGHT, WIDTH))
    single[5, 7] = 3.0
    mean, variance = strongest(between, flat, square, single)
    np.testing.assert_allclose(mean, [[24.0, 32.0], [20.0, 30.0], [25.5, 13.5], [7.5, 5.5]], atol=1e-6)
    np.testing.assert_allclose(variance[2:], [[11.0**2 / 12, 7.0**2 / 12], [1 / 12, 1 / 12]])


def test_noise_on_the_ground_and_on_slopes_is_no_mode() -> None:
    rng = np.random.default_rng(0)
    rough = gaussian(24.3, 31.8, 3.0, 3.0) * rng.uniform(0.8, 1.0, (HEIGHT, WIDTH))
    mean, variance = strongest(rough + 0.008 * rng.random((HEIGHT, WIDTH)))
    np.testing.assert_allclose(mean[0], [24.3, 31.8], atol=0.3)
    np.testing.assert_allclose(np.sqrt(variance[0]), 3.0, rtol=0.1)


def test_draws_are_distributed_as_the_heatmap() -> None:
    """By chi-square over its cells, and by Kolmogorov and Smirnov within them."""
    rng = np.random.default_rng(1)
    shares, _ = peaks(gaussian(12.2, 20.7) + 0.5 * gaussian(36.0, 40.0, 3.0, 1.5) + gaussian(-1.0, 63.0))
    places = drawn(shares, rng.random((200_000, 2)))
    cells = np.floor(places).astype(int)
    count = np.zeros(shares.shape)
    np.add.at(count, (cells[:, 1], cells[:, 0]), 1)
    assert not count[shares == 0].any()
    wanted = shares / shares.sum() * len(places)
    seen, told = count[wanted > 0], wanted[wanted > 0]
    assert told.min() > 20
    assert stats.chisquare(seen, told).pvalue > 0.01
    within = places - cells
    for axis in (0, 1):
        assert stats.kstest(within[:, axis], "uniform").pvalue > 0.01
    assert abs(stats.pearsonr(*within.T).statistic) < 0.01
    assert stats.chisquare(seen, np.roll(told, 1)).pvalue < 1e-6, "the test can tell"


def test_the_ends_of_what_is_uniform_are_the_corners_of_cells_that_hold_something() -> None:
    shares = np.zeros((5, 4))
    shares[1, 2], shares[3, 1] = 1e-3, 0.1
    ends = np.array([[0.0, 0.0], [np.nextafter(1.0, 0.0)] * 2])
    np.testing.assert_allclose(drawn(shares, ends), [[2.0, 1.0], [2.0, 4.0]], atol=1e-12)


def test_draws_by_the_same_numbers_go_along_with_the_heatmap() -> None:
    uniform = np.random.default_rng(2).random((500, 2))
    places = [
        drawn(peaks(gaussian(20.0 + step, 30.0 - step) + 0.5 * gaussian(38.0, 50.0))[0], uniform)
        for step in (0.0, 0.05)
    ]
    moved = places[1] - places[0]
    mode = places[0][:, 1] < 40.0
    np.testing.assert_allclose(np.median(moved[mode], axis=0), [0.05, -0.05], atol=0.02)
    np.testing.assert_allclose(np.median(moved[~mode], axis=0), 0.0, atol=0.02)
    assert np.quantile(np.abs(moved), 0.99) < 0.5
