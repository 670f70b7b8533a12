# SPDX-License-Identifier: GPL-3.0-or-later
"""Twist bones keep their share of a limb's twist; scipy's rotations tell what is asked for and what came out."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.motion.joints import JOINTS
from engine.motion.motion import Motion
from engine.motion.retarget import to_body, to_rig
from engine.motion.rigs import find_map
from engine.motion.twist_bones import followers
from rigcheck.people import PEOPLE

FRAMES = 40
TIME = np.arange(FRAMES) / 30.0


def wave(amount: float, speed: float, phase: float) -> np.ndarray:
    return amount * np.sin(2 * np.pi * speed * TIME + phase)


def along(skeleton: Any, bone: str, start: str, end: str) -> np.ndarray:
    """Unit direction between two bones' heads in a bone's rest frame."""
    heads = skeleton.rest[[skeleton.index(start), skeleton.index(end)], :3, 3]
    direction = skeleton.rest[skeleton.index(bone), :3, :3].T @ (heads[1] - heads[0])
    return direction / np.linalg.norm(direction)


def still(skeleton: Any) -> np.ndarray:
    return np.tile([1.0, 0.0, 0.0, 0.0], (FRAMES, len(skeleton), 1))


def turn(rotations: np.ndarray, skeleton: Any, bone: str, vectors: np.ndarray) -> None:
    rotations[:, skeleton.index(bone)] = np.roll(Rotation.from_rotvec(vectors).as_quat(), 1, axis=-1)


def vectors(rotations: np.ndarray, skeleton: Any, bone: str) -> np.ndarray:
    return Rotation.from_quat(np.roll(rotations[:, skeleton.index(bone)], -1, axis=-1)).as_rotvec()


@pytest.mark.parametrize("share", [0.5, 0.3, -0.6])
def test_a_forearms_twist_bone_keeps_its_share(share: float) -> None:
    skeleton = PEOPLE["unreal4"].skeleton
    hand, forearm, leaf = "hand_l", "lowerarm_l", "lowerarm_twist_01_l"
    rotations, pronation = still(skeleton), wave(0.6, 0.7, 0.3)
    turn(rotations, skeleton, hand, pronation[:, None] * along(skeleton, hand, forearm, hand))
    axis = along(skeleton, leaf, forearm, hand)
    turn(rotations, skeleton, leaf, share * pronation[:, None] * axis)
    motion = Motion(skeleton, rotations, np.zeros((FRAMES, len(skeleton), 3)), 30.0)
    rig_map = find_map(skeleton)
    before = to_body(motion, rig_map)
    poses = before.poses.copy()
    poses[10:, JOINTS.index("left_wrist"), 0] += wave(0.4, 0.5, 1.0)[10:]
    edit = to_rig(motion, rig_map, before, dataclasses.replace(before, poses=poses))
    hands = vectors(edit.motion.rotations, skeleton, hand) @ along(skeleton, hand, forearm, hand)
    leaves = vectors(edit.motion.rotations, skeleton, leaf) @ axis
    assert np.abs(hands - pronation)[15:].max() > 0.1
    np.testing.assert_allclose(leaves - share * pronation, share * (hands - pronation), atol=0.01)
    index = skeleton.index(leaf)
    np.testing.assert_array_equal(edit.motion.rotations[:10, index], rotations[:10, index])
    assert not edit.rotations_changed[:10, index].any() and edit.rotations_changed[10:, index].all()


def test_what_moves_many_times_as_much_is_no_follower() -> None:
    skeleton = PEOPLE["unreal4"].skeleton
    hand, forearm, leaf = "hand_l", "lowerarm_l", "lowerarm_twist_01_l"
    rotations, little = still(skeleton), wave(0.02, 0.7, 0.3)
    turn(rotations, skeleton, hand, little[:, None] * along(skeleton, hand, forearm, hand))
    turn(rotations, skeleton, leaf, 20.0 * little[:, None] * along(skeleton, leaf, forearm, hand))
    motion = Motion(skeleton, rotations, np.zeros((FRAMES, len(skeleton), 3)), 30.0)
    assert followers(motion, find_map(skeleton)) == []


def test_a_bone_that_does_not_shake_along_is_no_follower() -> None:
    """Its twist has another source than the hand's channels: what cleaning takes out of those is not in it."""
    skeleton = PEOPLE["unreal4"].skeleton
    hand, forearm, leaf = "hand_l", "lowerarm_l", "lowerarm_twist_01_l"
    rotations, twist = still(skeleton), wave(0.6, 0.7, 0.3)
    noise = np.random.default_rng(0).normal(scale=0.05, size=FRAMES)
    turn(rotations, skeleton, leaf, 0.5 * twist[:, None] * along(skeleton, leaf, forearm, hand))
    for shaken, expected in ((twist + noise, 0), (twist, 1)):
        turn(rotations, skeleton, hand, shaken[:, None] * along(skeleton, hand, forearm, hand))
        motion = Motion(skeleton, rotations.copy(), np.zeros((FRAMES, len(skeleton), 3)), 30.0)
        assert len(followers(motion, find_map(skeleton))) == expected


