# SPDX-License-Identifier: GPL-3.0-or-later
"""Feet that rest stay, by the body's own forward kinematics; all else stays as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import roma
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, binary_erosion
from scipy.spatial.transform import Rotation

from engine.body import bundled, forward_kinematics
from engine.errors import MotionError
from engine.evaluation.foot_metrics import skate
from engine.motion import bvh
from engine.motion.contacts import resting
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion, Motion
from engine.motion.retarget import to_body, to_rig
from engine.motion.rig_joints import rig_offsets
from engine.motion.rigs import find_map
from engine.motion.windows import conjugate, continuous, multiply, quat_to_rotvec, rotvec_to_quat
from engine.tasks.foot_lock import FootLock, lock_feet
from engine.tasks.leg import everywhere, feet_places
from engine.training.dynamics import clips

FEET = [7, 8, 10, 11]
LEFT = [1, 4, 7]  # hip, knee, ankle
LEG_JOINTS = [1, 2, 4, 5, 7, 8]
OFFSETS = np.asarray(bundled().offsets, float)
STRAIGHT = OFFSETS.copy()
"""A body whose legs are plumb, so that a plane and the law of cosines are enough."""
STRAIGHT[LEG_JOINTS, ::2] = 0.0


def joints(motion: BodyMotion) -> tuple[np.ndarray, np.ndarray]:
    """Positions (T, 22, 3) and global rotations (T, 22, 3, 3)."""
    rotations = roma.rotvec_to_rotmat(torch.from_numpy(motion.poses))
    offsets, transl = torch.from_numpy(motion.offsets), torch.from_numpy(motion.transl)
    places, turns = forward_kinematics(rotations, offsets, transl)
    return places.numpy(), turns.numpy()


def degrees(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles between axis-angle rotations (..., 3)."""
    turn = quat_to_rotvec(multiply(conjugate(rotvec_to_quat(a)), rotvec_to_quat(b)))
    return np.rad2deg(np.linalg.norm(turn, axis=-1))


def acceleration(motion: BodyMotion) -> np.ndarray:
    """(T-2, 6) size of the change of the legs' angular velocities, degrees per second squared."""
    quat = continuous(rotvec_to_quat(motion.poses[:, LEG_JOINTS]))
    velocity = quat_to_rotvec(multiply(conjugate(quat[:-1]), quat[1:])) * motion.fps
    return np.rad2deg(np.linalg.norm(np.diff(velocity, axis=0), axis=-1)) * motion.fps


