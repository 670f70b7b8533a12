# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests ``idle`` and ``generate`` over the pipe: many frames of one pose of a rig."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body import posed as posed_body
from engine.errors import MotionError, ProtocolError
from engine.motion import bvh
from engine.motion.joints import JOINTS
from engine.motion.motion import Motion
from engine.motion.retarget import to_body
from engine.motion.rig_joints import rig_offsets
from engine.motion.rigs import find_map
from engine.motion.units import in_human_size
from engine.motion.windows import rotvec_to_quat
from engine.requests import TASKS
from engine.requests.rig import joints_of
from engine.tasks.generate import GenerateSettings, generate
from engine.tasks.generate_like import GenerateLikeSettings, generate_like
from engine.tasks.idle import IdleSettings, idle
from engine.tasks.score import ScoreSettings, score
from rigcheck.conventions import CONVENTIONS
from rigcheck.people import person

FRAME = 200


@pytest.fixture(scope="module")
def clip(shared_data: Path) -> Motion:
    return bvh.read(shared_data / "bvh_test" / "cmu_13_11.bvh").motion


def request_of(clip: Motion, frames: slice = slice(FRAME, FRAME + 1)) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    skeleton = clip.skeleton
    params = {"fps": 24.0, "names": list(skeleton.names), "scale": skeleton.scale, "bone_map": None}
    return params, {
        "parents": np.array(skeleton.parents, "int32"),
        "rest": skeleton.rest,
        "tails": skeleton.tails,
        "rotations": clip.rotations[frames],
        "translations": clip.translations[frames],
    }


def silent(done: int, total: int, stage: str) -> None:
    assert 0 <= done <= total and stage


def start_of(clip: Motion) -> tuple[Motion, Any, Any]:
    motion = Motion(in_human_size(clip.skeleton), clip.rotations[[FRAME]], clip.translations[[FRAME]], 24.0)
    rig_map = find_map(motion.skeleton)
    return motion, rig_map, to_body(motion, rig_map)


def test_an_idle_is_the_task_s_on_the_rig(clip: Motion) -> None:
    params, arrays = request_of(clip)
    params |= {"seconds": 3.0, "variants": 2, "settings": {"seed": 4, "device": "cpu", "sway": 0.5}}
    told: list[int] = []
    answer, out = TASKS["idle"](params, arrays, lambda done, total, stage: told.append(done))
    assert answer["seeds"] == [4, 5] and answer["stands"] is True
    assert told == sorted(told)
    frames = 73
    assert out["rotations"].shape == (2, frames, len(clip.skeleton), 4)
    for variant in range(2):
        for end in (0, -1):
            np.testing.assert_array_equal(out["rotations"][variant, end], clip.rotations[FRAME])
            np.testing.assert_array_equal(out["translations"][variant, end], clip.translations[FRAME])
    assert np.abs(out["rotations"][0] - out["rotations"][1]).max() > 1e-3

    motion, rig_map, before = start_of(clip)
    expected = idle(before, 3.0, IdleSettings(sway=0.5, seed=5, device="cpu"), rig_offsets(motion, rig_map, before))
    rig = Motion(motion.skeleton, out["rotations"][1], out["translations"][1], 24.0)
    found = to_body(rig, rig_map)
    np.testing.assert_allclose(found.transl, expected.transl, atol=1e-6)
    joints = [0, 1, 2, 4, 5, 7, 8]  # those of arms depend on whether collars are taken for animated
    np.testing.assert_allclose(found.poses[:, joints], expected.poses[:, joints], atol=1e-4)
    changed = out["rotations_changed"][0].all(axis=0)
    assert changed[motion.skeleton.index(rig_map.bones["left_knee"])], "or the animation shows through at the ends"
    assert out["translations_changed"][0][:, motion.skeleton.index(rig_map.bones["pelvis"])].all()
    collar = rig_map.bones.get("left_collar")
    assert collar is None or changed[motion.skeleton.index(collar)], "shoulders rise with the breath"


