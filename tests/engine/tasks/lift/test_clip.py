# SPDX-License-Identifier: GPL-3.0-or-later
"""Animations among hypotheses: the cheapest path of all, distinct ones after it, and less jitter."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from seen_person import FPS, person

from engine.tasks.lift import clip


@pytest.mark.parametrize("seed", range(4))
def test_dynamic_programming_finds_what_trying_all_paths_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    node = rng.uniform(size=(5, 3))
    steps = [rng.uniform(size=(3, 3)) for _ in range(4)]

    def cost(path: tuple[int, ...]) -> float:
        return sum(node[t, s] for t, s in enumerate(path)) + sum(
            steps[t][path[t], path[t + 1]] for t in range(4)
        )

    best = min(product(range(3), repeat=5), key=cost)
    assert tuple(clip._cheapest(node, steps)) == best


def shuffled(count: int, apart: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The true joints; hypotheses (T, S, 17, 3), of which one is them and the others are elsewhere, each going on from
    frame to frame but at another place of every frame's list; and where the true one is."""
    rng = np.random.default_rng(0)
    someone = person(30)
    truth = someone.joints - someone.joints[:, :1]
    others = apart * rng.normal(size=(count - 1, 17, 3))
    others[:, 0] = 0.0
    joints = np.concatenate([truth[:, None], truth[:, None] + others], axis=1)
    order = np.stack([rng.permutation(count) for _ in range(30)])
    place = np.argmax(order == 0, axis=1)
    return truth, np.take_along_axis(joints, order[..., None, None], axis=1), place


def test_a_path_goes_on_with_the_hypothesis_it_took() -> None:
    truth, joints, _ = shuffled(6, 0.1)
    for path in clip.choose_paths(joints, FPS, 3):
        # Each true movement is that of any hypothesis, so whichever was taken, its steps are the truth's.
        steps = np.diff(clip.along(joints, path), axis=0)
        np.testing.assert_allclose(steps, np.diff(truth, axis=0), atol=1e-9)


def test_what_was_seen_decides() -> None:
    truth, joints, place = shuffled(6, 0.1)
    paths = clip.choose_paths(joints, FPS, 1, truth[..., :2], np.full(truth.shape[:2], 0.01))
    np.testing.assert_array_equal(paths[0], place)


def test_further_animations_are_others() -> None:
    _, joints, _ = shuffled(6, 0.1)
    paths = clip.choose_paths(joints, FPS, 4)
    assert paths.shape == (4, 30)
    for first in range(4):
        for second in range(first):
            assert (paths[first] != paths[second]).all()
    assert clip.choose_paths(joints[:, :2], FPS, 5).shape == (2, 30), "there are no more than hypotheses"


def test_an_animation_settles_in_the_middle_of_its_like() -> None:
    rng = np.random.default_rng(0)
    truth = person(10).joints
    like = truth[:, None] + 0.01 * rng.normal(size=(10, 30, 17, 3))
    other = np.repeat(truth[:, None] + 0.5, 30, axis=1)
    joints = np.concatenate([like, other], axis=1)
    path = np.zeros(10, np.int64)
    off = [np.abs(made - truth).mean() for made in (clip.settled(joints, path), clip.along(joints, path))]
    assert off[0] < 0.3 * off[1]
    np.testing.assert_allclose(clip.settled(joints, path + 40), other[:, 0], atol=1e-6)


def test_smoothing_takes_out_what_frames_have_anew() -> None:
    someone = person(60)
    truth = someone.joints - someone.joints[:, :1]
    noisy = truth + 0.015 * np.random.default_rng(0).normal(size=truth.shape)
    found = clip.smoothed(noisy, np.full(truth.shape, 0.1), FPS)
    assert np.abs(found - truth).mean() < 0.6 * np.abs(noisy - truth).mean()
    jolts = [np.abs(np.diff(path - truth, 2, axis=0)).mean() for path in (found, noisy)]
    assert jolts[0] < 0.2 * jolts[1]
    exact = clip.smoothed(truth, np.full(truth.shape, 0.0), FPS)
    assert np.abs(exact - truth).max() < 0.03


def test_a_single_hypothesis_is_as_doubtful_as_two_that_differ() -> None:
    assert (clip.spread(np.zeros((3, 1, 17, 3))) > 0).all()
    assert (clip.spread(np.zeros((3, 4, 17, 3))) == 0).all()
