# SPDX-License-Identifier: GPL-3.0-or-later
"""Loops close, feet that bear stay by the body's own forward kinematics, and each setting does what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from standing_poses import BENT, HANGING, ON_HIPS, RAISED, SEATED, STRAIGHT, pose

from engine.body import posed
from engine.errors import MotionError
from engine.motion import bvh
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion
from engine.motion.retarget import Alignment, to_body, to_rig
from engine.motion.rig_joints import rig_offsets
from engine.motion.rigs import find_map
from engine.requests.single_pose import held as held_pose
from engine.tasks.breathing import breaths
from engine.tasks.idle import IdleSettings, idle
from engine.tasks.steps import OnStep

LEFT_FOOT, RIGHT_FOOT = [7, 10], [8, 11]  # ankle and ball
LEGS = [1, 2, 4, 5, 7, 8, 10, 11]
STILL = IdleSettings(amount=0.0, breathing=0.0, sway=0.0, device="cpu")
STANDING = {
    "bent": pose(BENT, HANGING),
    "straight": pose(STRAIGHT, HANGING),
    "wide": pose(STRAIGHT | {"left_hip": (-20, 0, 25), "right_hip": (25, 0, -25)}, ON_HIPS, yaw=2.0),
    "turned": pose(BENT, ON_HIPS, yaw=-2.5),
}


@pytest.mark.parametrize("name", STANDING)
@pytest.mark.parametrize(("seconds", "fps"), [(2.0, 12.0), (12.0, 60.0)])
def test_a_loop_begins_and_ends_in_the_pose_with_its_feet_in_place(name: str, seconds: float, fps: float) -> None:
    start = replace(STANDING[name], fps=fps)
    loop = idle(start, seconds, IdleSettings(seed=3, device="cpu"))
    assert len(loop) == round(seconds * fps) + 1
    for end in (0, -1):
        np.testing.assert_array_equal(loop.poses[end], start.poses[0])
        np.testing.assert_array_equal(loop.transl[end], start.transl[0])
    found, turns = posed(loop)
    feet = LEFT_FOOT + RIGHT_FOOT
    assert np.linalg.norm(found[:, feet] - found[0, feet], axis=-1).max() < 1e-4
    away = turns[:, [7, 8]] @ np.swapaxes(turns[0, [7, 8]], -1, -2)
    assert Rotation.from_matrix(away.reshape(-1, 3, 3)).magnitude().max() < 1e-3
    step = np.diff(found, axis=0)
    assert np.linalg.norm(step, axis=-1).mean() > 1e-4, "it moves"
    # The velocity goes on over the seam as it does anywhere else.
    change = np.linalg.norm(np.diff(step, axis=0), axis=-1).mean(axis=1)
    assert np.linalg.norm(step[0] - step[-1], axis=-1).mean() < 1.5 * change.max()


def test_the_same_loop_at_any_frame_rate() -> None:
    settings = IdleSettings(seed=1, device="cpu")
    slow, fast = (idle(replace(STANDING["bent"], fps=fps), 6.0, settings) for fps in (24.0, 48.0))
    np.testing.assert_allclose(joints_of(fast)[::2], joints_of(slow), atol=1e-4)


def joints_of(motion: BodyMotion) -> np.ndarray:
    return posed(motion)[0]


def test_seeds() -> None:
    start = STANDING["bent"]
    one, again, other = (idle(start, 4.0, IdleSettings(seed=seed, device="cpu")) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.poses, again.poses)
    assert np.abs(one.poses - other.poses).max() > 0.01


def test_nothing_asked_for_holds_the_pose() -> None:
    start = STANDING["bent"]
    loop = idle(start, 3.0, STILL)
    np.testing.assert_allclose(loop.poses, np.repeat(start.poses, len(loop), axis=0), atol=1e-6)
    np.testing.assert_allclose(loop.transl, np.repeat(start.transl, len(loop), axis=0), atol=1e-6)


@pytest.mark.parametrize(("seconds", "count"), [(2.0, 1), (4.0, 1), (8.0, 2), (20.0, 5), (60.0, 15)])
def test_breath_lifts_the_chest_a_whole_number_of_times(seconds: float, count: int) -> None:
    loop = idle(STANDING["bent"], seconds, replace(STILL, breathing=1.0))
    assert breaths(seconds) == count
    neck = joints_of(loop)[:-1, JOINTS.index("left_shoulder"), 1]
    assert int(np.abs(np.fft.rfft(neck - neck.mean())).argmax()) == count
    assert 1e-3 < np.ptp(neck) < 0.03, "millimetres"
    np.testing.assert_allclose(loop.transl, np.repeat(loop.transl[:1], len(loop), axis=0), atol=1e-9)
    np.testing.assert_allclose(loop.poses[:, LEGS], np.repeat(loop.poses[:1, LEGS], len(loop), axis=0), atol=1e-6)


@pytest.mark.parametrize("name", ["bent", "straight", "turned"])
def test_weight_goes_to_one_foot_and_the_other(name: str) -> None:
    start = STANDING[name]
    loop = idle(start, 8.0, replace(STILL, sway=1.0))
    feet = joints_of(start)[0, [7, 8]]
    across = (feet[0] - feet[1]) * np.array([1.0, 0.0, 1.0])
    along = (loop.transl - start.transl) @ (across / np.linalg.norm(across))
    assert along.max() > 0.015
    assert along.min() < -0.015
    assert (loop.transl[:, 1] - start.transl[0, 1]).max() < 1e-3, "straight legs cannot get longer"
    head = JOINTS.index("head")
    tilt = Rotation.from_matrix(posed(loop)[1][:, head] @ posed(start)[1][0, head].T).magnitude()
    assert np.rad2deg(tilt).max() < 3.0, "the spine keeps the head level"


def test_who_sits_keeps_pelvis_and_legs() -> None:
    start = pose(SEATED, HANGING, height=0.5)
    loop = idle(start, 6.0, IdleSettings(device="cpu"))
    np.testing.assert_allclose(loop.transl, np.repeat(start.transl, len(loop), axis=0), atol=1e-12)
    below = start.poses[:, [0, *LEGS]]
    np.testing.assert_allclose(loop.poses[:, [0, *LEGS]], np.repeat(below, len(loop), axis=0), atol=1e-9)
    assert np.ptp(joints_of(loop)[:, JOINTS.index("head")], axis=0).max() > 0.005


def test_a_raised_foot_goes_with_the_pelvis() -> None:
    loop = idle(pose(RAISED, HANGING), 6.0, IdleSettings(device="cpu"))
    found = joints_of(loop)
    assert np.linalg.norm(found[:, LEFT_FOOT] - found[0, LEFT_FOOT], axis=-1).max() < 1e-4
    np.testing.assert_allclose(loop.poses[:, [2, 5, 8]], np.repeat(loop.poses[:1, [2, 5, 8]], len(loop), 0), atol=1e-9)
    assert np.linalg.norm(found[:, RIGHT_FOOT] - found[0, RIGHT_FOOT], axis=-1).max() > 1e-3


def test_hands_on_the_body_keep_there() -> None:
    settings = IdleSettings(breathing=0.0, sway=0.0, device="cpu")
    strays = []
    for arms in (HANGING, ON_HIPS):
        found, turns = posed(idle(pose(BENT, arms), 8.0, settings))
        wrist = np.einsum("tji,tj->ti", turns[:, 9], found[:, 20] - found[:, 9])  # in the chest's axes
        strays.append(np.linalg.norm(wrist - wrist[0], axis=-1).mean())
    assert strays[1] < 0.5 * strays[0]


def test_it_tells_how_far_it_is_and_stops() -> None:
    told: list[int] = []

    def stop_after(calls: int) -> OnStep:
        def on_step(done: int, total: int, stage: str) -> None:
            assert 0 <= done <= total and stage
            told.append(done)
            if len(told) == calls:
                raise KeyboardInterrupt

        return on_step

    idle(STANDING["bent"], 4.0, on_step=stop_after(0))
    assert told == sorted(told) and len(told) > 2
    told.clear()
    with pytest.raises(KeyboardInterrupt):
        idle(STANDING["bent"], 4.0, on_step=stop_after(2))


@pytest.mark.parametrize(
    ("seconds", "settings", "match"),
    [
        (0.5, IdleSettings(), "seconds"),
        (1000.0, IdleSettings(), "seconds"),
        (float("nan"), IdleSettings(), "seconds"),
        (4.0, IdleSettings(amount=-1.0), "amount"),
        (4.0, IdleSettings(sway=3.0), "sway"),
        (4.0, IdleSettings(pull=2.0), "pull"),
    ],
)
def test_what_is_out_of_range_is_refused(seconds: float, settings: IdleSettings, match: str) -> None:
    with pytest.raises(MotionError, match=match):
        idle(STANDING["bent"], seconds, settings)


def test_more_than_one_frame_is_refused() -> None:
    start = STANDING["bent"]
    two = replace(start, poses=np.repeat(start.poses, 2, axis=0), transl=np.repeat(start.transl, 2, axis=0))
    with pytest.raises(MotionError, match="one pose"):
        idle(two, 4.0)


@pytest.mark.parametrize("name", ["cmu_13_11.bvh", "cmu_05_01.bvh"])
def test_feet_of_a_real_rig_stay(name: str, shared_data: Path) -> None:
    clip = bvh.read(shared_data / "bvh_test" / name).motion
    frame = len(clip) // 2
    still = replace(clip, rotations=clip.rotations[[frame]], translations=clip.translations[[frame]])
    rig_map = find_map(clip.skeleton)
    before = to_body(still, rig_map)
    loop = idle(before, 4.0, IdleSettings(device="cpu"), rig_offsets(still, rig_map, before))
    frames = len(loop)
    held, before = (
        held_pose(still, frames),
        replace(before, poses=np.repeat(before.poses, frames, axis=0), transl=np.repeat(before.transl, frames, axis=0)),
    )
    rig = to_rig(held, rig_map, before, loop, collars=True).motion
    alignment = Alignment(held, rig_map)
    heads = alignment.globals(rig.rotations, rig.translations)[1] * clip.skeleton.scale
    feet = [alignment.column(rig_map.bones[f"{side}_ankle"]) for side in ("left", "right")]
    strays = np.linalg.norm(heads[:, feet] - heads[0, feet], axis=-1).max(axis=0)
    assert strays.min() < 1e-4
    assert np.linalg.norm(np.diff(heads, axis=0), axis=-1).max() < 0.1
