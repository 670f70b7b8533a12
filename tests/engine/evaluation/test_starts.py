# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong starts are wrong by as much as they say, alone and in clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.body import forward_kinematics
from engine.body.shapes import offsets_of
from engine.evaluation.filmed import snap
from engine.evaluation.metrics import pa_mpjpe
from engine.evaluation.starts import (
    ASIDE,
    DEPTH,
    QUALITIES,
    ROOT_SHARE,
    SHAPE,
    SLOW,
    perturbed,
    wrong_shape,
)
from engine.priors.weights import load_pose_prior

COUNT = 3000
STILL = np.zeros((COUNT, 22, 3))
THERE = np.tile([0.0, 0.0, -4.0], (COUNT, 1))


@pytest.mark.parametrize("quality", list(QUALITIES))
def test_errors_are_as_large_as_told(quality: str) -> None:
    """Of poses at rest, errors are the poses."""
    share = QUALITIES[quality]
    poses, transl = perturbed(STILL, THERE, quality, np.random.default_rng(0))
    turns = Rotation.from_rotvec(poses.reshape(-1, 3)).as_rotvec().reshape(COUNT, -1)
    spread = np.concatenate([np.full(3, ROOT_SHARE), load_pose_prior().std.double().numpy()])
    small = spread * share < 0.7  # others wrap around at times
    assert small.sum() > 50
    np.testing.assert_allclose(turns.std(axis=0)[small], share * spread[small], rtol=0.08)
    off = (transl - THERE).std(axis=0)
    np.testing.assert_allclose(off, share * 4.0 * np.array([ASIDE, ASIDE, DEPTH]), rtol=0.08)
    assert np.abs((transl - THERE).mean(axis=0)).max() < 0.02
    rng = np.random.default_rng(1)
    shapes = np.stack([wrong_shape(np.zeros(10), quality, rng) for _ in range(500)]) - offsets_of(np.zeros((1, 10)))
    units = offsets_of(np.eye(10)) - offsets_of(np.zeros((1, 10)))
    np.testing.assert_allclose(
        shapes.std(axis=0), share * SHAPE * np.sqrt(np.square(units).sum(axis=0)), rtol=0.2, atol=1e-6
    )


def test_errors_of_a_clip_are_slow_and_jitter() -> None:
    """Their variance is that of single poses; the share that is new in each frame is what neighbours differ by."""
    fps, frames = 30.0, 200
    clips = [
        perturbed(STILL[:frames], THERE[:frames], "near", np.random.default_rng(seed), fps)[1] for seed in range(60)
    ]
    off = (np.stack(clips) - THERE[:frames]) / (QUALITIES["near"] * 4.0 * np.array([ASIDE, ASIDE, DEPTH]))
    assert off.var() == pytest.approx(1.0, rel=0.1)
    for apart in (1, 15, 30, 120):
        slow = SLOW * np.exp(-0.5 * (apart / fps) ** 2)
        assert np.mean(off[:, apart:] * off[:, :-apart]) == pytest.approx(slow, abs=0.08)
    alone = perturbed(STILL[:frames], THERE[:frames], "near", np.random.default_rng(0))[1] - THERE[:frames]
    assert abs(np.corrcoef(alone[1:, 2], alone[:-1, 2])[0, 1]) < 0.2


def test_starts_repeat_by_seed_and_leave_the_truth() -> None:
    poses = np.random.default_rng(3).normal(0.0, 0.4, (5, 22, 3))
    kept = poses.copy()
    first, second, third = (
        perturbed(poses, THERE[:5], "far", np.random.default_rng(seed), 30.0)[0] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(poses, kept)
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - third).max() > 0.1


@pytest.mark.parametrize(("quality", "least", "most"), [("far", 70.0, 92.0), ("near", 42.0, 59.0)])
def test_captured_people_are_missed_by_as_much_as_networks_miss_them(
    shared_data: Path, quality: str, least: float, most: float
) -> None:
    people, rng = snap(shared_data / "test", 80, seed=0), np.random.default_rng(0)
    errors = []
    for one in people:
        poses = perturbed(one.poses, one.transl, quality, rng)[0]
        found, truth = (
            forward_kinematics(
                torch.from_numpy(Rotation.from_rotvec(some.reshape(-1, 3)).as_matrix())[None],
                torch.from_numpy(offsets),
                torch.zeros(3).double(),
            )[0].numpy()
            for some, offsets in ((poses, wrong_shape(one.betas, quality, rng)), (one.poses, one.offsets))
        )
        errors.append(pa_mpjpe(found, truth))
    assert least < np.mean(errors) < most
