# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the motion prior about a clip: windows, seams, frame rates, and what must not move."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.diffusion.temporal_network import TemporalScoreNet
from engine.errors import Cancelled
from engine.motion.tpose import OFFSETS
from engine.motion.windows import continuous, exp_around, log_around, rotvec_to_quat
from engine.priors.motion_prior import EVENT, FEATURES, OUTPUTS, WINDOW, MotionPrior
from engine.tasks.evidence import CHANNELS, Evidence, gather
from engine.tasks.motion_estimate import estimate_motion, sample_motion


def untrained(weights: float) -> MotionPrior:
    torch.manual_seed(0)
    network = TemporalScoreNet(FEATURES + EVENT, OUTPUTS, hidden=32, embed=16, dilations=(1, 2))
    torch.nn.init.normal_(network.post.weight, std=weights)
    torch.nn.init.zeros_(network.post.bias)
    return MotionPrior(network, torch.as_tensor(OFFSETS)).eval().requires_grad_(False)


def evidence(frames: int, fps: float = 30.0, noise: float = 0.05, seed: int = 0) -> Evidence:
    rng = np.random.default_rng(seed)
    seconds = np.arange(frames)[:, None, None] / fps
    quat = continuous(rotvec_to_quat(0.3 * np.sin(2.0 * seconds + np.arange(66).reshape(22, 3))))
    path = np.sin(seconds[:, 0] + np.arange(3))
    known = rng.random((frames, CHANNELS)) > 0.05
    level = np.full(CHANNELS, noise)
    measured = exp_around(quat, noise * rng.normal(size=(frames, 22, 3)))
    return gather(quat, path, measured, path, known, level, 0.5 * level, fps)


def test_a_network_that_says_nothing_leaves_the_reference() -> None:
    told = evidence(250)
    found = estimate_motion(told, 30.0, untrained(0.0), "cpu")
    assert np.linalg.norm(log_around(told.quat, found.quat), axis=-1).max() < 1e-6
    np.testing.assert_allclose(found.path, told.path, atol=1e-6)
    ruled_out = ~told.known[:, :22]
    np.testing.assert_allclose(found.damage[~ruled_out], 0.5)
    assert found.damage[ruled_out].min() > 0.99  # rules stand where nothing is said against them
    np.testing.assert_allclose(found.deviation, told.deviation, rtol=1e-5)


def test_what_is_known_exactly_stays_bit_equal() -> None:
    told = evidence(120)
    fixed = told.deviation.copy()
    fixed[30:40], fixed[:, 5] = 0.0, 0.0
    found = estimate_motion(replace(told, deviation=fixed), 30.0, untrained(0.1), "cpu")
    np.testing.assert_array_equal(found.quat[30:40], told.quat[30:40])
    np.testing.assert_array_equal(found.quat[:, 5], told.quat[:, 5])
    np.testing.assert_array_equal(found.path[30:40], told.path[30:40])
    assert (found.quat[50:, 6] != told.quat[50:, 6]).any()


def test_root_and_path_stay_where_they_mean_nothing() -> None:
    told = replace(evidence(60), placed=False)
    found = estimate_motion(told, 30.0, untrained(0.1), "cpu")
    np.testing.assert_array_equal(found.quat[:, 0], told.quat[:, 0])
    np.testing.assert_array_equal(found.path, told.path)


def test_seams_of_windows_do_not_show() -> None:
    """A long clip moves from frame to frame no more at the seams than inside a window."""
    told = evidence(4 * WINDOW)
    found = estimate_motion(told, 30.0, untrained(0.02), "cpu")
    turn = log_around(told.quat, found.quat)
    step = np.abs(np.diff(turn, axis=0)).mean(axis=(1, 2))
    seams = np.arange(1, 8) * (WINDOW // 2) - 1
    assert step[seams].mean() < 1.3 * step.mean()


@pytest.mark.parametrize("fps", [24.0, 60.0, 120.0])
def test_another_rate_gives_nearly_the_same_answer(fps: float) -> None:
    """The slow wave without noise but with an answer: at the seconds that both rates share."""
    prior = untrained(0.02)
    slow, fast = evidence(121, 30.0, 0.0), evidence(round(4 * fps) + 1, fps, 0.0)
    slow, fast = (
        replace(e, known=np.ones((len(e), CHANNELS), bool), deviation=np.full((len(e), CHANNELS), 0.1))
        for e in (slow, fast)
    )
    moved = [
        log_around(e.quat, estimate_motion(e, rate, prior, "cpu").quat)
        for e, rate in ((slow, 30.0), (fast, fps))
    ]
    seconds = np.arange(1, 4)
    a, b = moved[0][30 * seconds], moved[1][(fps * seconds).astype(int)]
    assert np.abs(a - b).max() < 0.15 * np.abs(a).max()


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
def test_short_clips(frames: int) -> None:
    told = evidence(frames)
    found = estimate_motion(told, 30.0, untrained(0.1), "cpu")
    assert found.quat.shape == (frames, 22, 4) and np.isfinite(found.quat).all()


def test_samples_repeat_by_seed_and_keep_what_is_known() -> None:
    told = evidence(110)
    fixed = told.deviation.copy()
    fixed[:10] = 0.0
    told, prior = replace(told, deviation=fixed), untrained(0.05)
    one, two, other = (sample_motion(told, 30.0, prior, seed, 4, device="cpu") for seed in (1, 1, 2))
    np.testing.assert_array_equal(one[0], two[0])
    assert (one[0][20:] != other[0][20:]).any()
    np.testing.assert_array_equal(one[0][:10], told.quat[:10])
    np.testing.assert_array_equal(one[1][:10], told.path[:10])


def test_it_can_be_cancelled() -> None:
    def stop(share: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        estimate_motion(evidence(200), 30.0, untrained(0.1), "cpu", stop)
