# SPDX-License-Identifier: GPL-3.0-or-later
"""Animations refined before cameras that stand somewhere, and in views of which nobody knows where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from rotation_priors import untrained
from scipy.spatial.transform import Rotation
from seen_person import CAMERA, FPS, person

from engine.body import posed
from engine.body.h36m_joints import h36m_joints
from engine.diffusion.refinement import RefinementSettings
from engine.errors import MotionError
from engine.evaluation.metrics import acceleration
from engine.evaluation.starts import perturbed
from engine.motion.motion import BodyMotion
from engine.tasks.refine.animation import Shot, refine_motion, refine_views
from engine.tasks.refine.refine import PRESETS, RefineSettings

FRAMES = 10
SOMEONE = person(FRAMES, seed=1)
MIDDLE = SOMEONE.motion.transl.mean(axis=0)
SETTINGS = RefineSettings(RefinementSettings(rounds=3, depth=60, stride=6), device="cpu")
ALL = np.ones((FRAMES, 17))
PRIOR = untrained()


def start(seed: int = 0) -> BodyMotion:
    poses, transl = perturbed(SOMEONE.motion.poses, SOMEONE.motion.transl, "near", np.random.default_rng(seed), FPS)
    return replace(SOMEONE.motion, poses=poses, transl=transl)


def seen(turn: Rotation, place: np.ndarray) -> np.ndarray:
    """Pixels of the person from a camera there."""
    quat = np.broadcast_to(np.atleast_2d(turn.as_quat()), (FRAMES, 4))
    places = np.broadcast_to(place, (FRAMES, 3))
    joints = [
        Rotation.from_quat(q).inv().apply(body - at) for q, body, at in zip(quat, SOMEONE.joints, places, strict=True)
    ]
    return CAMERA.project(torch.from_numpy(np.stack(joints))).numpy()


def around(yaw: float, confidence: np.ndarray = ALL) -> Shot:
    """A camera 4 m from the person, so many radians around them."""
    turn = Rotation.from_rotvec([0.0, yaw, 0.0])
    place = MIDDLE + turn.apply([0.1, 0.2, 4.0])
    return Shot(turn, place, CAMERA, seen(turn, place), confidence)


def front(confidence: np.ndarray = ALL) -> Shot:
    """The camera at 0."""
    return Shot(Rotation.identity(), np.zeros(3), CAMERA, SOMEONE.pixels, confidence)


def error(motion: BodyMotion, frames: slice = slice(None)) -> float:
    """Mean distance of joints in metres."""
    return float(np.linalg.norm(posed(motion)[0] - posed(SOMEONE.motion)[0], axis=-1)[frames].mean())


def same(first: BodyMotion, second: BodyMotion, tolerance: float) -> None:
    turns = [Rotation.from_rotvec(motion.poses.reshape(-1, 3)).as_matrix() for motion in (first, second)]
    np.testing.assert_allclose(*turns, atol=tolerance)
    np.testing.assert_allclose(first.transl, second.transl, atol=tolerance)


def test_each_camera_makes_it_better() -> None:
    given = start()
    errors = [error(given)]
    for shots in ([front()], [front(), around(1.3)], [front(), around(1.3), around(-2.2)]):
        found = refine_motion(given, shots, SETTINGS, PRIOR)
        errors.append(error(found.motion))
        assert len(found.before) == len(shots)
        assert all(after < 0.6 * before for before, after in zip(found.before, found.after, strict=True))
        np.testing.assert_array_equal(found.motion.offsets, given.offsets)
    assert errors[1] < 0.5 * errors[0] and max(errors[2:]) < 0.6 * errors[1]


def test_pixels_are_those_of_the_animations() -> None:
    given = start()
    shots = [front(), around(1.3)]
    found = refine_motion(given, shots, SETTINGS, PRIOR)
    for motion, told in ((given, found.before), (found.motion, found.after)):
        for shot, figure in zip(shots, told, strict=True):
            assert shot.pixels is not None
            local = torch.from_numpy(Rotation.from_rotvec(motion.poses.reshape(-1, 3)).as_matrix())
            joints = h36m_joints(local.reshape(FRAMES, 22, 3, 3), torch.from_numpy(given.offsets)).numpy()
            there = shot.turn.inv().apply((joints + motion.transl[:, None] - shot.place).reshape(-1, 3))
            pixels = CAMERA.project(torch.from_numpy(there)).numpy().reshape(FRAMES, 17, 2)
            assert figure == pytest.approx(np.linalg.norm(pixels - shot.pixels, axis=-1).mean())


def turned(world: Rotation, shift: np.ndarray, motion: BodyMotion) -> BodyMotion:
    poses = motion.poses.copy()
    poses[:, 0] = (world * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    return replace(motion, poses=poses, transl=world.apply(motion.transl) + shift)


def test_turning_the_world_with_its_cameras_turns_the_result() -> None:
    world, shift = Rotation.from_euler("YXZ", [2.0, 0.4, -1.0]), np.array([3.0, -7.0, 1.0])
    given, shots = start(), [front(), around(1.3)]
    moved = [replace(shot, turn=world * shot.turn, place=world.apply(shot.place) + shift) for shot in shots]
    first = refine_motion(given, shots, SETTINGS, PRIOR).motion
    second = refine_motion(turned(world, shift, given), moved, SETTINGS, PRIOR).motion
    same(turned(world, shift, first), second, 2e-3)


def test_a_camera_may_move() -> None:
    """It goes around the person; told as one that stands, it turns them."""
    turn = Rotation.from_rotvec(np.outer(np.linspace(0.0, 0.8, FRAMES), [0.0, 1.0, 0.0]))
    place = MIDDLE + turn.apply([0.0, 0.1, 4.0])
    given, pixels = start(), seen(turn, place)
    moving = refine_motion(given, [Shot(turn, place, CAMERA, pixels, ALL)], SETTINGS, PRIOR)
    still = refine_motion(given, [Shot(turn[0], place[0], CAMERA, pixels, ALL)], SETTINGS, PRIOR)
    assert error(moving.motion) < 0.5 * min(error(given), error(still.motion))


@pytest.mark.parametrize("others", [0, 1])
def test_frames_that_nobody_sees_stay_bit_for_bit(others: int) -> None:
    confidence = ALL.copy()
    confidence[[0, 4, 5, 9]] = 0.0
    shots = [front(confidence), *[around(1.3, confidence)] * others]
    given = start()
    found = refine_motion(given, shots, replace(SETTINGS, smooth=0.0), PRIOR).motion
    held = ~confidence.any(axis=1)
    np.testing.assert_array_equal(found.poses[held], given.poses[held])
    np.testing.assert_array_equal(found.transl[held], given.transl[held])
    assert (found.poses[~held] != given.poses[~held]).any(axis=(1, 2)).all()
    assert error(found, ~held) < 0.8 * error(given, ~held)


def test_a_camera_that_sees_nothing_has_no_say() -> None:
    """What the other one alone has made of a frame is what is there."""
    confidence = ALL.copy()
    confidence[3:6] = 0.0
    settings = replace(SETTINGS, smooth=0.0, views=0.0)
    given = start()
    both = refine_motion(given, [front(), around(1.3, confidence)], settings, PRIOR).motion
    alone = refine_motion(given, [front()], settings, PRIOR).motion
    hidden = slice(3, 6)
    np.testing.assert_allclose(both.poses[hidden], alone.poses[hidden], atol=0.01)
    assert np.abs(both.poses[:3] - alone.poses[:3]).max() > 0.02


def test_a_clip_is_made_smooth_in_pose_and_path() -> None:
    given = start()
    found = refine_motion(given, (), replace(SETTINGS, loop=RefinementSettings(10, 100, 10)), PRIOR)
    assert np.isnan([*found.before, *found.after]).all()
    shaking, left, true = (
        np.linalg.norm(acceleration(posed(motion)[0], FPS), axis=-1).mean()
        for motion in (given, found.motion, SOMEONE.motion)
    )
    assert true < left < 0.15 * shaking
    assert error(found.motion) < error(given)


@pytest.mark.parametrize("order", [1, 2])
def test_smoothness_means_the_same_at_any_rate(order: int) -> None:
    """Of twice as many frames a second, steps are half as long, and a quarter when squared; accelerations are less."""
    settings = replace(SETTINGS, order=order, implicit=order == 2)
    double = refine_motion(replace(start(), fps=2.0 * FPS), (), settings, PRIOR).motion
    usual = refine_motion(start(), (), settings, PRIOR).motion
    stiff = refine_motion(start(), (), replace(settings, smooth=4.0**order * settings.smooth), PRIOR).motion
    same(replace(double, transl=stiff.transl), stiff, 1e-6)
    assert np.abs(usual.poses - stiff.poses).max() > 0.01


@pytest.mark.parametrize("fps", [24.0, 120.0, 480.0])
def test_the_best_settings_are_stable_at_any_rate_and_weight(fps: float) -> None:
    given = replace(start(), fps=fps)
    for weight in (1.0, 1e3):
        best = replace(PRESETS["best"], smooth=weight * PRESETS["best"].smooth, device="cpu")
        found = refine_motion(given, (), best, PRIOR).motion
        left, was = (np.abs(np.diff(motion.poses[:, 1:], 2, axis=0)).mean() for motion in (found, given))
        assert left < 0.5 * was


def views(*seeds: int) -> tuple[list[BodyMotion], list[Shot]]:
    """The person before cameras that stand somewhere, in each one's axes, and as one network each misses them."""
    motions, shots = [], []
    for seed in seeds:
        camera = around(1.7 * seed)
        own = turned(camera.turn.inv(), -camera.turn.inv().apply(camera.place), SOMEONE.motion)
        poses, transl = perturbed(own.poses, own.transl, "near", np.random.default_rng(seed), FPS)
        motions.append(replace(own, poses=poses, transl=transl))
        shots.append(replace(camera, turn=Rotation.identity(), place=np.zeros(3)))
    return motions, shots


