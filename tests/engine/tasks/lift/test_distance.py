# SPDX-License-Identifier: GPL-3.0-or-later
"""Distances against people of whom everything is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from seen_person import CAMERA, FPS, Knowing, Person, person

from engine.priors.prior_file import FOLDER
from engine.tasks.lift.camera_space import Sight
from engine.tasks.lift.distance import bone_lengths, find_distance, first_guess, weighted_median
from engine.tasks.lift.lifters import load_lifter
from engine.tasks.lift.proportions import RIGID, rest_lengths, symmetric

WEIGHTS = FOLDER / "gfpose.safetensors"


def seen(someone: Person, hidden: slice | None = None, noise: float = 0.0) -> Sight:
    confidence = np.ones(someone.pixels.shape[:2])
    if hidden is not None:
        confidence[hidden] = 0.0
    pixels = someone.pixels + noise * np.random.default_rng(0).normal(size=someone.pixels.shape)
    sigma = np.full(confidence.shape, max(noise, 1.0))
    return Sight.of(pixels, confidence, sigma, CAMERA, FPS)


def test_similar_triangles_come_near() -> None:
    someone = person()
    body = rest_lengths(someone.motion.offsets)
    guess = first_guess(seen(someone), body)
    assert 0.75 < guess[0] / Knowing(someone).distance.mean() < 1.3
    # What is twice as large is twice as far away.
    np.testing.assert_allclose(first_guess(seen(someone), 2.0 * body), 2.0 * guess)


@pytest.mark.parametrize("hidden", [None, slice(10, 18)])
def test_the_distance_of_a_known_person_is_found(hidden: slice | None) -> None:
    someone = person(seed=1)
    knowing = Knowing(someone, spread=0.01)
    found = find_distance(seen(someone, hidden), knowing, rest_lengths(someone.motion.offsets), FPS)
    assert np.abs(np.log(found / knowing.distance)).max() < 0.025


def test_someone_twice_as_tall_is_twice_as_far() -> None:
    someone = person(seed=1)
    knowing = Knowing(someone)
    found = find_distance(seen(someone), knowing, 2.0 * rest_lengths(someone.motion.offsets), FPS)
    assert np.abs(np.log(found / knowing.distance / 2.0)).max() < 0.04


def test_lengths_of_a_known_person_are_found_but_for_the_size() -> None:
    someone = person(seed=2)
    knowing, sight = Knowing(someone), seen(someone)
    truth = rest_lengths(someone.motion.offsets)
    other = truth * np.exp(symmetric(0.08 * np.random.default_rng(0).normal(size=16)))
    rows = np.tile(np.arange(40), 20)
    many = sight.rows(rows)
    metres = knowing.distance[rows]
    joints = many.ahead(knowing(many.seen(metres), 2), metres)
    rigid = list(RIGID)
    found = bone_lengths(many, joints, metres, other, FPS)
    off, before = (np.log(values / truth)[rigid] for values in (found, other))
    assert np.ptp(off) < 0.35 * np.ptp(before)
    np.testing.assert_allclose(found[[0, 1]], found[[3, 4]], rtol=0.1)


@given(
    arrays(float, st.integers(1, 9), elements=st.floats(-5, 5)), st.data()
)
def test_a_weighted_median_is_the_median_of_repetitions(values: np.ndarray, data: st.DataObject) -> None:
    times = np.array(data.draw(st.lists(st.integers(0, 4), min_size=len(values), max_size=len(values))))
    if not times.any():
        times[0] = 1
    repeated = np.sort(np.repeat(values, times))
    found = float(weighted_median(values, times.astype(float)))
    assert repeated[(len(repeated) - 1) // 2] - 1e-12 <= found <= repeated[len(repeated) // 2] + 1e-12


@pytest.mark.skipif(not WEIGHTS.exists(), reason="the weights of GFPose are not in this checkout")
def test_gfpose_finds_the_distance_of_someone_it_never_saw() -> None:
    errors = []
    for seed in (0, 1):
        someone = person(seed=seed)
        lifter = load_lifter("gfpose", 8, 0, "cpu")
        found = find_distance(seen(someone, noise=3.0), lifter, rest_lengths(someone.motion.offsets), FPS)
        errors.append(np.abs(np.log(found / Knowing(someone).distance)).mean())
    assert np.mean(errors) < 0.06
