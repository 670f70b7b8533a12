# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows and log-rotations, against SciPy's rotations and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from engine.motion.windows import (
    Windows,
    conjugate,
    continuous,
    exp_around,
    extend,
    log_around,
    mean_rotation,
    multiply,
    quat_to_rotvec,
    rotvec_to_quat,
    smooth_path,
    smooth_reference,
    vectors,
)

SEEDS = st.integers(0, 2**32 - 1)


def random_quats(rng: np.random.Generator, *shape: int) -> np.ndarray:
    quat = rng.normal(size=(*shape, 4))
    return quat / np.linalg.norm(quat, axis=-1, keepdims=True)


def wander(rng: np.random.Generator, frames: int, joints: int) -> np.ndarray:
    """Rotations (T, J, 4) that stay within a radian or so of a random one."""
    return multiply(
        random_quats(rng, 1, joints), rotvec_to_quat(0.4 * rng.normal(size=(frames, joints, 3)).clip(-2, 2))
    )


def to_scipy(quat: np.ndarray) -> Rotation:
    return Rotation.from_quat(quat.reshape(-1, 4)[:, [1, 2, 3, 0]])


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_products_are_those_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = random_quats(rng, 7, 3), random_quats(rng, 7, 3)
    expected = (to_scipy(a) * to_scipy(b)).as_matrix()
    np.testing.assert_allclose(to_scipy(multiply(a, b)).as_matrix(), expected, atol=1e-12)
    np.testing.assert_allclose(multiply(a, conjugate(a)), np.eye(4)[:1] * np.ones((7, 3, 1)), atol=1e-12)


