# SPDX-License-Identifier: GPL-3.0-or-later
"""The nearest-neighbour lookup: it finds what it has seen, on both sides of the body."""

from __future__ import annotations

import numpy as np
import pytest

from engine.evaluation.baselines.nearest import STRIDE, NearestPoses
from engine.motion.joints import JOINTS, PARTS
from engine.training.dataset import mirror

LEFT_ARM = np.array([name in PARTS["left_arm"] for name in JOINTS[1:]])


@pytest.fixture(scope="module")
def poses() -> np.ndarray:
    return (0.4 * np.random.default_rng(0).standard_normal((50 * STRIDE, 21, 3))).astype(np.float32)


@pytest.fixture(scope="module")
def model(poses: np.ndarray) -> NearestPoses:
    return NearestPoses(poses, np.full(len(poses), 1.0 / len(poses)))


def test_a_seen_pose_is_completed_exactly(model: NearestPoses, poses: np.ndarray) -> None:
    seen = poses[::STRIDE][:5]
    for truth in (seen, mirror(seen)):
        blank = np.where(LEFT_ARM[:, None], np.float32(np.nan), truth)
        completed = model.complete(blank, ~LEFT_ARM, 3, np.random.default_rng(0))
        assert completed.shape == (3, 5, 21, 3)
        np.testing.assert_array_equal(completed[0], truth)
        np.testing.assert_array_equal(
            completed[:, :, ~LEFT_ARM], np.broadcast_to(truth, completed.shape)[:, :, ~LEFT_ARM]
        )


def test_hypotheses_are_other_poses(model: NearestPoses, poses: np.ndarray) -> None:
    completed = model.complete(poses[:3], ~LEFT_ARM, 100, np.random.default_rng(0))
    for item in completed.swapaxes(0, 1):
        assert (
            len(np.unique(item.reshape(100, -1), axis=0)) == 100
        )  # the whole bank: 50 poses and reflections


def test_samples_are_drawn_by_weight(poses: np.ndarray) -> None:
    weights = np.where(np.arange(len(poses)) < len(poses) // 2, 3.0, 1.0)
    drawn = NearestPoses(poses, weights / weights.sum()).sample(4000, np.random.default_rng(1))
    heavy = np.concatenate([poses[: len(poses) // 2], mirror(poses[: len(poses) // 2])])[:, 0, 0]
    assert np.isin(drawn[:, 0, 0], heavy).mean() == pytest.approx(0.75, abs=0.03)