def body_error(motion: BodyMotion) -> float:
    """Of the pose alone."""
    own = np.concatenate([SOMEONE.motion.poses[:, :1], motion.poses[:, 1:]], axis=1)
    return error(replace(motion, poses=own, transl=SOMEONE.motion.transl))


def blind(shots: Sequence[Shot]) -> list[Shot]:
    return [replace(shot, camera=None, pixels=None, confidence=None) for shot in shots]


def test_views_agree_without_keypoints() -> None:
    motions, shots = views(0, 1, 2, 3)
    settings = replace(SETTINGS, smooth=0.0, loop=RefinementSettings(rounds=5, depth=100, stride=10))
    found = refine_views(motions, blind(shots), settings, PRIOR)
    assert body_error(found.motion) < 0.75 * np.mean([body_error(motion) for motion in motions])
    np.testing.assert_array_equal(found.motion.transl, motions[0].transl)
    np.testing.assert_allclose(found.motion.poses[:, 0], motions[0].poses[:, 0], atol=0.03)
    assert np.isnan(found.after).all()


def test_views_with_keypoints_agree_and_reproject() -> None:
    motions, shots = views(0, 1, 2)
    found = refine_views(motions, shots, SETTINGS, PRIOR)
    assert all(after < 0.6 * before for before, after in zip(found.before, found.after, strict=True))
    assert body_error(found.motion) < 0.75 * np.mean([body_error(motion) for motion in motions])
    # One of them may have seen nothing.
    some = refine_views(motions, [shots[0], *blind(shots[1:])], SETTINGS, PRIOR)
    assert some.after[0] < 0.6 * some.before[0] and np.isnan(some.after[1:]).all()


