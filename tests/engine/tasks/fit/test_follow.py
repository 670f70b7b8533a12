# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips and rigs that follow targets: where the joints come to be by SciPy's rotations, and what stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body import mean_offsets
from engine.errors import Cancelled, MotionError
from engine.motion import bvh
from engine.motion.joints import JOINTS, PARENTS
from engine.motion.motion import BodyMotion, Motion
from engine.motion.rig_joints import joint_places
from engine.motion.rigs import find_map
from engine.priors.pose_prior import PosePrior
from engine.priors.weights import load_pose_prior
from engine.tasks.anatomy import bending
from engine.tasks.fit import follow
from engine.tasks.fit.aim import Targets
from engine.tasks.fit.effectors import EffectorSettings, fit_effectors
from engine.tasks.fit.follow import FollowSettings, follow_targets
from engine.tasks.fit.rig_targets import follow_on_rig

FPS = 30.0
ARM = [JOINTS.index(name) for name in ("spine1", "spine2", "spine3", "left_collar", "left_shoulder", "left_elbow")]
LOWER = [JOINTS.index(name) for name in ("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle")]
MILLIMETRE = 1e-3


@pytest.fixture(scope="module")
def prior() -> PosePrior:
    return load_pose_prior()


def make_clip(frames: int = 60, fps: float = FPS) -> BodyMotion:
    """A body that sways, turns right round and walks on, arms down."""
    time = np.arange(frames) / fps
    poses = np.zeros((frames, 22, 3))
    poses[:, 0, 1] = 2.0 * time + 2.0
    poses[:, 0] = Rotation.from_rotvec(poses[:, 0]).as_rotvec()
    for name, axis, middle in (
        ("left_shoulder", 2, -1.0), ("right_shoulder", 2, 1.0), ("left_elbow", 1, -0.4), ("right_elbow", 1, 0.4),
        ("left_knee", 0, 0.3), ("right_knee", 0, 0.3), ("spine2", 0, 0.1), ("left_hip", 0, -0.2),
    ):  # fmt: skip
        poses[:, JOINTS.index(name), axis] = middle + 0.15 * np.sin(3.0 * time + JOINTS.index(name))
    path = np.stack([0.5 * time, 0.95 + 0.02 * np.sin(4.0 * time), 0.3 * time], axis=1)
    return BodyMotion(poses, path, fps, mean_offsets())


def joints_of(motion: BodyMotion) -> np.ndarray:
    """(T, 22, 3) by SciPy."""
    turns, places = [Rotation.from_rotvec(motion.poses[:, 0])], [motion.transl]
    for j, parent in enumerate(PARENTS[1:], start=1):
        places.append(places[parent] + turns[parent].apply(motion.offsets[j]))
        turns.append(turns[parent] * Rotation.from_rotvec(motion.poses[:, j]))
    return np.stack(places, axis=1)


def wrist_at(motion: BodyMotion, *by: float) -> Targets:
    """The left wrist elsewhere, in the pelvis' axes."""
    turn = Rotation.from_rotvec(motion.poses[:, 0])
    place = joints_of(motion)[:, JOINTS.index("left_wrist")] + turn.apply(np.array(by))
    return Targets(("left_wrist",), place[:, None])


def acceleration(path: np.ndarray, fps: float = FPS) -> np.ndarray:
    return np.linalg.norm(np.diff(path, n=2, axis=0), axis=-1) * fps**2


def test_every_frame_meets_its_target_and_the_rest_is_bit_equal(prior: PosePrior) -> None:
    motion = make_clip()
    targets = wrist_at(motion, -0.1, 0.15, 0.15)
    followed = follow_targets(motion, targets, prior)
    away = np.linalg.norm(joints_of(followed.motion)[:, 20] - targets.places[:, 0], axis=-1)
    assert away.max() < MILLIMETRE
    np.testing.assert_allclose(followed.missed[:, 0], away, atol=1e-6)
    others = [j for j in range(22) if j not in ARM]
    np.testing.assert_array_equal(followed.motion.poses[:, others], motion.poses[:, others])
    np.testing.assert_array_equal(followed.motion.transl, motion.transl)
    change = joints_of(followed.motion) - joints_of(motion)
    added = acceleration(change[:, 19])
    assert added.max() < acceleration(joints_of(motion)[:, 19]).max()


def test_targets_where_the_joints_are_change_nothing_to_see(prior: PosePrior) -> None:
    motion = make_clip()
    followed = follow_targets(motion, wrist_at(motion, 0.0, 0.0, 0.0), prior)
    assert np.abs(joints_of(followed.motion) - joints_of(motion)).max() < 1e-6


