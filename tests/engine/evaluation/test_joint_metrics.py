# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of lifters against closed forms and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from engine.evaluation.joint_metrics import (
    COUNTED,
    THRESHOLDS,
    auc,
    best,
    pck,
    procrustes_aligned,
    root_aligned,
)
from engine.evaluation.metrics import pa_mpjpe
from engine.motion.h36m import JOINTS

SEEDS = st.integers(0, 2**32 - 1)


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_protocol_1_forgives_where_the_person_stands_and_nothing_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(4, 17, 3))
    moved = truth + rng.normal(size=(4, 1, 3))
    np.testing.assert_allclose(root_aligned(moved, truth), 0.0, atol=1e-9)
    one = moved.copy()
    one[2, 5] += [0.002, -0.003, 0.006]
    expected = np.zeros((4, 17))
    expected[2, 5] = 7.0
    np.testing.assert_allclose(root_aligned(one, truth), expected, atol=1e-9)


def test_a_wrong_pelvis_is_the_error_of_all_others() -> None:
    truth = np.random.default_rng(0).normal(size=(1, 17, 3))
    joints = truth.copy()
    joints[0, 0] += [0.0, 0.03, 0.04]
    np.testing.assert_allclose(root_aligned(joints, truth), [[0.0] + [50.0] * 16], atol=1e-9)


@given(seed=SEEDS, scale=st.floats(0.1, 10.0))
@settings(max_examples=20, deadline=None)
def test_protocol_2_forgives_any_similarity(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(3, 17, 3))
    turns = Rotation.random(6, random_state=rng.integers(2**31)).as_matrix().reshape(2, 3, 3, 3)
    moved = scale * truth @ turns + rng.normal(size=(2, 3, 1, 3))
    np.testing.assert_allclose(procrustes_aligned(moved, truth), 0.0, atol=1e-6)


def test_protocol_2_is_scipys() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(5, 17, 3))
    joints = truth + 0.1 * rng.normal(size=truth.shape)
    found = procrustes_aligned(joints, truth)
    for frame in range(5):
        theirs, aligned, _ = procrustes(truth[frame], joints[frame])
        size = np.linalg.norm(truth[frame] - truth[frame].mean(axis=0))
        np.testing.assert_allclose(found[frame], 1000 * size * np.linalg.norm(theirs - aligned, axis=-1), rtol=1e-9)
    assert pa_mpjpe(joints, truth) == pytest.approx(found.mean(), rel=1e-12)


def test_the_best_hypothesis_is_chosen_by_frame() -> None:
    distances = np.full((3, 2, 17), 40.0)
    distances[1, 0], distances[2, 1] = 10.0, 20.0
    distances[0, 0, :5] = 0.0  # better in some joints, worse in the mean
    np.testing.assert_array_equal(best(distances), [[10.0] * 17, [20.0] * 17])


def test_shares_are_counted_on_fourteen_joints_and_below_the_threshold() -> None:
    names = {JOINTS[index] for index in COUNTED}
    assert len(names) == 14 and set(JOINTS) - names == {"pelvis", "spine", "nose"}
    distances = np.full((2, 17), 150.0)
    assert pck(distances) == 0.0
    distances[0] = 149.999
    assert pck(distances) == pytest.approx(50.0)
    distances[1, [JOINTS.index(joint) for joint in ("pelvis", "spine", "nose")]] = 0.0
    assert pck(distances) == pytest.approx(50.0)
    assert pck(distances, joints=range(17)) == pytest.approx(100 * 20 / 34)
    distances[1, JOINTS.index("left_wrist")] = 0.0
    assert pck(distances) == pytest.approx(100 * 15 / 28)


@given(error=st.floats(0.0, 200.0))
def test_the_area_under_the_curve_of_one_error_is_the_share_of_thresholds_above_it(error: float) -> None:
    assert THRESHOLDS[0] == 0.0 and THRESHOLDS[-1] == 150.0 and len(THRESHOLDS) == 31
    above = sum(step > error for step in range(0, 151, 5))
    assert auc(np.full((3, 17), error)) == pytest.approx(100 * above / 31)


def test_uniform_errors_have_nearly_the_area_of_a_triangle() -> None:
    """Errors evenly spread from 0 to 150 mm: PCK at t is t / 150."""
    distances = np.repeat((np.arange(15_000) + 0.5)[:, None] / 100.0, 17, axis=1)
    assert auc(distances) == pytest.approx(50.0, abs=0.01)
    assert pck(distances, 75.0) == pytest.approx(50.0)