def test_generated_poses_are_the_task_s_on_the_rig(clip: Motion) -> None:
    params, arrays = request_of(clip)
    params |= {"count": 4, "kept": ["upper_body"], "settings": {"seed": 3, "device": "cpu"}}
    answer, out = TASKS["generate"](params, arrays, silent)
    assert answer["joints"] > 15 and out["rotations"].shape[:2] == (1, 4)
    motion, rig_map, before = start_of(clip)
    rig = Motion(motion.skeleton, out["rotations"][0], out["translations"][0], 24.0)
    kept = np.array([joint not in (1, 2, 4, 5, 7, 8, 10, 11) for joint in range(1, 22)])
    expected = generate_like(before.poses[0, 1:], kept, 4, GenerateLikeSettings(seed=3, device="cpu"))
    found = to_body(rig, rig_map)
    np.testing.assert_allclose(found.poses[:, [1, 2, 4, 5, 7, 8]], expected[:, [0, 1, 3, 4, 6, 7]], atol=1e-4)
    spine = [motion.skeleton.index(bone) for bone in rig_map.sources["spine3"].turned]
    assert not out["rotations_changed"][0][:, spine].any()
    np.testing.assert_allclose(
        found.transl[:, [0, 2]], np.repeat(before.transl[:, [0, 2]], 4, axis=0), atol=1e-6
    )


def test_whole_poses_keep_the_rig_s_facing(clip: Motion) -> None:
    params, arrays = request_of(clip)
    params |= {"count": 3, "kept": [], "settings": {"device": "cpu"}}
    _, out = TASKS["generate"](params, arrays, silent)
    motion, rig_map, before = start_of(clip)
    found = to_body(Motion(motion.skeleton, out["rotations"][0], out["translations"][0], 24.0), rig_map)
    np.testing.assert_allclose(found.poses[:, 0], np.repeat(before.poses[:, 0], 3, axis=0), atol=1e-6)


@pytest.mark.parametrize("task", ["idle", "generate"])
def test_one_pose_is_asked_for(clip: Motion, task: str) -> None:
    params, arrays = request_of(clip, slice(0, 2))
    with pytest.raises(MotionError, match="one pose"):
        TASKS[task](params | {"seconds": 3.0, "count": 2, "kept": []}, arrays, silent)


@pytest.mark.parametrize(
    ("task", "change", "error", "match"),
    [
        ("idle", {"seconds": 0.1}, MotionError, "seconds"),
        ("idle", {"variants": 0}, MotionError, "at least one idle"),
        ("idle", {"settings": {"magic": 1}}, ProtocolError, "magic"),
        ("generate", {"count": 0}, MotionError, "at least one pose"),
        ("generate", {"kept": ["no such bone"]}, MotionError, "no such bone"),
        ("generate", {"kept": ["upper_body", "legs"]}, MotionError, "All joints are kept"),
    ],
)
def test_what_is_refused(clip: Motion, task: str, change: dict[str, Any], error: type[Exception], match: str) -> None:
    params, arrays = request_of(clip)
    params |= {"seconds": 3.0, "count": 2, "kept": [], "settings": {"device": "cpu"}}
    with pytest.raises(error, match=match) as caught:
        TASKS[task](params | change, arrays, silent)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(("task", "lacking"), [("idle", "seconds"), ("generate", "count"), ("generate", "kept")])
def test_a_missing_parameter_is_named(clip: Motion, task: str, lacking: str) -> None:
    params, arrays = request_of(clip)
    params |= {"seconds": 3.0, "count": 2, "kept": []}
    del params[lacking]
    with pytest.raises(ProtocolError, match=lacking):
        TASKS[task](params, arrays, silent)


def test_a_still_collar_is_left_alone_unless_asked(clip: Motion) -> None:
    from engine.motion.retarget import to_rig

    motion, rig_map, before = start_of(clip)
    poses = before.poses.copy()
    poses[:, 13, 2] += 0.1  # left collar
    after = replace(before, poses=poses)
    collar = motion.skeleton.index(rig_map.bones["left_collar"])
    assert not to_rig(motion, rig_map, before, after).rotations_changed[:, collar].any()
    assert to_rig(motion, rig_map, before, after, collars=True).rotations_changed[:, collar].all()