def test_which_way_the_body_faces_does_not_matter(prior: PosePrior) -> None:
    motion = make_clip()
    turn, away = Rotation.from_euler("YXZ", [2.2, 0.3, -0.2]), np.array([3.0, 1.0, -2.0])
    poses = motion.poses.copy()
    poses[:, 0] = (turn * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    moved = replace(motion, poses=poses, transl=turn.apply(motion.transl) + away)
    settings = FollowSettings(free_root=True, keep_feet=False)
    here = follow_targets(motion, wrist_at(motion, 0.0, 0.3, 0.3), prior, settings).motion
    there = follow_targets(moved, wrist_at(moved, 0.0, 0.3, 0.3), prior, settings).motion
    expected = turn.apply(joints_of(here).reshape(-1, 3)).reshape(-1, 22, 3) + away
    np.testing.assert_allclose(joints_of(there), expected, atol=1e-5)


def test_a_target_that_comes_and_goes_is_met_and_left_gently(prior: PosePrior) -> None:
    motion = make_clip(90)
    targets = wrist_at(motion, 0.0, 0.15, 0.1)
    places = targets.places.copy()
    places[:30] = places[60:] = np.nan
    hard, soft = (
        follow_targets(motion, Targets(("left_wrist",), places), prior, FollowSettings(smooth=smooth))
        for smooth in (0.0, 0.1)
    )
    before, gentle, abrupt = (joints_of(m)[:, 20] for m in (motion, soft.motion, hard.motion))
    assert np.nanmax(soft.missed) < MILLIMETRE
    assert np.isnan(soft.missed[[29, 60]]).all()
    assert acceleration(gentle - before).max() < 0.3 * acceleration(abrupt - before).max()
    assert np.linalg.norm(gentle - before, axis=-1)[[0, -1]].max() < MILLIMETRE


def test_only_the_range_changes_and_its_ends_meet_the_clip(prior: PosePrior) -> None:
    motion = make_clip(90)
    targets = wrist_at(motion, 0.0, 0.15, 0.1)
    followed = follow_targets(motion, targets, prior, FollowSettings(blend=0.3), frames=(20, 70))
    outside = np.r_[0:20, 70:90]
    np.testing.assert_array_equal(followed.motion.poses[outside], motion.poses[outside])
    change = np.linalg.norm(joints_of(followed.motion) - joints_of(motion), axis=-1).max(axis=1)
    assert change[[20, 69]].max() < 0.01
    assert change[45] > 0.15
    assert np.nanmax(followed.missed) < MILLIMETRE
    assert np.isnan(followed.missed[[20, 69], 0]).all()


def test_a_long_clip_is_solved_in_windows_as_if_at_once(
    prior: PosePrior, monkeypatch: pytest.MonkeyPatch
) -> None:
    motion = make_clip(150)
    targets = wrist_at(motion, 0.0, 0.15, 0.1)
    places = targets.places.copy()
    places[70:90] = np.nan
    targets = Targets(("left_wrist",), places)
    whole = follow_targets(motion, targets, prior)
    monkeypatch.setattr(follow, "WINDOW_SECONDS", 1.0)
    told: list[int] = []
    parts = follow_targets(motion, targets, prior, on_step=lambda done, total, stage: told.append(done))
    assert told[-1] == 150
    assert len(told) > 3
    np.testing.assert_allclose(joints_of(parts.motion), joints_of(whole.motion), atol=0.5 * MILLIMETRE)


def test_straight_elbows_and_knees_bend_the_right_way(prior: PosePrior) -> None:
    still = BodyMotion(np.zeros((1, 22, 3)), np.zeros((1, 3)), FPS, mean_offsets())
    joints = joints_of(still)[0]
    ways = {"left_wrist": (-0.25, 0.0, 0.05), "right_wrist": (0.3, 0.0, 0.0), "left_ankle": (0.0, 0.25, 0.0)}
    for name, by in ways.items():
        place = joints[JOINTS.index(name)] + np.array(by)
        followed = follow_targets(still, Targets((name,), place[None, None]), prior)
        assert followed.missed.max() < MILLIMETRE
        quat = Rotation.from_rotvec(followed.motion.poses[0]).as_quat(scalar_first=True)[None]
        hinge = name.replace("wrist", "elbow").replace("ankle", "knee")
        assert bending(quat, hinge)[0] > 0.3


def test_out_of_reach_the_body_does_not_contort(prior: PosePrior) -> None:
    motion = make_clip(1)
    far = wrist_at(motion, 5.0, 0.0, 0.0)
    followed = follow_targets(motion, far, prior)
    assert followed.missed[0, 0] > 3.0
    turned = Rotation.from_rotvec(followed.motion.poses[0]) * Rotation.from_rotvec(motion.poses[0]).inv()
    assert np.isfinite(followed.motion.poses).all()
    assert turned.magnitude()[[3, 6, 9]].max() < np.deg2rad(60.0)


def test_hips_that_move_leave_the_standing_foot(prior: PosePrior) -> None:
    motion = make_clip()
    targets = wrist_at(motion, 0.1, -0.35, 0.3)
    before = joints_of(motion)[:, [7, 8]]
    lower = before[..., 1].argmin(axis=1)
    rows = np.arange(len(motion))
    kept = follow_targets(motion, targets, prior, FollowSettings(free_root=True)).motion
    held = np.linalg.norm((joints_of(kept)[:, [7, 8]] - before)[rows, lower], axis=-1)
    assert held.max() < 2 * MILLIMETRE
    assert np.linalg.norm(kept.transl - motion.transl, axis=-1).max() > 0.03
    free = follow_targets(motion, targets, prior, FollowSettings(free_root=True, keep_feet=False)).motion
    moved = np.linalg.norm((joints_of(free)[:, [7, 8]] - before)[rows, lower], axis=-1)
    assert moved.max() > 0.02


def test_orientations_are_met(prior: PosePrior) -> None:
    motion = make_clip(20)
    targets = wrist_at(motion, 0.0, 0.1, 0.1)
    goal = Rotation.from_euler("xyz", [0.3, 1.0, 0.2])
    turns = np.tile(goal.as_quat(scalar_first=True), (20, 1, 1))
    turned = follow_targets(motion, replace(targets, turns=turns), prior).motion
    found, joint = Rotation.identity(20), 20
    while joint >= 0:
        found, joint = Rotation.from_rotvec(turned.poses[:, joint]) * found, PARENTS[joint]
    assert (found * goal.inv()).magnitude().max() < 0.02


def test_one_frame_is_the_pose_of_the_live_fit(prior: PosePrior) -> None:
    motion = make_clip(1)
    targets = wrist_at(motion, 0.0, 0.2, 0.1)
    followed = follow_targets(motion, targets, prior).motion
    posed = fit_effectors(
        {"left_wrist": targets.places[0, 0]}, prior, motion.poses[0], motion.transl[0], None, motion.offsets,
        EffectorSettings(keep=1.0),
    )  # fmt: skip
    single = BodyMotion(posed.pose[None], posed.transl[None], FPS, motion.offsets)
    np.testing.assert_allclose(joints_of(single), joints_of(followed), atol=0.2 * MILLIMETRE)


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9])
def test_less_of_the_pose_may_be_kept(prior: PosePrior, keep: float) -> None:
    motion = make_clip(20)
    targets = wrist_at(motion, 0.0, 0.2, 0.1)
    kept, less = (follow_targets(motion, targets, prior, FollowSettings(keep=k)) for k in (1.0, keep))
    assert less.missed.max() < MILLIMETRE
    moved = [np.abs(joints_of(f.motion) - joints_of(motion))[:, [4, 5, 7, 8]].max() for f in (kept, less)]
    assert moved[0] < 1e-6 < 5 * MILLIMETRE < moved[1]