def swaying(
    seed: int = 0, frames: int = 90, fps: float = 30.0, drift: float = 0.03, offsets: np.ndarray = OFFSETS
) -> BodyMotion:
    """A body that stands with bent knees, sways and slides along."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None] / fps
    poses = 0.025 * np.sin(rng.uniform(1.0, 4.0, (1, 22, 3)) * time + rng.uniform(0.0, 6.0, (1, 22, 3)))
    poses[:, [1, 2], 0] -= 0.5
    poses[:, [4, 5], 0] += 1.0
    poses[:, [4, 5], 1:] *= 0.2
    poses[:, [7, 8], 0] -= 0.5
    path = np.array([0.0, 0.8, 0.0]) + drift * time[:, 0] * np.array([1.0, 0.0, 0.5])
    return BodyMotion(poses, path, fps, offsets)


def contacts(frames: int, *spans: tuple[int, int, int]) -> np.ndarray:
    """Probabilities (T, 4) that are 1 where joint ``n`` rests from frame ``begin`` to ``end``."""
    contact = np.zeros((frames, 4))
    for n, begin, end in spans:
        contact[begin:end, n] = 1.0
    return contact


def test_feet_are_where_the_body_has_them() -> None:
    motion = swaying()
    np.testing.assert_allclose(feet_places(motion), joints(motion)[0][:, FEET], atol=1e-12)
    assert np.abs(feet_places(motion, STRAIGHT) - feet_places(replace(motion, offsets=STRAIGHT))).max() == 0.0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), fps=st.sampled_from([24.0, 30.0, 60.0, 120.0]))
def test_only_legs_near_contacts_change(seed: int, fps: float) -> None:
    rng = np.random.default_rng(seed)
    motion = swaying(seed, 100, fps)
    spans = [(int(rng.integers(4)), int(b), int(b + rng.integers(1, 40))) for b in rng.integers(0, 100, 3)]
    contact = contacts(100, *spans)
    locked = lock_feet(motion, contact)
    others = [j for j in range(22) if j not in LEG_JOINTS]
    assert (locked.poses[:, others] == motion.poses[:, others]).all()
    assert locked.transl is motion.transl and np.isfinite(locked.poses).all()
    assert np.linalg.norm(locked.poses, axis=-1).max() <= np.pi + 1e-9
    reach = int(np.ceil((0.15 + 0.07) * fps))  # of a blend, and of a break that is closed
    for side in (0, 1):
        near = binary_dilation((contact[:, [side, 2 + side]] > 0.5).any(axis=1), iterations=reach)
        assert (
            locked.poses[~near][:, LEG_JOINTS[side::2]] == motion.poses[~near][:, LEG_JOINTS[side::2]]
        ).all()
    if not contact.any():
        assert (locked.poses == motion.poses).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), side=st.sampled_from([0, 1]), fps=st.sampled_from([24.0, 30.0, 120.0]))
def test_a_resting_ball_stays_in_one_place(seed: int, side: int, fps: float) -> None:
    """Within a tenth of a millimetre, and not far from the middle of where it was."""
    motion = swaying(seed, round(2.0 * fps), fps)
    rests = slice(round(0.5 * fps), round(1.5 * fps))
    before = joints(motion)[0][rests, FEET[2 + side]]
    assume(np.linalg.norm(np.ptp(before, axis=0)) < 0.14 and np.ptp(before[:, 1]) < 0.02)
    locked = lock_feet(motion, contacts(len(motion), (2 + side, rests.start, rests.stop)))
    after = joints(locked)[0][rests, FEET[2 + side]]
    assert np.ptp(after, axis=0).max() < 1e-4
    assert np.linalg.norm(after.mean(axis=0) - np.median(before, axis=0)) < 0.03


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), side=st.sampled_from([0, 1]))
def test_a_resting_ankle_stays_and_its_foot_turns_as_it_did(seed: int, side: int) -> None:
    motion = swaying(seed)
    (places, turns), rests = joints(motion), slice(20, 60)
    before = places[rests, FEET[side]]
    assume(np.linalg.norm(np.ptp(before, axis=0)) < 0.14 and np.ptp(before[:, 1]) < 0.02)
    locked = lock_feet(motion, contacts(len(motion), (side, 20, 60)))
    places, turned = joints(locked)
    assert np.ptp(places[rests, FEET[side]], axis=0).max() < 1e-4
    np.testing.assert_allclose(turned[:, FEET[side]], turns[:, FEET[side]], atol=1e-9)


@pytest.mark.parametrize("fps", [30.0, 120.0])
def test_a_foot_lands_on_its_heel_and_leaves_on_its_ball_without_sliding(fps: float) -> None:
    """While the foot is flat, ankle and ball are handed over to each other where they are."""
    motion = swaying(2, round(3 * fps), fps)
    heel, ball = (slice(round(a * fps), round(b * fps)) for a, b in ((0.7, 1.4), (1.0, 2.0)))
    contact = contacts(len(motion), (0, heel.start, heel.stop), (2, ball.start, ball.stop))
    places = joints(lock_feet(motion, contact))[0]
    assert np.ptp(places[heel, 7], axis=0).max() < 2e-3
    assert np.ptp(places[ball, 10], axis=0).max() < 2e-3
    before = joints(motion)[0]
    assert np.ptp(before[heel, 7], axis=0).max() > 0.015 < np.ptp(before[ball, 10], axis=0).max()


def test_a_flat_foot_keeps_its_orientation_but_for_a_true_roll() -> None:
    """Trembling by a degree either way goes; of a roll by five either way, all but three are left."""
    motion = swaying(drift=0.0)
    poses = np.tile(motion.poses[:1], (90, 1, 1))
    time = np.arange(90) / 30.0
    for roll, left in ((1.0, 0.0), (5.0, 4.0)):
        poses[:, 7, 0] = motion.poses[0, 7, 0] + np.deg2rad(roll) * np.sin(3.0 * time)
        trembling = replace(motion, poses=poses, transl=np.tile(motion.transl[:1], (90, 1)))
        foot = joints(lock_feet(trembling, contacts(90, (0, 0, 90), (2, 0, 90))))[1][:, 7]
        angle = Rotation.from_matrix(foot[10:80] @ foot[10].T).as_rotvec(degrees=True)
        assert np.ptp(angle, axis=0).max() == pytest.approx(left, abs=0.3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_plumb_legs_bend_in_their_plane_by_the_law_of_cosines(seed: int) -> None:
    """A leg whose root rises and sinks over a resting ankle bends its knee alone, in the plane it is bent in."""
    rng = np.random.default_rng(seed)
    poses = np.zeros((60, 22, 3))
    poses[:, 1, 0], poses[:, 4, 0], poses[:, 7, 0] = -0.5, 1.0, -0.5
    poses[:, 0, 1] = rng.uniform(-3.0, 3.0)
    path = np.zeros((60, 3))
    path[:, 1] = 0.75 + 0.015 * np.sin(np.arange(60) / 30.0 * rng.uniform(1.0, 4.0))
    motion = BodyMotion(poses, path, 30.0, STRAIGHT)
    locked = lock_feet(motion, contacts(60, (0, 0, 60)))
    places = joints(locked)[0]
    hip, knee, ankle = (places[:, j] for j in LEFT)
    assert np.ptp(ankle, axis=0).max() < 1e-4
    thigh, shin = -STRAIGHT[4, 1], -STRAIGHT[7, 1]
    far = np.linalg.norm(hip - ankle, axis=1)
    bend = np.pi - np.arccos((thigh**2 + shin**2 - far**2) / (2.0 * thigh * shin))
    np.testing.assert_allclose(locked.poses[:, 4], bend[:, None] * [1.0, 0.0, 0.0], atol=1e-6)
    before = joints(motion)[0]
    normal = np.cross(before[0, 4] - before[0, 1], before[0, 7] - before[0, 4])
    normal /= np.linalg.norm(normal)
    assert np.abs((knee - hip) @ normal - (before[:, 4] - before[:, 1]) @ normal).max() < 1e-6


def test_a_leg_that_is_too_short_does_not_stretch_or_snap() -> None:
    """The body walks away from its foot: the foot rolls on its ball, then follows; the knee never jumps."""
    poses = np.tile(swaying().poses[:1], (120, 1, 1))
    poses[:, LEFT, 0] = -0.3, 0.6, -0.3
    path = np.tile([[0.0, 0.8, 0.0]], (120, 1))
    path[:, 2] += 0.8 * np.arange(120) / 120.0
    walking = BodyMotion(poses, path, 30.0, OFFSETS)
    locked = lock_feet(walking, contacts(120, (0, 0, 120), (2, 0, 120)), FootLock(travel=0.9))
    places = joints(locked)[0]
    assert np.linalg.norm(places[:, 7] - places[:, 1], axis=1).max() < 0.79  # thigh and shin: 0.787
    assert np.ptp(places[20:100, 10], axis=0).max() < 0.005
    assert 0.01 < np.ptp(places[:, 10], axis=0).max() < 0.03
    assert acceleration(locked).max() < 1000.0
    assert degrees(locked.poses[1:, LEFT], locked.poses[:-1, LEFT]).max() < 5.0


@pytest.mark.parametrize("fps", [30.0, 120.0])
def test_a_wrong_contact_moves_nothing(fps: float) -> None:
    """A body that slides at walking speed while its feet are said to rest."""
    motion = swaying(frames=round(3 * fps), fps=fps, drift=1.3)
    assert (lock_feet(motion, np.ones((len(motion), 4))).poses == motion.poses).all()


def test_doubtful_and_fleeting_contacts_move_nothing() -> None:
    motion = swaying()
    doubtful = np.full((90, 4), 0.55)
    doubtful[::2] = 0.45
    assert (lock_feet(motion, doubtful).poses == motion.poses).all()
    assert (lock_feet(motion, contacts(90, (2, 40, 42))).poses == motion.poses).all()


def test_a_contact_that_is_doubted_for_a_moment_goes_on() -> None:
    motion = swaying()
    sure, doubted, broken = (contacts(90, (2, 20, 60)) for _ in range(3))
    doubted[35:45, 2] = 0.45
    broken[40, 2] = 0.0
    held = lock_feet(motion, sure).poses
    assert (lock_feet(motion, doubted).poses == held).all()
    assert (lock_feet(motion, broken).poses == held).all()


def test_what_is_locked_already_hardly_changes() -> None:
    motion, contact = swaying(), contacts(90, (2, 20, 60), (3, 30, 80))
    once = lock_feet(motion, contact)
    twice = lock_feet(once, contact)
    assert degrees(once.poses, twice.poses).max() < 0.1


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), yaw=st.floats(-3.0, 3.0))
def test_where_the_body_stands_and_faces_does_not_matter(seed: int, yaw: float) -> None:
    motion, contact = swaying(seed), contacts(90, (0, 20, 50), (2, 30, 60), (3, 0, 90))
    turn = Rotation.from_rotvec([0.0, yaw, 0.0])
    poses = motion.poses.copy()
    poses[:, 0] = (turn * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    moved = replace(motion, poses=poses, transl=turn.apply(motion.transl) + np.array([5.0, 1.0, -3.0]))
    here, there = lock_feet(motion, contact), lock_feet(moved, contact)
    assert degrees(here.poses[:, 1:], there.poses[:, 1:]).max() < 1e-3


def test_the_frame_rate_does_not_matter() -> None:
    """A clip at 120 fps and every fourth frame of it come out alike."""
    fine = swaying(3, 361, 120.0)
    coarse = replace(fine, poses=fine.poses[::4], transl=fine.transl[::4], fps=30.0)
    contact = contacts(361, (0, 80, 200), (2, 80, 240), (3, 120, 300))
    a = lock_feet(fine, contact).poses[::4]
    b = lock_feet(coarse, contact[::4]).poses
    assert degrees(a, b).max() < 1.0 and degrees(a, coarse.poses).max() > 2.0


def test_frames_that_may_not_change_hold_the_foot() -> None:
    """A locked key stays bit-equal, and the foot rests where the key has it."""
    motion, contact = swaying(5), contacts(90, (2, 20, 60))
    free = np.ones(90, bool)
    free[40] = False
    locked = lock_feet(motion, contact, free=free)
    assert (locked.poses[40] == motion.poses[40]).all()
    ball = joints(locked)[0][20:60, 10]
    np.testing.assert_allclose(ball, np.broadcast_to(joints(motion)[0][40, 10], ball.shape), atol=5e-4)


def test_a_leg_that_was_not_asked_for_stays() -> None:
    motion, contact = swaying(), np.ones((90, 4))
    locked = lock_feet(motion, contact, legs=("right",))
    assert (locked.poses[:, LEFT] == motion.poses[:, LEFT]).all()
    assert (locked.poses[:, [2, 5, 8]] != motion.poses[:, [2, 5, 8]]).any()


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest_clips(frames: int) -> None:
    motion = swaying(frames=frames)
    assert len(lock_feet(motion, np.ones((frames, 4)), FootLock(shortest=0.0))) == frames


def test_contacts_of_another_clip_are_refused() -> None:
    motion = swaying()
    for contact in (np.ones((89, 4)), np.ones((90, 2)), np.full((90, 4), np.nan)):
        with pytest.raises(MotionError, match="Foot contacts"):
            lock_feet(motion, contact)


def walks(shared_data: Path) -> Iterator[BodyMotion]:
    """Real clips of the test split."""
    found = 0
    for poses, path, fps in clips(shared_data / "test"):
        if len(poses) < 120 or found == 5:
            continue
        found += 1
        yield BodyMotion(poses, path, fps, OFFSETS)


def drifting(motion: BodyMotion) -> BodyMotion:
    """With a root that slides by centimetres."""
    time = np.arange(len(motion)) / motion.fps
    drift = np.stack([0.05 * np.sin(time), 0.01 * np.sin(1.3 * time), 0.05 * np.sin(0.8 * time)], axis=1)
    return replace(motion, transl=motion.transl + drift)


def test_real_walks_that_drift_stop_skating(shared_data: Path) -> None:
    """Measured: 2.8 mm per frame become 0.7, most of it ankles that roll; the captures themselves have 2.3."""
    skates = []
    for truth in walks(shared_data):
        contact = resting(joints(truth)[0][:, FEET], truth.fps)
        motion = drifting(truth)
        locked = lock_feet(motion, contact.astype(float))
        before, after = (skate(joints(m)[0][:, FEET], contact, m.fps) for m in (motion, locked))
        skates.append((before, after))
        turned = degrees(motion.poses, locked.poses)
        assert turned[:, LEG_JOINTS].mean() < 4.0 and np.quantile(turned[:, LEG_JOINTS], 0.95) < 12.0
        # No jump where contacts begin and end: the legs are not sped up more sharply than by the walk itself.
        assert acceleration(locked).max() < 1.1 * acceleration(motion).max()
        assert np.quantile(acceleration(locked), 0.99) < 1.1 * np.quantile(acceleration(motion), 0.99)
        reach = int(np.ceil(0.15 * truth.fps))
        for side in (0, 1):
            far = ~binary_dilation(contact[:, [side, 2 + side]].any(axis=1), iterations=reach + 2)
            assert (
                locked.poses[far][:, LEG_JOINTS[side::2]] == motion.poses[far][:, LEG_JOINTS[side::2]]
            ).all()
    before, after = np.mean(skates, axis=0)
    assert after < 0.4 * before and all(a < 0.6 * b for b, a in skates)


def heads(motion: Motion, bone: str) -> np.ndarray:
    """(T, 3) a bone's head in metres, up and ahead as in the rig, by the rule in `Skeleton`, from the root down."""
    skeleton = motion.skeleton
    chain = [skeleton.index(bone)]
    while skeleton.parents[chain[-1]] >= 0:
        chain.append(skeleton.parents[chain[-1]])
    world = np.eye(4)
    for at in reversed(chain):
        parent = skeleton.parents[at]
        rest = skeleton.rest[at] if parent < 0 else np.linalg.inv(skeleton.rest[parent]) @ skeleton.rest[at]
        basis = np.tile(np.eye(4), (len(motion), 1, 1))
        basis[:, :3, :3] = Rotation.from_quat(motion.rotations[:, at], scalar_first=True).as_matrix()
        basis[:, :3, 3] = motion.translations[:, at]
        world = world @ rest @ basis
    return world[:, :3, 3] * skeleton.scale


