# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator of mocap faults: what is called damage is damage, the rest is noise of the stated kind."""

from __future__ import annotations

import numpy as np
import pytest

from engine.motion.joints import JOINTS
from engine.motion.windows import log_around, rotvec_to_quat
from engine.training.damage import (
    LEAST_DAMAGE,
    LIMBS,
    coloured,
    damage,
    dropped_frames,
    losses,
    quantised,
    spikes,
    swaps,
)


@pytest.fixture
def clip() -> tuple[np.ndarray, np.ndarray]:
    seconds = np.arange(300)[:, None, None] / 30.0
    poses = 0.4 * np.sin(2.0 * np.pi * seconds / 1.7 + np.arange(66).reshape(22, 3))
    return rotvec_to_quat(poses), np.cumsum(np.full((300, 3), 0.01), axis=0)


def away(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(log_around(a, b), axis=-1)


@pytest.mark.parametrize("seed", range(8))
def test_damage_is_where_it_is_told_and_repeats_by_seed(clip: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    quat, path = clip
    found = damage(quat, path, 30.0, np.random.default_rng(seed), noisy=0.0, damaged=1.0)
    again = damage(quat, path, 30.0, np.random.default_rng(seed), noisy=0.0, damaged=1.0)
    np.testing.assert_array_equal(found.quat, again.quat)
    np.testing.assert_allclose(np.linalg.norm(found.quat, axis=-1), 1.0)
    assert found.damage.shape == (300, 23)
    # Slides and rounding come on top.
    told = away(quat, found.quat)[found.damage[:, :22]]
    assert (told > 0.2 * LEAST_DAMAGE).sum() >= 0.95 * len(told)


def test_without_faults_nothing_changes(clip: tuple[np.ndarray, np.ndarray]) -> None:
    quat, path = clip
    changed = 0
    for seed in range(40):
        found = damage(quat, path, 30.0, np.random.default_rng(seed), noisy=0.0, damaged=0.0)
        assert not found.damage.any()
        changed += bool((found.quat != quat).any())
    assert 0 < changed < 20  # slides and rounding are neither


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.4])
def test_noise_has_unit_variance_and_forgets_as_it_says(seconds: float) -> None:
    noise = coloured((60_000, 1), seconds, 30.0, np.random.default_rng(1))[:, 0]
    assert noise.std() == pytest.approx(1.0, rel=0.05)
    lag = 3
    expected = np.exp(-lag / (30.0 * seconds)) if seconds else 0.0
    assert np.mean(noise[lag:] * noise[:-lag]) == pytest.approx(expected, abs=0.05)


def test_swaps_are_mirrored_or_bent_backwards(clip: tuple[np.ndarray, np.ndarray]) -> None:
    quat, path = clip
    seen = set()
    for seed in range(30):
        out, _ = swaps(quat, path, 30.0, np.random.default_rng(seed))
        changed = np.flatnonzero((out != quat).any(axis=(0, 2)))
        hinges = {JOINTS.index(j) for j in ("left_elbow", "right_elbow", "left_knee", "right_knee")}
        assert set(changed) <= {j for limb in LIMBS for j in limb} | hinges
        seen |= set(changed)
    assert len(seen) == 16


def test_losses_freeze_limbs_for_a_while(clip: tuple[np.ndarray, np.ndarray]) -> None:
    quat, path = clip
    out, _ = losses(quat, path, 30.0, np.random.default_rng(3))
    wrong = away(quat, out) > LEAST_DAMAGE
    assert 0.005 < wrong[:, 1:].mean() < 0.6 and not wrong[:, 0].any()


def test_spikes_are_short(clip: tuple[np.ndarray, np.ndarray]) -> None:
    quat, path = clip
    out, _ = spikes(quat, path, 30.0, np.random.default_rng(0))
    wrong = away(quat, out) > LEAST_DAMAGE
    ends = np.diff(np.concatenate([np.zeros((1, 22)), wrong, np.zeros((1, 22))]), axis=0)
    lengths = np.concatenate([np.flatnonzero(e == -1) - np.flatnonzero(e == 1) for e in ends.T])
    assert len(lengths) and np.median(lengths) <= 6


def test_dropped_frames_repeat_the_one_before(clip: tuple[np.ndarray, np.ndarray]) -> None:
    quat, path = clip
    out, moved = dropped_frames(quat, path, 30.0, np.random.default_rng(0))
    held = (out[1:] == out[:-1]).all(axis=(1, 2))
    assert held.any() and (moved[1:][held] == moved[:-1][held]).all()


def test_rounding_is_to_steps(clip: tuple[np.ndarray, np.ndarray]) -> None:
    quat, path = clip
    out, _ = quantised(quat, path, 30.0, np.random.default_rng(0))
    turn = log_around(quat[:1], out)[:, 1:]
    sizes = np.unique(np.round(np.abs(turn[np.abs(turn) > 1e-6]), 6))
    np.testing.assert_allclose(sizes / sizes[0], np.round(sizes / sizes[0]), atol=0.02)
