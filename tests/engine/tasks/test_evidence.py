# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence: its deviations, and other frame rates."""

from __future__ import annotations

import numpy as np
import pytest

from engine.motion.windows import continuous, exp_around, log_around, rotvec_to_quat
from engine.tasks.evidence import SPREAD, averaged, deviation, gather, resampled


def wave(frames: int, fps: float) -> tuple[np.ndarray, np.ndarray]:
    seconds = np.arange(frames)[:, None, None] / fps
    phase = np.arange(66).reshape(22, 3)
    return continuous(rotvec_to_quat(0.3 * np.sin(2.0 * seconds + phase))), np.sin(seconds[:, 0] + np.arange(3))


def test_what_is_known_exactly_has_no_deviation_and_gaps_have_more_the_further_in() -> None:
    known = np.ones((31, 23), bool)
    known[5:26, 4] = False
    found = deviation(known, np.zeros(23), 30.0)
    assert (found[known] == 0).all()
    assert (np.diff(found[4:15, 4]) > 0).all() and found[15, 4] == pytest.approx(SPREAD[4] * (11 / 15))
    known[:, 4] = False
    assert (deviation(known, np.zeros(23), 30.0)[:, 4] == SPREAD[4]).all()
    np.testing.assert_allclose(deviation(np.ones((3, 23), bool), np.full(23, 0.1), 30.0), 0.1)


def test_unknown_measurements_are_not_told() -> None:
    quat, path = wave(20, 30.0)
    known = np.ones((20, 23), bool)
    known[3, 7] = known[4, 22] = False
    measured = exp_around(quat, np.full((20, 22, 3), 0.1))
    found = gather(quat, path, measured, path + 1.0, known, np.zeros(23), np.zeros(23), 30.0)
    assert (found.turn[3, 7] == 0).all() and (found.shift[4] == 0).all()
    np.testing.assert_allclose(found.turn[5], 0.1)
    np.testing.assert_allclose(found.shift[5], 1.0)


@pytest.mark.parametrize("fps", [24.0, 60.0, 120.0])
def test_another_rate_shows_the_same_motion(fps: float) -> None:
    """The slow wave at 30 fps, whichever rate it comes from."""
    (quat, path), (aim, aim_path) = wave(round(4 * fps) + 1, fps), wave(121, 30.0)
    known = np.ones((len(quat), 23), bool)
    none = np.zeros(23)
    found = resampled(gather(quat, path, quat, path, known, none, none, fps), fps)
    assert len(found) == 121
    assert np.linalg.norm(log_around(aim, found.quat), axis=-1).max() < 2e-3
    np.testing.assert_allclose(found.path, aim_path, atol=1e-3)
    assert found.known.all() and not found.turn.any()


def test_averaging_over_frames_lowers_noise_as_it_says() -> None:
    rng = np.random.default_rng(0)
    quat, path = wave(4801, 120.0)
    measured = exp_around(quat, 0.05 * rng.normal(size=(4801, 22, 3)))
    known, level = np.ones((4801, 23), bool), np.full(23, 0.05)
    found = resampled(gather(quat, path, measured, path, known, level, level, 120.0), 120.0)
    assert found.turn.std() == pytest.approx(found.noise[0], rel=0.08)
    assert found.noise[0] == pytest.approx(0.025)


def test_means_over_frames() -> None:
    curve = np.array([0.0, 1.0, 2.0, 3.0])[:, None]
    np.testing.assert_allclose(averaged(curve, np.array([0.0, 1.5, 3.0]), 2.0)[:, 0], [1.0 / 3.0, 1.5, 8.0 / 3.0])
