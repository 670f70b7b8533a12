# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults put into clips have the statistics they are named after."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.evaluation.corruption import KINDS, LIMBS, clean, correlated, dropouts, spikes, white
from engine.motion.joints import JOINTS, PARTS
from engine.tasks.confidence import runs

FPS = 30.0
FRAMES = 3000


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    """(T, 22, 4) rotations that all differ."""
    rng = np.random.default_rng(0)
    t = np.arange(FRAMES)[:, None, None] / FPS
    x = 0.6 * np.sin(t * rng.uniform(0.5, 3.0, (1, 22, 3)) + rng.uniform(0, 6, (1, 22, 3)))
    return Rotation.from_rotvec(x.reshape(-1, 3)).as_quat()[:, [3, 0, 1, 2]].reshape(FRAMES, 22, 4)


def change(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(T, 22, 3) degrees from the clip to the faulty one, in each joint's own axes, by SciPy."""
    a, b = (Rotation.from_quat(q.reshape(-1, 4)[:, [1, 2, 3, 0]]) for q in (before, after))
    return np.rad2deg((a.inv() * b).as_rotvec()).reshape(*before.shape[:2], 3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_root_is_left_alone_and_a_seed_repeats(clip: np.ndarray, kind: str) -> None:
    first, second = (KINDS[kind](clip, FPS, np.random.default_rng(7)) for _ in range(2))
    assert (first == second).all()
    assert np.abs(change(clip[:, :1], first[:, :1])).max() < 1e-6
    np.testing.assert_allclose(np.linalg.norm(first, axis=-1), 1.0)


@pytest.mark.parametrize("degrees", [2.0, 5.0, 10.0])
def test_white_noise(clip: np.ndarray, degrees: float) -> None:
    x = change(clip, white(degrees)(clip, FPS, np.random.default_rng(1)))[:, 1:]
    np.testing.assert_allclose(x.std(axis=0), degrees, rtol=0.07)
    np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=0.08 * degrees)
    assert np.abs(np.mean(x[1:] * x[:-1], axis=0) / x.var(axis=0)).max() < 0.08


@pytest.mark.parametrize("fps", [30.0, 120.0])
def test_correlated_noise_forgets_in_a_sixth_of_a_second(clip: np.ndarray, fps: float) -> None:
    x = change(clip, correlated(5.0)(clip, fps, np.random.default_rng(2)))[:, 1:]
    assert x.std() == pytest.approx(5.0, rel=0.05)
    for lag in (1, 3, 6):
        expected = np.exp(-lag / (fps * 0.17))
        assert np.mean(x[lag:] * x[:-lag]) / x.var() == pytest.approx(expected, abs=0.04)


def test_spikes(clip: np.ndarray) -> None:
    x = change(clip, spikes(clip, FPS, np.random.default_rng(3)))
    size = np.linalg.norm(x, axis=-1)
    hit = size > 1e-3
    assert size[hit].min() >= 30.0 - 1e-3 and size[hit].max() <= 90.0 + 1e-3
    # Within a flip the rotation is one and the same: joint-frames where another one starts are beginnings.
    starts = hit.copy()
    starts[1:] &= np.linalg.norm(x[1:] - x[:-1], axis=-1) > 1e-3
    assert starts[:, 1:].mean() == pytest.approx(0.02, rel=0.1)
    lengths = []
    for joint in range(1, 22):
        for first, last in runs(hit[:, joint]):
            begins = [t for t in range(first, last + 1) if starts[t, joint]]
            lengths += np.diff([*begins, last + 1]).tolist()
    assert max(lengths) == 6 and min(lengths) == 1
    assert np.mean(lengths) == pytest.approx(3.4, abs=0.25)  # 3.5, less what another flip cuts short


def test_dropouts_take_whole_limbs_for_half_to_one_and_a_half_seconds(clip: np.ndarray) -> None:
    faulty = dropouts(clip, FPS, np.random.default_rng(4))
    hit = np.linalg.norm(change(clip, faulty), axis=-1) > 1e-3
    found, frozen, drifting = 0, 0, 0
    for limb in LIMBS:
        for first, last in runs(hit[:, limb].any(axis=1)):
            if last == FRAMES - 1:
                continue
            found += 1
            assert 0.5 * FPS - 2 <= last - first + 1 <= 1.5 * FPS + 1
            # Against the last good frame: held, or going away at a steady rate.
            away = change(
                np.broadcast_to(faulty[first - 1], faulty[first : last + 1].shape), faulty[first : last + 1]
            )
            speed = np.linalg.norm(np.diff(away[:, list(limb)], axis=0), axis=-1) * FPS
            np.testing.assert_allclose(speed, speed[:1].repeat(len(speed), axis=0), atol=1e-3)
            frozen += speed.max() < 1e-3
            drifting += speed.min() > 4.9 and speed.max() < 30.1
    assert found > 20 and frozen + drifting == found and min(frozen, drifting) > 4
    assert (
        hit[:, [JOINTS.index(j) for j in ("pelvis", "spine1", "spine2", "spine3", "neck", "head")]] == 0
    ).all()


def test_limbs_are_the_named_parts() -> None:
    named = [{JOINTS[j] for j in limb} for limb in LIMBS]
    for part in ("left_arm", "right_arm", "left_leg", "right_leg"):
        assert set(PARTS[part]) in named


def test_no_fault_is_no_fault(clip: np.ndarray) -> None:
    assert clean(clip, FPS, np.random.default_rng(0)) is clip
