# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits to 3D points, targets and 2D keypoints of poses whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.body import bundled, pose_joints
from engine.errors import MotionError
from engine.evaluation.cameras import CAMERA, PIXEL_STD, look
from engine.evaluation.metrics import pa_mpjpe
from engine.motion.joints import JOINTS
from engine.priors.pose_prior import PosePrior
from engine.priors.weights import load_pose_prior
from engine.tasks.fit.effectors import EffectorSettings, fit_effectors
from engine.tasks.fit.keypoints import PRESETS, fit_keypoints
from engine.tasks.fit.points import PointsSettings, fit_points
from engine.tasks.fit.pull import PullSettings
from engine.tasks.fit.staged import Staged
from engine.tasks.pose_prior_term import no_prior

TARGETS = ("left_wrist", "right_wrist", "left_ankle", "right_ankle", "head")


@pytest.fixture(scope="module")
def prior() -> PosePrior:
    return load_pose_prior()


@pytest.fixture(scope="module")
def poses(prior: PosePrior) -> np.ndarray:
    """(6, 21, 3) poses near the prior's mean, made up so that no data is needed."""
    event = 0.6 * torch.randn(6, 63, generator=torch.Generator().manual_seed(5))
    return prior.denormalise(event).double().numpy()


@pytest.fixture(scope="module")
def joints(poses: np.ndarray) -> np.ndarray:
    return pose_joints(torch.from_numpy(poses)).numpy()


