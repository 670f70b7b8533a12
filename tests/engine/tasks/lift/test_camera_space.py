# SPDX-License-Identifier: GPL-3.0-or-later
"""Rays in, joints back: exact, wherever in the picture the person is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from seen_person import CAMERA, FPS, Knowing, person

from engine.errors import MotionError
from engine.motion.h36m import JOINTS
from engine.priors.image_frame import image_frame
from engine.tasks.lift.camera_space import STEEPEST, Sight

EVERYTHING = np.ones((40, 17))


@pytest.mark.parametrize("aside", [0.0, 1.5, -2.5])
def test_a_picture_with_its_depths_gives_the_person_back(aside: float) -> None:
    someone = person(aside=aside)
    sight = Sight.of(someone.pixels, EVERYTHING, None, CAMERA, FPS)
    turned = np.einsum("tab,tjb->tja", sight.turns, someone.joints)
    distance = -turned[:, 0, 2]
    # What lifters are told is the image frame of people before a camera that looks at them.
    seen = sight.seen(distance).joints[..., :2].numpy()
    np.testing.assert_allclose(seen, turned[..., :2] / -turned[..., 2:] * distance[:, None, None], atol=1e-5)
    from_pelvis = torch.from_numpy(turned + [0.0, 0.0, 1.0] * distance[:, None, None])
    pictured = image_frame(from_pelvis, torch.from_numpy(distance))
    back = sight.back(sight.ahead(pictured[:, None].repeat(1, 3, 1, 1), distance))
    np.testing.assert_allclose(back, np.repeat(someone.joints[:, None], 3, axis=1), atol=1e-9)


def test_the_pelvis_is_ahead_and_the_turn_is_the_least() -> None:
    someone = person(aside=2.0)
    sight = Sight.of(someone.pixels, EVERYTHING, None, CAMERA, FPS)
    assert np.abs(sight.tangents[:, 0]).max() < 0.01
    ways = someone.joints[:, 0] / np.linalg.norm(someone.joints[:, 0], axis=-1, keepdims=True)
    angle = np.arccos((np.trace(sight.turns, axis1=1, axis2=2) - 1.0) / 2.0)
    np.testing.assert_allclose(angle, np.arccos(-ways[:, 2]), atol=0.01)


def test_the_turn_goes_on_through_a_gap() -> None:
    someone, confidence = person(), EVERYTHING.copy()
    confidence[12:20] = 0.0
    confidence[25, 0] = 0.0  # the trunk stands for a hidden pelvis
    there = Sight.of(someone.pixels, EVERYTHING, None, CAMERA, FPS).turns
    sight = Sight.of(someone.pixels, confidence, None, CAMERA, FPS)
    assert np.abs(sight.turns - there).max() < 0.02
    assert np.isinf(sight.doubt(np.full(40, 4.0))[12:20]).all()


def test_deviations_become_metres_at_the_person() -> None:
    someone, sigma = person(aside=0.0, pitch=0.0), np.full((40, 17), 5.5)
    sigma[:, 4] = np.nan
    sight = Sight.of(someone.pixels, EVERYTHING, sigma, CAMERA, FPS)
    doubt = sight.doubt(np.full(40, 4.0))
    np.testing.assert_allclose(doubt[:, 0], 5.5 / 1100.0 * 4.0, rtol=0.05)
    assert np.isfinite(doubt[:, 4]).all()
    # Off the axis: what a pixel more moves the tangent by, in the mean over both directions.
    aside = Sight.of(person(aside=2.0).pixels, EVERYTHING, sigma, CAMERA, FPS)
    moved = []
    for step in ([1.0, 0.0], [0.0, 1.0]):
        pixels = person(aside=2.0).pixels
        pixels[20, 16] += step
        other = Sight.of(pixels, EVERYTHING, sigma, CAMERA, FPS)
        moved.append(np.linalg.norm(other.tangents[20, 16] - aside.tangents[20, 16]))
    np.testing.assert_allclose(aside.width[20, 16], 5.5 * np.sqrt(moved[0] * moved[1]), rtol=0.03)


def test_draws_go_where_keypoints_at_their_places_go() -> None:
    someone, rng = person(aside=1.5), np.random.default_rng(0)
    draws = someone.pixels[:, None] + rng.normal(0.0, 8.0, (40, 6, 17, 2))
    exact = Sight.of(someone.pixels, EVERYTHING, None, CAMERA, FPS)
    with_draws = Sight.of(someone.pixels, EVERYTHING, None, CAMERA, FPS, draws.astype(np.float32))
    assert exact.draws is None and exact.seen(np.full(40, 4.0)).draws is None
    assert with_draws.draws is not None and with_draws.draws.shape == (40, 6, 17, 2)
    np.testing.assert_array_equal(with_draws.tangents, exact.tangents)
    for n in range(6):
        # The turns are those of the keypoints: only the wrist is moved.
        pixels = someone.pixels.copy()
        pixels[:, 13] = draws[:, n, 13]
        moved = Sight.of(pixels, EVERYTHING, None, CAMERA, FPS)
        np.testing.assert_allclose(with_draws.draws[:, n, 13], moved.tangents[:, 13], atol=1e-5)
    part = with_draws.rows(slice(3, 7)).seen(np.array([3.0, 4.0, 5.0, 6.0]))
    assert part.draws is not None
    metres = with_draws.draws[3:7] * np.array([3.0, 4.0, 5.0, 6.0])[:, None, None, None]
    np.testing.assert_allclose(part.draws, metres, rtol=1e-5)


def test_draws_behind_the_camera_are_as_far_aside_as_any() -> None:
    someone = person()
    far = np.full((40, 1, 17, 2), 1e6, np.float32)
    sight = Sight.of(someone.pixels, EVERYTHING, None, CAMERA, FPS, far)
    assert sight.draws is not None and np.isfinite(sight.draws).all() and np.abs(sight.draws).max() <= STEEPEST


@pytest.mark.parametrize(
    "draws",
    [np.zeros((40, 17, 2)), np.zeros((39, 3, 17, 2)), np.zeros((40, 0, 17, 2)), np.full((40, 3, 17, 2), np.nan)],
)
def test_draws_that_cannot_be(draws: np.ndarray) -> None:
    with pytest.raises(MotionError, match="Draws of heatmaps must be"):
        Sight.of(person().pixels, EVERYTHING, None, CAMERA, FPS, draws)


@settings(max_examples=40, deadline=None)
@given(low=st.floats(0.01, 0.99), more=st.floats(0.001, 0.5))
def test_more_confidence_is_less_doubt(low: float, more: float) -> None:
    someone = person(3)
    doubts = [
        Sight.of(someone.pixels, np.full((3, 17), value), None, CAMERA, FPS).doubt(np.full(3, 4.0))
        for value in (low, min(1.0, low + more))
    ]
    assert (doubts[1] < doubts[0]).all()
    assert doubts[1][0, 0] > 0.005 and doubts[1][0, JOINTS.index("left_wrist")] > doubts[1][0, 0]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda p, c: (p[:, :16], c), "pixels"),
        (lambda p, c: (p * np.nan, c), "finite"),
        (lambda p, c: (p, c - 2.0), "negative"),
        (lambda p, c: (p, c * (np.arange(17) > 14)), "No frame"),
    ],
)
def test_what_cannot_be_used_is_refused(change, word: str) -> None:  # type: ignore[no-untyped-def]
    pixels, confidence = change(person().pixels, EVERYTHING.copy())
    with pytest.raises(MotionError, match=word):
        Sight.of(pixels, confidence, None, CAMERA, FPS)


def test_who_knows_the_person_gives_the_person() -> None:
    """The other tests' oracle."""
    someone = person()
    knowing = Knowing(someone)
    sight = Sight.of(someone.pixels, EVERYTHING, None, CAMERA, FPS)
    lifted = knowing(sight.seen(knowing.distance), 2)
    back = sight.back(sight.ahead(lifted, knowing.distance))
    np.testing.assert_allclose(back[:, 1], someone.joints, atol=1e-4)