def test_joints_that_may_not_turn_do_not(prior: PosePrior) -> None:
    motion = make_clip(10)
    movable = np.array([not name.startswith("spine") for name in JOINTS])
    followed = follow_targets(motion, wrist_at(motion, 0.0, 0.1, 0.1), prior, movable=movable)
    np.testing.assert_array_equal(followed.motion.poses[:, ~movable], motion.poses[:, ~movable])
    assert followed.missed.max() < MILLIMETRE


def test_a_clip_can_be_left_between_two_windows(prior: PosePrior, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "WINDOW_SECONDS", 0.5)
    motion = make_clip(120)

    def stop(done: int, total: int, stage: str) -> None:
        raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        follow_targets(motion, wrist_at(motion, 0.0, 0.1, 0.1), prior, on_step=stop)


def test_what_cannot_be_followed_is_refused(prior: PosePrior) -> None:
    motion = make_clip(5)
    place = np.zeros((5, 1, 3))
    for names, places in (
        ((), np.zeros((5, 0, 3))), (("tail",), place), (("head", "head"), np.zeros((5, 2, 3))),
        (("head",), place[:, 0]), (("head",), np.full_like(place, np.inf)), (("head",), place + 1e5),
    ):  # fmt: skip
        with pytest.raises(MotionError):
            Targets(names, places)
    with pytest.raises(MotionError, match="each of the clip's 5 frames"):
        follow_targets(motion, Targets(("head",), place[:3]), prior)
    with pytest.raises(MotionError, match="No target has a place"):
        follow_targets(motion, Targets(("head",), np.full_like(place, np.nan)), prior)
    for values in ({"keep": 2.0}, {"smooth": -1.0}, {"blend": 9.0}):
        with pytest.raises(MotionError):
            FollowSettings(**values)