@given(seed=SEEDS, size=st.floats(0.0, 3.1))
@settings(max_examples=50, deadline=None)
def test_log_and_exp_undo_each_other(seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    reference = random_quats(rng, 5, 4)
    x = rng.normal(size=(5, 4, 3))
    x *= size / np.linalg.norm(x, axis=-1, keepdims=True)
    moved = exp_around(reference, x)
    np.testing.assert_allclose(log_around(reference, moved), x, atol=1e-7)
    expected = (to_scipy(reference) * Rotation.from_rotvec(x.reshape(-1, 3))).as_matrix()
    np.testing.assert_allclose(to_scipy(moved).as_matrix(), expected, atol=1e-12)
    np.testing.assert_allclose(quat_to_rotvec(rotvec_to_quat(x)), x, atol=1e-9)


@given(seed=SEEDS, frames=st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_the_mean_is_that_of_scipy_whatever_the_signs(seed: int, frames: int) -> None:
    rng = np.random.default_rng(seed)
    quat = wander(rng, frames, 3)
    signs = rng.choice([-1.0, 1.0], size=(frames, 3, 1))
    mean = mean_rotation(quat * signs)
    for joint in range(3):
        expected = to_scipy(quat[:, joint]).mean().as_matrix()
        np.testing.assert_allclose(to_scipy(mean[joint]).as_matrix()[0], expected, atol=1e-9)


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_vectors_do_not_depend_on_where_a_joint_points(seed: int) -> None:
    """Constant rotations from the left change nothing; from the right they turn the vectors."""
    rng = np.random.default_rng(seed)
    window = np.stack([wander(rng, 20, 3) for _ in range(2)])
    x, mean = vectors(window)
    turn = random_quats(rng, 3)
    np.testing.assert_allclose(vectors(multiply(turn, window))[0], x, atol=1e-9)
    turned = to_scipy(turn).inv().as_matrix() @ x.reshape(2, 20, 3, 3, 1)
    np.testing.assert_allclose(vectors(multiply(window, turn))[0], turned.reshape(2, 20, 9), atol=1e-9)
    back = exp_around(mean, x.reshape(2, 20, 3, 3))
    np.testing.assert_allclose(np.abs(np.sum(back * window, axis=-1)), 1.0, atol=1e-12)


def test_vectors_of_positions_are_around_their_mean() -> None:
    window = np.random.default_rng(0).normal(size=(2, 9, 4, 3))
    x, mean = vectors(window)
    np.testing.assert_allclose(x.mean(axis=1), 0.0, atol=1e-12)
    np.testing.assert_allclose(x.reshape(window.shape) + mean, window, atol=1e-12)


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_signs_become_continuous_and_rotations_stay(seed: int) -> None:
    rng = np.random.default_rng(seed)
    quat = random_quats(rng, 30, 2)
    smooth = continuous(quat)
    assert (np.sum(smooth[1:] * smooth[:-1], axis=-1) >= 0).all()
    assert ((smooth == quat) | (smooth == -quat)).all() and (smooth[0] == quat[0]).all()


@given(frames=st.integers(1, 400), length=st.integers(1, 150), size=st.integers(1, 9), seed=SEEDS)
@settings(max_examples=100, deadline=None)
def test_windows_cover_and_their_weights_sum_to_one(frames: int, length: int, size: int, seed: int) -> None:
    cover = Windows.cover(frames, length)
    assert cover.length == min(length, frames)
    assert cover.starts[0] == 0 and cover.starts[-1] + cover.length == frames
    steps = np.diff(cover.starts)
    assert (steps > 0).all() and (steps <= max(1, cover.length // 2)).all()
    clip = np.random.default_rng(seed).normal(size=(frames, 2, 3))
    total = np.zeros_like(clip)
    for starts in cover.batches(size):
        assert len(starts) <= size
        windows = cover.cut(clip, starts)
        assert all((w == clip[s : s + cover.length]).all() for w, s in zip(windows, starts, strict=True))
        cover.add(total, windows, starts)
    assert (cover.weight() > 0).all()
    np.testing.assert_allclose(total / cover.weight()[:, None, None], clip, atol=1e-9)


def test_windows_trust_their_middle() -> None:
    taper = Windows.cover(240, 120).taper
    np.testing.assert_allclose(taper, taper[::-1])
    assert taper.argmax() in (59, 60) and taper[0] < 0.01 * taper.max() and (taper > 0).all()


@pytest.mark.parametrize("frames", [2, 3, 50])
def test_a_steady_walk_goes_on_as_it_went(frames: int) -> None:
    path = np.arange(frames)[:, None] * np.array([0.01, 0.0, -0.03]) + 1.0
    steps = np.diff(extend(path, frames - 1), axis=0)
    np.testing.assert_allclose(steps, np.broadcast_to(path[1] - path[0], steps.shape), atol=1e-12)


def test_a_steady_walk_is_not_smoothed() -> None:
    path = np.arange(60)[:, None] * np.array([0.01, 0.0, -0.03]) + 1.0
    np.testing.assert_allclose(smooth_path(path, 30.0, 0.1), path, atol=1e-4)  # the kernel ends at 4 sigma


def test_a_smoothed_path_has_the_response_of_a_gaussian() -> None:
    seconds = np.arange(600) / 60.0
    path = np.stack([np.sin(2 * np.pi * 1.5 * seconds)] * 3, axis=1)
    expected = np.exp(-0.5 * (2 * np.pi * 1.5 * 0.1) ** 2) * path
    np.testing.assert_allclose(smooth_path(path, 60.0, 0.1)[60:-60], expected[60:-60], atol=2e-3)


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_reference_turns_with_the_motion(seed: int) -> None:
    rng = np.random.default_rng(seed)
    quat, turn = wander(rng, 40, 1), random_quats(rng, 1)
    reference = smooth_reference(quat, 30.0, 0.2)
    np.testing.assert_allclose(np.linalg.norm(reference, axis=-1), 1.0)
    for moved, expected in (
        (multiply(turn, quat), multiply(turn, reference)),
        (multiply(quat, turn), multiply(reference, turn)),
    ):
        again = smooth_reference(moved, 30.0, 0.2)
        np.testing.assert_allclose(np.abs(np.sum(again * expected, axis=-1)), 1.0, atol=1e-9)
