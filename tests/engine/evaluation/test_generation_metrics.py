# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of generated poses against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body import Body, bundled
from engine.evaluation.generation_metrics import Novelty, average_pairwise_distance, frechet_distance
from engine.evaluation.places import places
from engine.motion.joints import JOINTS


@pytest.fixture(scope="module")
def body() -> Body:
    return bundled()


def test_pairwise_distance_of_a_turned_hand_is_a_chord(body: Body) -> None:
    """A wrist has no joint beyond it; an elbow carries the wrist on a circle of the forearm's length."""
    poses = np.zeros((3, 21, 3), np.float32)
    poses[1, JOINTS.index("left_wrist") - 1, 1] = 1.0
    poses[2, JOINTS.index("left_elbow") - 1, 1] = np.pi / 2
    offset = body.offsets[JOINTS.index("left_wrist")]
    chord = np.sqrt(2.0) * np.hypot(offset[0], offset[2])  # of a quarter turn about Y
    expected = 100.0 * (0.0 + chord + chord) / 3 / 22  # two of three pairs differ, in one joint of 22
    assert average_pairwise_distance(body, poses) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="two poses"):
        average_pairwise_distance(body, poses[:1])


def test_frechet_distance_of_scaled_and_moved_poses() -> None:
    """For b = s a + m, |mean difference|^2 + (s - 1)^2 trace of a's covariance."""
    a = 0.3 * np.random.default_rng(0).standard_normal((2000, 21, 3))
    b = 1.5 * a + 0.1
    flat = a.reshape(2000, 63)
    expected = ((0.5 * flat.mean(axis=0) + 0.1) ** 2).sum() + 0.25 * np.trace(np.cov(flat.T))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(a, a[::-1]) == pytest.approx(0.0, abs=1e-6)


def test_novelty_is_zero_for_the_known_and_else_brute_force(body: Body) -> None:
    rng = np.random.default_rng(1)
    known, new = (0.4 * rng.standard_normal((count, 21, 3)).astype(np.float32) for count in (40, 7))
    novelty = Novelty(body, known)
    np.testing.assert_allclose(novelty.nearest(known), 0.0, atol=1e-3)
    squares = ((places(body, new)[:, None] - places(body, known)) ** 2).sum(axis=-1)
    np.testing.assert_allclose(
        novelty.nearest(new), 1000 * np.sqrt(squares.mean(axis=-1).min(axis=1)), rtol=1e-4
    )