def test_a_twist_bone_that_does_not_move_stays() -> None:
    skeleton = PEOPLE["unreal4"].skeleton
    rotations = still(skeleton)
    axis = along(skeleton, "hand_l", "lowerarm_l", "hand_l")
    turn(rotations, skeleton, "hand_l", wave(0.6, 0.7, 0.3)[:, None] * axis)
    motion = Motion(skeleton, rotations, np.zeros((FRAMES, len(skeleton), 3)), 30.0)
    rig_map = find_map(skeleton)
    before = to_body(motion, rig_map)
    poses = before.poses + 0.2
    edit = to_rig(motion, rig_map, before, dataclasses.replace(before, poses=poses))
    for name in skeleton.names:
        if "twist" in name:
            assert not edit.rotations_changed[:, skeleton.index(name)].any(), name


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_a_limb_in_two_bones_bends_in_the_first_and_twists_as_it_did(share: float) -> None:
    """Daz's arms: the Bend bone never twists in its own animations, but in those of other programs it may."""
    skeleton = PEOPLE["daz_genesis8"].skeleton
    bend, twist, end = "lShldrBend", "lShldrTwist", "lForearmBend"
    rotations, total = still(skeleton), wave(0.5, 0.6, 0.2)
    for bone, part in ((bend, share), (twist, 1.0 - share)):
        turn(rotations, skeleton, bone, part * total[:, None] * along(skeleton, bone, bend, end))
    turn(rotations, skeleton, "lCollar", wave(0.1, 0.4, 0.0)[:, None] * [1.0, 0.0, 0.0])
    motion = Motion(skeleton, rotations, np.zeros((FRAMES, len(skeleton), 3)), 30.0)
    rig_map = find_map(skeleton)
    before = to_body(motion, rig_map)
    poses, arm = before.poses.copy(), JOINTS.index("left_shoulder")
    change = wave(0.3, 0.5, 1.0)[:, None] * [1.0, 0.4, 0.3]
    poses[:, arm] = (Rotation.from_rotvec(poses[:, arm]) * Rotation.from_rotvec(change)).as_rotvec()
    after = dataclasses.replace(before, poses=poses)
    edit = to_rig(motion, rig_map, before, after)
    back = to_body(edit.motion, rig_map)
    gap = Rotation.from_rotvec(back.poses[:, arm]).inv() * Rotation.from_rotvec(after.poses[:, arm])
    assert gap.magnitude().max() < 1e-6
    added = []
    for bone in (bend, twist):
        axis = along(skeleton, bone, bend, end)
        index = skeleton.index(bone)
        relative = [Rotation.from_quat(np.roll(q[:, index], -1, axis=-1)) for q in (rotations, edit.motion.rotations)]
        delta = (relative[0].inv() * relative[1]).as_rotvec()
        added.append(delta @ axis)
        if bone == twist:
            np.testing.assert_allclose(delta - added[-1][:, None] * axis, 0.0, atol=1e-9)
    whole = added[0] + added[1]
    assert np.abs(whole).max() > 0.1
    np.testing.assert_allclose(added[0], share * whole, atol=0.02)