def test_views_may_be_in_axes_of_their_own() -> None:
    """Of an animation that is turned with its camera, nothing changes but that it is turned."""
    motions, shots = views(0, 1)
    worlds = [Rotation.from_euler("YX", [0.5, 0.2]), Rotation.from_euler("XZ", [1.0, -0.4])]
    shift = np.array([1.0, 2.0, 3.0])
    usual = refine_views(motions, shots, SETTINGS, PRIOR)
    moved = refine_views(
        [turned(world, shift, motion) for world, motion in zip(worlds, motions, strict=True)],
        [replace(shot, turn=world, place=shift) for world, shot in zip(worlds, shots, strict=True)],
        SETTINGS,
        PRIOR,
    )
    same(turned(worlds[0], shift, usual.motion), moved.motion, 2e-3)
    np.testing.assert_allclose(moved.after, usual.after, rtol=0.02)


def test_one_frame_is_refined_too() -> None:
    given = start()
    one = replace(given, poses=given.poses[:1], transl=given.transl[:1])
    shot = replace(front(), pixels=SOMEONE.pixels[:1], confidence=ALL[:1])
    found = refine_motion(one, [shot], SETTINGS, PRIOR)
    assert found.after[0] < 0.6 * found.before[0]
    with pytest.raises(MotionError, match="Nothing guides"):
        refine_motion(one, (), SETTINGS, PRIOR)


def test_what_cannot_be_is_said() -> None:
    given = start()
    three = Rotation.identity(3)
    for shot in (replace(front(), turn=three), replace(front(), place=np.zeros((3, 3)))):
        with pytest.raises(MotionError, match="one orientation and place"):
            refine_motion(given, [shot], SETTINGS, PRIOR)
    with pytest.raises(MotionError, match="Keypoints"):
        refine_motion(given, [replace(front(), confidence=ALL[:3])], SETTINGS, PRIOR)
    with pytest.raises(MotionError, match="as many cameras"):
        refine_views([given, given], [front()], SETTINGS, PRIOR)
    short = replace(given, poses=given.poses[:3], transl=given.transl[:3])
    with pytest.raises(MotionError, match="same frames"):
        refine_views([given, short], [front(), front()], SETTINGS, PRIOR)