@pytest.mark.parametrize(
    ("name", "joint"),
    [
        ("cmu_05_02_CC_Base", "foot"),  # a bone that turns lies between pelvis and hips
        ("cmu_05_02_CC_Base", "ankle"),
        ("cmu_13_13", "ankle"),  # no toes
    ],
)
def test_the_rigs_own_feet_stay(shared_data: Path, name: str, joint: str) -> None:
    """On rigs of other proportions, the bones of the file stay within a millimetre in the world."""
    clip = bvh.read(shared_data / "bvh_test" / f"{name}.bvh").motion
    clip = replace(clip, rotations=clip.rotations[10:600], translations=clip.translations[10:600])
    rig_map = find_map(clip.skeleton)
    body = to_body(clip, rig_map)
    assert np.abs(body.offsets - OFFSETS)[LEG_JOINTS].max() > 0.01, "the rig has proportions of its own"
    contact = resting(joints(body)[0][:, FEET], clip.fps)
    contact[:, [0, 1] if joint == "foot" else [2, 3]] = False
    motion = to_rig(clip, rig_map, body, drifting(body)).motion
    before = to_body(motion, rig_map)
    after = lock_feet(before, contact.astype(float), offsets=rig_offsets(motion, rig_map, before))
    edit = to_rig(motion, rig_map, before, after)
    contacts_seen = 0
    for side, column in (("left", 0), ("right", 1)):
        bone = rig_map.bones[f"{side}_{joint}"]
        rests = binary_erosion(
            contact[:, column + (2 if joint == "foot" else 0)], iterations=round(0.05 * clip.fps)
        )
        moved, held = (heads(m, bone) for m in (motion, edit.motion))
        for span in np.split(np.flatnonzero(rests), np.flatnonzero(np.diff(np.flatnonzero(rests)) > 1) + 1):
            if len(span) < 0.1 * clip.fps or np.linalg.norm(np.ptp(moved[span], axis=0)) > 0.1:
                continue
            contacts_seen += 1
            assert np.linalg.norm(np.ptp(held[span], axis=0)) < 1e-3, (side, span[0], span[-1])
    assert contacts_seen >= 2
    legs = {rig_map.bones[JOINTS[j]] for j in LEG_JOINTS}
    others = [j for j, bone in enumerate(clip.skeleton.names) if bone not in legs and "Twist" not in bone]
    assert not edit.rotations_changed[:, others].any() and not edit.translations_changed.any()