@pytest.mark.parametrize("convention", ["smpl", "mixamo", "rigify_deform"])
@pytest.mark.parametrize("posed", [False, True])
def test_generated_poses_reach_the_rig_and_score_as_they_did(convention: str, posed: bool) -> None:
    """From any pose, with its collars anywhere: joints turn in the world as those generated, and are as plausible."""
    skeleton = in_human_size(person(convention, CONVENTIONS[convention]).skeleton)
    rig_map = find_map(skeleton)
    start = Motion(skeleton, np.zeros((1, len(skeleton), 4)), np.zeros((1, len(skeleton), 3)), 24.0)
    start.rotations[..., 0] = 1.0
    if posed:
        turns = rotvec_to_quat(0.25 * np.random.default_rng(1).normal(size=(len(rig_map.bones), 3)))
        for bone, turn in zip(rig_map.bones.values(), turns, strict=True):
            start.rotations[0, skeleton.index(bone)] = turn
    params, arrays = request_of(start, slice(0, 1))
    settings = {"temperature": 0.8, "seed": 0, "device": "cpu"}
    _, out = TASKS["generate"](params | {"count": 24, "kept": [], "settings": settings}, arrays, silent)
    rotations, translations = out["rotations"][0], out["translations"][0]
    body = to_body(Motion(skeleton, rotations, translations, 24.0), rig_map)

    made = generate(24, GenerateSettings(temperature=0.8, seed=0, device="cpu"))
    whole = replace(body, poses=np.concatenate([body.poses[:, :1], made], axis=1))
    between = np.swapaxes(posed_body(whole)[1], -1, -2) @ posed_body(body)[1]
    apart = np.degrees(Rotation.from_matrix(between.reshape(-1, 3, 3)).magnitude())
    assert apart.max() < 0.1, "degrees in the world, collars among them"
    _, found = TASKS["score"](params, arrays | {"rotations": rotations, "translations": translations}, silent)
    directly = np.median(score(made, ScoreSettings(device="cpu")).pose)
    assert directly > 0.5 and directly / 1.5 < np.median(found["pose"]) < directly * 1.5


@pytest.mark.parametrize("kept", [["left_collar"], ["left_shoulder"], ["left_arm"]])
def test_kept_bones_stay_and_the_others_reach_their_places(clip: Motion, kept: list[str]) -> None:
    params, arrays = request_of(clip)
    motion, rig_map, before = start_of(clip)
    params |= {"count": 3, "kept": kept, "settings": {"device": "cpu"}}
    _, out = TASKS["generate"](params, arrays, silent)
    chosen = joints_of(kept, rig_map)
    poses = generate_like(before.poses[0, 1:], chosen[1:], 3, GenerateLikeSettings(device="cpu"))
    body = to_body(Motion(motion.skeleton, out["rotations"][0], out["translations"][0], 24.0), rig_map)
    whole = replace(body, poses=np.concatenate([body.poses[:, :1], poses], axis=1))
    between = np.swapaxes(posed_body(whole)[1], -1, -2) @ posed_body(body)[1]
    apart = np.degrees(Rotation.from_matrix(between.reshape(-1, 3, 3)).magnitude()).reshape(between.shape[:2])
    for joint, source in rig_map.sources.items():
        changed = out["rotations_changed"][0][:, [motion.skeleton.index(bone) for bone in source.turned]]
        if chosen[JOINTS.index(joint)] and joint != "left_elbow":
            assert not changed.any(), f"{joint} stays"
    new = [JOINTS.index(j) for j in ("spine3", "neck", "right_collar", "right_shoulder", "right_wrist")]
    new += [] if chosen[JOINTS.index("left_shoulder")] else [JOINTS.index(j) for j in ("left_shoulder", "left_wrist")]
    assert apart[:, new].max() < 0.1
