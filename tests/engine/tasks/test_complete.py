# SPDX-License-Identifier: GPL-3.0-or-later
"""Completion of poses and clips, with the bundled priors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.body import bundled, pose_joints
from engine.errors import MotionError
from engine.evaluation.poses import split_clips, split_poses
from engine.evaluation.tables.completion import best_of, missing
from engine.motion.joints import JOINTS, PARTS
from engine.motion.motion import BodyMotion
from engine.motion.tpose import OFFSETS
from engine.tasks.complete import PRESETS, SOLVERS, CompleteSettings, Conditional, complete_poses
from engine.tasks.complete_clip import CompleteClipSettings, complete_clip, complete_frames

QUICK = Conditional(candidates=12, steps=4)


@pytest.fixture(scope="module")
def poses() -> np.ndarray:
    return 0.2 * np.random.default_rng(3).normal(size=(3, 21, 3))


@pytest.mark.parametrize("name", ["conditional", "dposer"])
def test_known_joints_keep_their_bits_and_shares_sum_to_one(poses: np.ndarray, name: str) -> None:
    known = ~missing("legs")
    solver = QUICK if name == "conditional" else replace(SOLVERS[name], times=SOLVERS[name].times[::20])
    result = complete_poses(poses, known, CompleteSettings(3, solver))
    assert result.poses.shape == (3, 3, 21, 3) and np.isfinite(result.poses).all()
    assert (result.poses[:, :, known] == poses[:, known]).all()
    assert (result.poses[:, :, ~known] != poses[:, ~known]).any()
    np.testing.assert_allclose(result.share.sum(axis=0), 1.0, atol=1e-6)
    assert (np.diff(result.share, axis=0) <= 1e-6).all()


def test_seeds_repeat_and_what_was_in_missing_joints_does_not_matter(poses: np.ndarray) -> None:
    known = ~missing("arms")
    settings = CompleteSettings(2, QUICK, seed=5)
    first = complete_poses(poses, known, settings).poses
    spoilt = poses.copy()
    spoilt[:, ~known] = np.nan
    np.testing.assert_array_equal(complete_poses(spoilt, known, settings).poses, first)
    other = complete_poses(poses, known, replace(settings, seed=6)).poses
    assert not np.array_equal(other, first)


@pytest.mark.parametrize("joint", ["left_wrist", "head", "right_foot"])
def test_hypotheses_of_a_joint_that_turns_no_other_differ(poses: np.ndarray, joint: str) -> None:
    known = np.array([name != joint for name in JOINTS[1:]])
    found = complete_poses(poses, known, CompleteSettings(3, QUICK)).poses[:, :, ~known]
    apart = [np.abs(found[a] - found[b]).max() for a, b in ((0, 1), (0, 2), (1, 2))]
    assert min(apart) > np.radians(0.5)


def test_hypotheses_of_a_hand_over_a_clip_differ() -> None:
    motion = BodyMotion(np.zeros((20, 22, 3)), np.zeros((20, 3)), 30.0, OFFSETS)
    lost = JOINTS.index("left_wrist") - 1
    known = np.arange(21) != lost
    settings = CompleteClipSettings(2, solver=QUICK, device="cpu")
    one, two = complete_clip(motion, np.broadcast_to(known, (20, 21)), settings).motions
    assert np.abs(one.poses[:, 1 + lost] - two.poses[:, 1 + lost]).max() > np.radians(0.5)


def test_a_known_joint_that_is_nan_is_one_sentence(poses: np.ndarray) -> None:
    spoilt = poses.copy()
    spoilt[0, 0] = np.nan
    with pytest.raises(MotionError, match="call it missing"):
        complete_poses(spoilt, ~missing("arms"), CompleteSettings(1, QUICK))


@pytest.mark.parametrize("degrees", [0.3, 2.0, 20.0])
def test_toes_that_turn_as_none_did_in_training_change_little(degrees: float) -> None:
    """Hand-made poses and other rigs turn toes sideways; the arm that is missing has nothing to do with it."""
    known = np.array([[joint not in PARTS["left_arm"] for joint in JOINTS[1:]]])
    settings, still = CompleteSettings(hypotheses=1, device="cpu"), np.zeros((1, 21, 3))
    turned = still.copy()
    turned[:, [JOINTS.index(f"{side}_foot") - 1 for side in ("left", "right")], 1:] = np.radians(degrees)
    plain, other = (complete_poses(some, known, settings).poses[0, :, ~known[0]] for some in (still, turned))
    assert np.degrees(np.linalg.norm(plain - other, axis=-1)).max() < 25.0


def test_best_of_k_is_the_mean_over_all_subsets() -> None:
    error = np.array([[3.0], [1.0], [2.0]])
    assert best_of(error, 1) == pytest.approx(2.0)
    assert best_of(error, 2) == pytest.approx((1 + 2 + 1) / 3)
    assert best_of(error, 3) == pytest.approx(1.0)


def test_a_leg_never_seen_is_nearer_than_the_mean_pose(shared_data: Path) -> None:
    """On validation people: the likeliest answer beats the mean pose, and the best of ten halves its error."""
    truth = split_poses(shared_data / "val", 300)
    lost = missing("left leg")
    joints = np.flatnonzero(lost) + 1

    def error(completed: np.ndarray) -> np.ndarray:
        difference = pose_joints(torch.from_numpy(completed).float()) - pose_joints(torch.from_numpy(truth))
        return difference[..., joints, :].norm(dim=-1).mean(dim=-1).numpy()

    from engine.priors.weights import load_pose_prior

    mean = np.where(lost[:, None], load_pose_prior().mean.numpy().reshape(21, 3), truth)
    one = complete_poses(truth, ~lost, CompleteSettings(1, Conditional(48))).poses
    ten = complete_poses(truth, ~lost, CompleteSettings(10, Conditional(48))).poses
    assert error(one).mean() < 0.95 * error(mean[None]).mean()
    assert error(ten).min(axis=0).mean() < 0.65 * error(mean[None]).mean()


def clip_of(poses: np.ndarray) -> BodyMotion:
    whole = np.concatenate([np.zeros((len(poses), 1, 3)), poses], axis=1)
    return BodyMotion(whole.astype(np.float64), np.zeros((len(poses), 3)), 30.0, bundled().offsets)


def test_a_gap_in_a_clip_is_filled_without_a_jump(shared_data: Path) -> None:
    motion = clip_of(split_clips(shared_data / "val", 120)[0][:120])
    known = np.ones((120, 21), bool)
    known[50:80] = ~missing("left leg")
    result = complete_clip(motion, known)
    assert len(result.motions) == 4
    assert result.share[0] == result.share.max()
    speed = np.abs(np.diff(motion.poses, axis=0)).max()
    for filled in result.motions:
        rows = ~np.concatenate([np.zeros((120, 1), bool), ~known], axis=1)
        assert (filled.poses[rows] == motion.poses[rows]).all()
        assert np.abs(np.diff(filled.poses, axis=0)).max() < 2.0 * speed
    first, second = (pose_joints(torch.from_numpy(m.poses[:, 1:])) for m in result.motions[:2])
    assert (first - second)[50:80].norm(dim=-1).max() > 0.01  # hypotheses differ


def test_a_limb_that_is_never_known_moves_smoothly(shared_data: Path) -> None:
    motion = clip_of(split_clips(shared_data / "val", 90)[1][:90])
    result = complete_clip(motion, ~missing("arms"))
    truth, filled = (np.diff(m.poses, n=2, axis=0) for m in (motion, result.motions[0]))
    assert np.abs(filled).max() < 2.0 * np.abs(truth).max()


def test_frames_by_themselves_and_a_clip_with_nothing_missing(poses: np.ndarray) -> None:
    motion = clip_of(poses)
    with pytest.raises(MotionError, match="No joint is missing"):
        complete_clip(motion, np.ones(21, bool))
    known = np.ones((3, 21), bool)
    known[1, 0] = False
    result = complete_frames(motion, known, "best", 2, seed=0)
    for completed in result.motions:
        changed = (completed.poses != motion.poses).any(axis=-1)
        assert np.argwhere(changed).tolist() == [[1, 1]]


def test_presets_are_documented_values() -> None:
    assert set(PRESETS) == {"paper", "released", "best"}
    times = PRESETS["paper"].solver.times  # type: ignore[union-attr]
    assert times[0] == pytest.approx(0.2) and times[-1] == pytest.approx(0.001)