def test_a_rigs_offsets_put_the_body_on_its_bones(shared_data: Path) -> None:
    """To a micrometre, where one offset per joint is off by millimetres."""
    clip = bvh.read(shared_data / "bvh_test" / "cmu_05_02_CC_Base.bvh").motion
    rig_map = find_map(clip.skeleton)
    body = to_body(clip, rig_map)
    offsets = rig_offsets(clip, rig_map, body)
    turns = Rotation.from_rotvec(body.poses[:, 0])
    place = np.zeros((len(body), 3))
    for joint in (1, 4, 7, 10):
        place = place + turns.apply(offsets[:, joint])
        turns = turns * Rotation.from_rotvec(body.poses[:, joint])
        bone = heads(clip, rig_map.bones[JOINTS[joint]]) - heads(clip, rig_map.bones["pelvis"])
        assert np.abs(np.linalg.norm(place, axis=1) - np.linalg.norm(bone, axis=1)).max() < 1e-6


def test_offsets_of_every_frame_may_be_written_to() -> None:
    """Not every build of scipy turns vectors that it may not write to."""
    motion = BodyMotion(np.zeros((5, 22, 3)), np.zeros((5, 3)), 30.0, np.zeros((22, 3)))
    assert everywhere(motion, None).flags.writeable and everywhere(motion, motion.offsets).flags.writeable
