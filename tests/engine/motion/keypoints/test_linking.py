# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is who, of people whose paths are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.motion.keypoints.linking import LONGEST_GAP, link

POINTS = 13


def walkers(
    starts: list[tuple[float, float]], speeds: list[tuple[float, float]], frames: int, seed: int = 0, noise: float = 2.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Frames, pixels and points seen of sightings in a random order within each frame, and who each is."""
    rng = np.random.default_rng(seed)
    figures = rng.uniform(-1.0, 1.0, (len(starts), POINTS, 2)) * [40.0, 100.0]
    rows = [(t, who) for t in range(frames) for who in rng.permutation(len(starts))]
    pixels = np.array(
        [
            figures[who] + np.array(starts[who]) + t * np.array(speeds[who]) + rng.normal(0.0, noise, (POINTS, 2))
            for t, who in rows
        ]
    )
    seen = rng.random(pixels.shape[:2]) < 0.85
    return np.array([t for t, _ in rows]), pixels, seen, np.array([who for _, who in rows])


def same(labels: np.ndarray, truth: np.ndarray) -> bool:
    """Whether two ways to group are one, whatever the groups are called."""
    return len(set(zip(labels.tolist(), truth.tolist(), strict=True))) == len(set(labels)) == len(set(truth))


@pytest.mark.parametrize("seed", range(5))
def test_people_who_cross_keep_their_numbers(seed: int) -> None:
    frames, pixels, seen, truth = walkers(
        [(0, 0), (300, 20), (900, 0)], [(9, 0), (-9, 0), (0, 3)], 40, seed, noise=1.0
    )
    assert same(link(frames, pixels, seen), truth)


def test_outliers_and_gaps_do_not_part_a_person() -> None:
    frames, pixels, seen, truth = walkers([(0, 0), (400, 0)], [(3, 0), (3, 0)], 60)
    rng = np.random.default_rng(1)
    jumps = rng.random(seen.shape) < 0.04
    pixels = pixels + jumps[..., None] * rng.normal(0.0, 1500.0, pixels.shape)
    kept = (truth == 0) | (frames < 20) | (frames > 35)
    labels = link(frames[kept], pixels[kept], seen[kept])
    assert same(labels, truth[kept])


def test_who_comes_back_after_long_is_another() -> None:
    frames, pixels, seen, truth = walkers([(0, 0), (400, 0)], [(0, 0), (0, 0)], 3 * LONGEST_GAP)
    kept = (truth == 0) | (frames < 5) | (frames > 5 + LONGEST_GAP)
    labels = link(frames[kept], pixels[kept], seen[kept])
    assert len(set(labels)) == 3
    assert same(labels, np.where(truth[kept] == 0, 0, 1 + (frames[kept] > 5)))


def test_who_is_far_away_is_another() -> None:
    """One leaves on the left as one comes on the right, while a third stays."""
    frames, pixels, seen, truth = walkers([(0, 0), (1000, 0), (2000, 0)], [(0, 0)] * 3, 20)
    kept = ((truth == 0) & (frames < 10)) | ((truth == 1) & (frames >= 10)) | (truth == 2)
    assert same(link(frames[kept], pixels[kept], seen[kept]), truth[kept])


def test_a_single_person_is_one_however_far_it_jumps() -> None:
    pixels = np.random.default_rng(0).uniform(0, 1000, (9, POINTS, 2))
    assert not link(np.arange(0, 900, 100), pixels, np.ones((9, POINTS), bool)).any()


def test_nobody() -> None:
    assert len(link(np.zeros(0, np.int64), np.zeros((0, POINTS, 2)), np.zeros((0, POINTS), bool))) == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4), st.permutations(list(range(4))))
def test_the_order_within_a_frame_does_not_matter(seed: int, count: int, order: list[int]) -> None:
    frames, pixels, seen, _ = walkers([(300.0 * i, 0.0) for i in range(count)], [(5.0, 1.0)] * count, 6, seed)
    again = np.concatenate(
        [np.flatnonzero(frames == t)[[i for i in order if i < count]] for t in range(6)]
    )
    assert same(link(frames[again], pixels[again], seen[again]), link(frames, pixels, seen)[again])