def _distance(fit_poses: np.ndarray, transl: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.linalg.norm(bundled().joints(fit_poses, transl).numpy() - truth, axis=-1)


def test_exact_joints_are_met_wherever_the_body_stands(prior: PosePrior, joints: np.ndarray) -> None:
    turn = Rotation.from_euler("YXZ", [2.5, 0.4, -0.3])
    moved = turn.apply(joints.reshape(-1, 3)).reshape(joints.shape) + np.array([3.0, 1.0, -2.0])
    fit = fit_points(moved, np.arange(22), prior, settings=PointsSettings(noise=1e-3))
    assert _distance(fit.poses, fit.transl, moved).max() < 5e-3
    assert (fit.residual < 2e-3).all()


def test_noisy_joints_are_nearer_to_the_truth_afterwards(prior: PosePrior, joints: np.ndarray) -> None:
    noisy = joints + np.random.default_rng(0).normal(0.0, 0.03, joints.shape)
    fit = fit_points(noisy, np.arange(22), prior, settings=PointsSettings(noise=0.03))
    assert (
        _distance(fit.poses, fit.transl, joints).mean() < 0.8 * np.linalg.norm(noisy - joints, axis=-1).mean()
    )


def test_unseen_points_do_not_matter_and_markers_are_carried(prior: PosePrior, poses: np.ndarray) -> None:
    body, places = bundled(), np.tile([0.03, 0.02, -0.01], (22, 1))
    full = np.concatenate([np.zeros((6, 1, 3)), poses], axis=1)
    globals_ = [Rotation.identity(6)]
    from engine.motion.joints import PARENTS

    for j in range(1, 22):
        globals_.append(globals_[PARENTS[j]] * Rotation.from_rotvec(full[:, j]))
    truth = body.joints(full, np.zeros((6, 3))).numpy()
    markers = truth + np.stack([g.apply(places[j]) for j, g in enumerate(globals_)], axis=1)
    weights = np.ones((6, 22))
    weights[:, [3, 18]] = 0.0
    markers[:, [3, 18]] = np.nan
    fit = fit_points(markers, np.arange(22), prior, weights, places, settings=PointsSettings(noise=1e-3))
    assert (fit.residual < 2e-3).all()
    # One marker leaves its bone free to turn about it: joints are known only to the marker's distance from them.
    assert _distance(fit.poses, fit.transl, truth)[:, [0, 15, 20, 7]].max() < np.linalg.norm(places[0])
    astray = fit_points(truth, np.arange(22), prior, weights, places, settings=PointsSettings(noise=1e-3))
    assert _distance(astray.poses, astray.transl, truth).mean() > 2 * _distance(fit.poses, fit.transl, truth).mean()


def test_axes_of_a_point_may_be_known_differently_well(prior: PosePrior, joints: np.ndarray) -> None:
    one, settings = joints[:1], PointsSettings(noise=1e-3, tolerances=(0.1,))
    alike = [
        fit_points(one, np.arange(22), prior, weights, settings=settings).poses
        for weights in (np.full((1, 22), 0.5), np.full((1, 22, 3), 0.5))
    ]
    np.testing.assert_allclose(alike[0], alike[1], atol=1e-6)
    # Depths that nobody could have, told to be doubtful, hardly matter; trusted, they bend the body.
    wrong, blind = one + [0.0, 0.0, 0.15] * np.arange(22)[:, None] / 22.0, np.ones((1, 22, 3))
    blind[..., 2] = 1e-4
    missed = []
    for weights in (np.ones((1, 22)), blind):
        fit = fit_points(wrong, np.arange(22), prior, weights)
        made = bundled().joints(fit.poses, fit.transl).numpy()
        missed.append(np.linalg.norm((made - one)[..., :2], axis=-1).mean())
    assert missed[1] < 0.7 * missed[0]


def test_targets_are_met_to_a_millimetre_and_the_pelvis_stays(prior: PosePrior, joints: np.ndarray) -> None:
    for truth in joints:
        posed = fit_effectors({name: truth[JOINTS.index(name)] for name in TARGETS}, prior)
        assert max(posed.missed.values()) < 1e-3
        assert np.abs(posed.pose[0]).max() < 1e-5
        assert np.abs(posed.transl).max() < 1e-5
        reached = _distance(posed.pose, posed.transl, truth)[[JOINTS.index(n) for n in TARGETS]]
        np.testing.assert_allclose(
            reached, list(posed.missed.values()), atol=1e-4
        )  # the skin's body is float32


def test_the_prior_poses_the_rest_better_than_nothing(prior: PosePrior, shared_data: object) -> None:
    from pathlib import Path

    from engine.evaluation.poses import split_poses

    assert isinstance(shared_data, Path)
    truth = pose_joints(torch.from_numpy(split_poses(shared_data / "val", 400)).double()).numpy()[:30]
    errors = []
    bare = EffectorSettings(pull=PullSettings(gaussian=0.0, coordinates=1.0, denoised=0.0))
    for settings in (EffectorSettings(), bare):
        posed = [
            fit_effectors({name: t[JOINTS.index(name)] for name in TARGETS}, prior, settings=settings)
            for t in truth
        ]
        found = [_distance(p.pose, p.transl, t) for p, t in zip(posed, truth, strict=True)]
        errors.append(np.mean(found))
    assert errors[0] < 0.95 * errors[1]


def test_orientations_are_met_and_a_free_pelvis_follows(prior: PosePrior) -> None:
    goal = Rotation.from_rotvec([0.0, 0.4, 0.2])
    place = np.array([0.55, 0.75, 0.2])
    settings = EffectorSettings(free_root=True)
    posed = fit_effectors(
        {"left_wrist": place}, prior, orientations={"left_wrist": goal.as_rotvec()}, settings=settings
    )
    assert posed.missed["left_wrist"] < 1e-3
    assert np.abs(posed.transl).max() > 1e-3
    from engine.motion.joints import PARENTS

    turn, joint = Rotation.identity(), JOINTS.index("left_wrist")
    while joint >= 0:
        turn = Rotation.from_rotvec(posed.pose[joint]) * turn
        joint = PARENTS[joint]
    assert (turn.inv() * goal).magnitude() < 0.02


def test_targets_out_of_reach_leave_a_finite_pose_that_stretches_towards_them(prior: PosePrior) -> None:
    posed = fit_effectors({"left_wrist": np.array([3.0, 0.5, 0.0])}, prior)
    assert np.isfinite(posed.pose).all()
    straight = _distance(posed.pose, posed.transl, np.zeros((22, 3)))[JOINTS.index("left_wrist")]
    assert straight > 0.7


@pytest.mark.parametrize(
    ("targets", "turned"),
    [({}, {}), ({"tail": np.zeros(3)}, {}), ({"head": np.full(3, np.nan)}, {}), ({}, {"head": np.zeros(3)})],
)
def test_targets_that_mean_nothing_are_refused(prior: PosePrior, targets: dict, turned: dict) -> None:
    with pytest.raises(MotionError):
        fit_effectors(targets, prior, orientations=turned)


def test_keypoints_without_noise_are_met_by_the_direct_fit(prior: PosePrior, poses: np.ndarray) -> None:
    views = look(poses, 0, occluded=False)
    fit = fit_keypoints(views.pixels, views.confidence, CAMERA, prior)
    assert np.median(fit.error) < 2.5 * PIXEL_STD
    root = fit.joints - fit.joints[:, :1] - (views.joints - views.joints[:, :1])
    assert np.linalg.norm(root, axis=-1).mean() < 0.09
    depth = np.abs(fit.transl[:, 2] - views.joints[:, 0, 2])
    assert np.median(depth) < 0.5


def test_an_image_is_fitted_alike_alone_and_among_others(prior: PosePrior, poses: np.ndarray) -> None:
    views = look(poses[:3], 1, occluded=True)
    together = fit_keypoints(views.pixels, views.confidence, CAMERA, prior)
    alone = fit_keypoints(views.pixels[:1], views.confidence[:1], CAMERA, prior)
    np.testing.assert_allclose(alone.joints[0], together.joints[0], atol=1e-3)


def test_the_staged_fit_takes_any_prior_and_the_prior_matters(prior: PosePrior, poses: np.ndarray) -> None:
    views = look(poses, 2, occluded=True)
    solver = PRESETS["released"].solver
    assert isinstance(solver, Staged)
    quick = replace(PRESETS["released"], solver=replace(solver, iterations=40))
    asked: list[tuple[int, int]] = []

    def counted(pose: torch.Tensor, iteration: int, total: int) -> torch.Tensor:
        asked.append((iteration, total))
        return no_prior(pose, iteration, total)

    bare = fit_keypoints(views.pixels, views.confidence, CAMERA, prior, quick, counted)
    assert asked == [(i, 200) for i in range(200)]
    guided = fit_keypoints(views.pixels, views.confidence, CAMERA, prior, quick)
    assert pa_mpjpe(guided.joints, views.joints) < 0.95 * pa_mpjpe(bare.joints, views.joints)


def test_schedules_and_steps_of_the_tables_are_settings() -> None:
    solver = Staged().scheduled("fixed", 0.1, 0.1)
    assert set(solver.times()) == {0.1}
    assert len(solver.times()) == 500
    truncated = Staged(t_max=0.2, t_min=0.001).times()
    assert (truncated[0], truncated[-1]) == (0.2, 0.001)


def test_keypoints_that_cannot_be_fitted_are_refused(prior: PosePrior) -> None:
    pixels, confidence = np.zeros((1, 22, 2)), np.zeros((1, 22))
    with pytest.raises(MotionError, match="fewer than 4"):
        fit_keypoints(pixels, confidence, CAMERA, prior)
    with pytest.raises(MotionError, match="finite"):
        fit_keypoints(pixels * np.nan, confidence + 1.0, CAMERA, prior)
