# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics against closed forms and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from engine.evaluation.metrics import (
    acceleration_error,
    jitter_ratio,
    mpjpe,
    pa_mpjpe,
    rotation_error,
)

SEEDS = st.integers(0, 2**32 - 1)


@given(seed=SEEDS, scale=st.floats(0.1, 10.0))
@settings(max_examples=30, deadline=None)
def test_procrustes_forgives_any_similarity_of_each_frame(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(4, 22, 3))
    turns = Rotation.random(4, random_state=rng.integers(2**31)).as_matrix()
    moved = scale * truth @ turns + rng.normal(size=(4, 1, 3))
    assert pa_mpjpe(moved, truth) < 1e-6
    assert pa_mpjpe(moved * np.array([-1.0, 1.0, 1.0]), truth) > 1.0  # but no reflection


def test_procrustes_is_that_of_scipy() -> None:
    """Residuals as a sum of squares, where both are defined alike (SciPy allows reflections; none is better here)."""
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(1, 22, 3))
    joints = truth + 0.1 * rng.normal(size=truth.shape)
    theirs, aligned, _ = procrustes(truth[0], joints[0])
    size = np.linalg.norm(truth[0] - truth[0].mean(axis=0))
    expected = 1000.0 * size * np.linalg.norm(theirs - aligned, axis=-1).mean()
    assert pa_mpjpe(joints, truth) == pytest.approx(expected, rel=1e-9)


def test_position_error_is_the_length_of_a_shift_in_millimetres() -> None:
    joints = np.random.default_rng(2).normal(size=(5, 22, 3))
    assert mpjpe(joints + np.array([0.002, -0.003, 0.006]), joints) == pytest.approx(7.0)
    assert mpjpe(joints, joints) == 0.0


@given(seed=SEEDS, degrees=st.floats(0.0, 179.0))
@settings(max_examples=30, deadline=None)
def test_rotation_error_is_the_angle_between_whatever_the_signs(seed: int, degrees: float) -> None:
    rng = np.random.default_rng(seed)
    base = Rotation.random(12, random_state=rng.integers(2**31))
    axes = rng.normal(size=(12, 3))
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    turned = base * Rotation.from_rotvec(np.deg2rad(degrees) * axes)
    a, b = (r.as_quat()[:, [3, 0, 1, 2]].reshape(4, 3, 4) for r in (base, turned))
    assert rotation_error(a, b * rng.choice([-1.0, 1.0], size=(4, 3, 1))) == pytest.approx(degrees, abs=1e-4)


@pytest.mark.parametrize("fps", [24.0, 30.0, 120.0])
def test_acceleration_of_a_fall_is_gravity_at_any_frame_rate(fps: float) -> None:
    t = np.arange(40)[:, None, None] / fps
    truth = np.zeros((40, 22, 3))
    fall = truth + t**2 * np.array([0.0, -0.5 * 9.81, 0.0])
    assert acceleration_error(fall, truth, fps) == pytest.approx(9.81)
    assert acceleration_error(fall + 3.0 * t, fall, fps) == pytest.approx(0.0, abs=1e-8)


def test_jitter_is_a_ratio_of_third_differences() -> None:
    rng = np.random.default_rng(3)
    joints = rng.normal(size=(50, 22, 3))
    assert jitter_ratio(joints, joints) == pytest.approx(1.0)
    assert jitter_ratio(3.0 * joints, joints) == pytest.approx(3.0)
    t = np.arange(50)[:, None, None] / 30.0
    assert jitter_ratio(joints + t + t**2, joints) == pytest.approx(1.0)  # smooth motion is no jitter