@pytest.fixture(scope="module", params=["cmu_05_10.bvh", "cmu_05_10_CC_Base.bvh"])
def capture(request: pytest.FixtureRequest, shared_data: Path) -> Motion:
    """A real capture, on the rig it was taken on and on another with twist bones and a longer spine."""
    motion = bvh.read(shared_data / "bvh_test" / request.param).motion
    rows = slice(20, 140)
    return Motion(motion.skeleton, motion.rotations[rows], motion.translations[rows], motion.fps)


def test_bones_of_real_rigs_reach_their_targets(capture: Motion, prior: PosePrior) -> None:
    rig_map = find_map(capture.skeleton)
    names = ("left_wrist", "right_wrist")
    before = heads(capture, [rig_map.bones[name] for name in names])
    size = np.linalg.norm(np.ptp(capture.skeleton.rest[:, :3, 3], axis=0))
    goal = before + 0.05 * size * np.array([0.3, -0.3, 0.5])
    result = follow_on_rig(capture, rig_map, names, goal, None, prior, FollowSettings(free_root=True))
    after = heads(result.edit.motion, [rig_map.bones[name] for name in names])
    away = capture.skeleton.scale * np.linalg.norm(after - goal, axis=-1)
    assert np.quantile(away, 0.95) < MILLIMETRE
    assert away.max() < 3 * MILLIMETRE
    np.testing.assert_allclose(result.missed, away, atol=1e-5)
    np.testing.assert_allclose(
        joint_places(capture, rig_map, names)[0, 0] - joint_places(capture, rig_map, names)[0, 1],
        capture.skeleton.scale * turned_like_the_body(capture, rig_map, before[0, 0] - before[0, 1]), atol=1e-6,
    )  # fmt: skip


def turned_like_the_body(motion: Motion, rig_map: object, vector: np.ndarray) -> np.ndarray:
    """A vector of the rig's space in the body's axes."""
    from engine.motion.retarget import Alignment

    return vector @ Alignment(motion, rig_map).axes.T  # type: ignore[arg-type]


def heads(motion: Motion, bones: list[str]) -> np.ndarray:
    """(T, K, 3) where bones begin in the rig's space, multiplied out bone by bone."""
    skeleton = motion.skeleton
    result = np.empty((len(motion), len(bones), 3))
    for k, bone in enumerate(bones):
        chain, j = [], skeleton.index(bone)
        while j >= 0:
            chain.append(j)
            j = skeleton.parents[j]
        world = np.tile(np.eye(4), (len(motion), 1, 1))
        for j in reversed(chain):
            parent = skeleton.parents[j]
            rest = skeleton.rest[j] if parent < 0 else np.linalg.inv(skeleton.rest[parent]) @ skeleton.rest[j]
            local = np.tile(np.eye(4), (len(motion), 1, 1))
            local[:, :3, :3] = Rotation.from_quat(motion.rotations[:, j], scalar_first=True).as_matrix()
            local[:, :3, 3] = motion.translations[:, j]
            world = world @ rest @ local
        result[:, k] = world[:, :3, 3]
    return result


def test_locked_bones_stay_and_joints_without_bones_are_refused(capture: Motion, prior: PosePrior) -> None:
    rig_map = find_map(capture.skeleton)
    places = heads(capture, [rig_map.bones["left_wrist"]]) + 0.02
    locked = [rig_map.bones["left_shoulder"]]
    result = follow_on_rig(capture, rig_map, ["left_wrist"], places, None, prior, locked=locked)
    bone = capture.skeleton.index(locked[0])
    np.testing.assert_array_equal(result.edit.motion.rotations[:, bone], capture.rotations[:, bone])
    without = replace(rig_map, sources={j: s for j, s in rig_map.sources.items() if j != "left_wrist"})
    with pytest.raises(MotionError, match="No bone of the rig is the body's left_wrist"):
        follow_on_rig(capture, without, ["left_wrist"], places, None, prior)
