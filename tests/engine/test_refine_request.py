# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``refine`` over the pipe: a rig's wrong animation is pulled onto what cameras saw of the right one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from seen_person import CAMERA, FPS, person

from engine.body import posed
from engine.body.h36m_joints import h36m_joints
from engine.errors import MotionError, ProtocolError, WeightsError
from engine.motion.body_clip import body_rig
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion, Motion
from engine.motion.retarget import to_body
from engine.motion.rigs import find_map
from engine.priors import rotation_weights
from engine.requests import TASKS

FRAMES = 10
SOMEONE = person(FRAMES, seed=6)
TRUTH = SOMEONE.motion
LENS = {"focal": CAMERA.focal, "centre_u": CAMERA.centre[0], "centre_v": CAMERA.centre[1]}
QUICK = {"rounds": 2, "device": "cpu"}


def silent(done: int, total: int, stage: str) -> None:
    assert 0 <= done <= total and stage


def wrong(share: float = 0.3, seed: int = 0) -> BodyMotion:
    """The person's motion with errors that are the same on all frames, and slow ones."""
    rng = np.random.default_rng(seed)
    slow = np.sin(np.linspace(0.0, 2.0, FRAMES)[:, None, None] + rng.uniform(0.0, 6.0, (1, 22, 3)))
    turn = Rotation.from_rotvec((share * slow * rng.normal(size=(1, 22, 3))).reshape(-1, 3))
    poses = (Rotation.from_rotvec(TRUTH.poses.reshape(-1, 3)) * turn).as_rotvec().reshape(TRUTH.poses.shape)
    return BodyMotion(poses, np.add(TRUTH.transl, [0.08, -0.05, 0.3]), FPS, TRUTH.offsets)


RIG = body_rig(wrong())


def request_of(motion: Motion = RIG, **settings: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    skeleton = motion.skeleton
    params = {
        "fps": FPS, "names": list(skeleton.names), "scale": skeleton.scale, "bone_map": None, "cameras": [LENS],
        "settings": QUICK | settings,
    }  # fmt: skip
    return params, {
        "parents": np.array(skeleton.parents, "int32"), "rest": skeleton.rest, "tails": skeleton.tails,
        "rotations": motion.rotations, "translations": motion.translations,
        "pixels": SOMEONE.pixels[None], "confidence": np.ones((1, FRAMES, 17)), "camera": np.eye(4)[None],
    }  # fmt: skip


def body_of(out: dict[str, np.ndarray], skeleton: Any = RIG.skeleton) -> BodyMotion:
    return to_body(Motion(skeleton, out["rotations"][0], out["translations"][0], FPS), find_map(skeleton))


def joints_of(body: BodyMotion) -> np.ndarray:
    local = torch.from_numpy(Rotation.from_rotvec(body.poses.reshape(-1, 3)).as_matrix()).unflatten(0, (-1, 22))
    return h36m_joints(local, torch.from_numpy(body.offsets)).numpy() + body.transl[:, None]


def off(body: BodyMotion) -> float:
    """Mean distance in pixels from where the person is seen."""
    pixels = CAMERA.project(torch.from_numpy(joints_of(body))).numpy()
    return float(np.linalg.norm(pixels - SOMEONE.pixels, axis=-1).mean())


def away(body: BodyMotion) -> float:
    """Mean distance in metres from where the person is."""
    return float(np.linalg.norm(joints_of(body) - SOMEONE.joints, axis=-1).mean())


def test_a_wrong_animation_is_pulled_onto_what_was_seen() -> None:
    answer, out = TASKS["refine"](*request_of(), silent)
    before, after = to_body(RIG, find_map(RIG.skeleton)), body_of(out)
    assert out["rotations"].shape == (1, FRAMES, 22, 4) and out["rotations_changed"].any(axis=(0, 1)).sum() >= 20
    assert off(after) < off(before) / 5
    assert away(after) < away(before) / 2
    assert answer["before"] == [pytest.approx(off(before), rel=1e-6)]
    assert answer["after"] == [pytest.approx(off(after), rel=1e-3)]
    assert answer["rounds"] == 2.0 and answer["evaluations"] > 2 and answer["joints"] == 22


def test_a_second_camera_tells_how_far_away_the_person_is() -> None:
    params, arrays = request_of()
    _, alone = TASKS["refine"](params, arrays, silent)
    side = np.eye(4)
    middle = TRUTH.transl.mean(axis=0)
    side[:3, :3] = Rotation.from_euler("y", 1.4).as_matrix()
    side[:3, 3] = middle + side[:3, 2] * 4.0
    local = (SOMEONE.joints - side[:3, 3]) @ side[:3, :3]
    pixels = np.stack([SOMEONE.pixels, CAMERA.project(torch.from_numpy(local)).numpy()])
    both = {"pixels": pixels, "confidence": np.ones((2, FRAMES, 17)), "camera": np.stack([np.eye(4), side])}
    answer, out = TASKS["refine"](params | {"cameras": [LENS, LENS]}, arrays | both, silent)
    assert away(body_of(out)) < 0.7 * away(body_of(alone))
    assert all(after < before / 4 for before, after in zip(answer["before"], answer["after"], strict=True))


def test_a_camera_that_moves_sees_the_same() -> None:
    """Views of one motion by a camera that stands and by one that turns about the person and shakes."""
    params, arrays = request_of()
    rng = np.random.default_rng(1)
    turns = Rotation.from_euler("y", np.linspace(0.0, 0.5, FRAMES)) * Rotation.from_rotvec(
        0.02 * rng.normal(size=(FRAMES, 3))
    )
    views = np.tile(np.eye(4), (1, FRAMES, 1, 1))
    views[0, :, :3, :3] = turns.as_matrix()
    views[0, :, :3, 3] = TRUTH.transl.mean(axis=0) + 4.0 * views[0, :, :3, 2] + 0.02 * rng.normal(size=(FRAMES, 3))
    local = np.einsum("tjx,txy->tjy", SOMEONE.joints - views[0, :, None, :3, 3], views[0, :, :3, :3])
    seen = {"pixels": CAMERA.project(torch.from_numpy(local)).numpy()[None], "camera": views}
    found = [body_of(TASKS["refine"](params, arrays | told, silent)[1]) for told in ({}, seen)]
    assert away(found[1]) < away(to_body(RIG, find_map(RIG.skeleton))) / 2
    still, moved = (np.abs(np.diff(joints_of(body), 2, axis=0)).mean() for body in found)
    assert moved < 2.0 * still, "the camera's shaking is none of the person's"


def test_what_may_not_change_stays_bit_equal() -> None:
    params, arrays = request_of()
    _, out = TASKS["refine"](params | {"bones": ["left_arm"]}, arrays, silent)
    names = list(RIG.skeleton.names)
    arm = [names.index(f"left_{joint}") for joint in ("collar", "shoulder", "elbow", "wrist")]
    rest = [bone for bone in range(len(names)) if bone not in arm]
    np.testing.assert_array_equal(out["rotations"][0][:, rest], RIG.rotations[:, rest])
    np.testing.assert_array_equal(out["translations"][0], RIG.translations)
    assert not out["rotations_changed"][0][:, rest].any() and not out["translations_changed"].any()
    assert out["rotations_changed"][0][:, arm].any()


def test_an_arm_alone_reaches_its_keypoints_where_the_rest_is_right() -> None:
    """What is held is known to the others: with only an arm wrong, and free, the arm comes right."""
    poses = TRUTH.poses.copy()
    poses[:, JOINTS.index("left_shoulder")] += [0.0, 0.0, 0.5]
    bent = body_rig(BodyMotion(poses, TRUTH.transl, FPS, TRUTH.offsets))
    params, arrays = request_of(bent)
    answer, out = TASKS["refine"](params | {"bones": ["left_arm"]}, arrays, silent)
    wrist = JOINTS.index("left_wrist")
    seen = [CAMERA.project(torch.from_numpy(posed(body)[0][:, wrist])).numpy() for body in
            (TRUTH, to_body(bent, find_map(bent.skeleton)), body_of(out, bent.skeleton))]  # fmt: skip
    missed = [np.linalg.norm(place - seen[0], axis=1).mean() for place in seen[1:]]
    assert missed[1] < 0.7 * missed[0] and answer["after"][0] < 0.7 * answer["before"][0]


def test_frames_that_nobody_saw_stay_continuous() -> None:
    """In a gap the corrections of both sides go on; far from what was seen, the animation is as it was."""
    params, arrays = request_of(rounds=6)
    confidence = np.ones((1, FRAMES, 17))
    confidence[:, 4:6] = 0.0
    _, out = TASKS["refine"](params, arrays | {"confidence": confidence}, silent)
    body, before = joints_of(body_of(out)), joints_of(to_body(RIG, find_map(RIG.skeleton)))
    error = np.linalg.norm(body - SOMEONE.joints, axis=-1).mean(axis=1)
    assert error[4:6].max() < np.linalg.norm(before - SOMEONE.joints, axis=-1).mean(axis=1)[4:6].min() / 2
    steps = np.linalg.norm(np.diff(body, axis=0), axis=-1).mean(axis=1)
    true = np.linalg.norm(np.diff(SOMEONE.joints, axis=0), axis=-1).mean(axis=1)
    assert steps.max() < true.max() + 0.02


def test_a_clip_becomes_smooth_without_any_keypoints() -> None:
    rng = np.random.default_rng(2)
    poses = TRUTH.poses + 0.05 * rng.normal(size=TRUTH.poses.shape)
    shaky = body_rig(BodyMotion(poses, TRUTH.transl + 0.02 * rng.normal(size=(FRAMES, 3)), FPS, TRUTH.offsets))
    params, arrays = request_of(shaky)
    answer, out = TASKS["refine"](params | {"cameras": []}, arrays, silent)
    assert answer["before"] == answer["after"] == []
    before, after = (np.abs(np.diff(joints_of(body), 2, axis=0)).mean() for body in
                     (to_body(shaky, find_map(shaky.skeleton)), body_of(out)))  # fmt: skip
    assert after < before / 2
    with pytest.raises(MotionError, match="Nothing guides"):
        TASKS["refine"](params | {"cameras": [], "settings": QUICK | {"smooth": 0.0}}, arrays, silent)


def test_an_unseen_person_is_told_of_in_a_sentence() -> None:
    params, arrays = request_of()
    with pytest.raises(MotionError, match="No frame shows"):
        TASKS["refine"](params, arrays | {"confidence": np.zeros((1, FRAMES, 17))}, silent)
    behind = np.diag([-1.0, 1.0, -1.0, 1.0])[None]
    with pytest.raises(MotionError, match="behind"):
        TASKS["refine"](params, arrays | {"camera": behind}, silent)


def test_missing_weights_are_told_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rotation_weights, "FOLDER", tmp_path)
    with pytest.raises(WeightsError, match=r"scorehmr\.safetensors"):
        TASKS["refine"](*request_of(), silent)


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"cameras": 3}, ProtocolError, "cameras"),
        ({"cameras": [3]}, ProtocolError, "cameras"),
        ({"cameras": [{"focal": 900.0}]}, ProtocolError, "centre_u"),
        ({"cameras": [LENS | {"focal": -1.0}]}, MotionError, "focal"),
        ({"cameras": [LENS] * 2}, MotionError, "Each camera"),
        ({"cameras": [LENS] * 17}, MotionError, "at most 16"),
        ({"bones": ["tail"]}, MotionError, "belongs to the body"),
        ({"settings": {"preset": "worst"}}, MotionError, "worst"),
        ({"settings": {"smooth": -1.0}}, MotionError, "Smoothness"),
        ({"settings": {"rounds": 0}}, MotionError, "rounds"),
        ({"settings": {"depth": 1}}, ProtocolError, "depth"),
    ],
)
def test_requests_that_cannot_be(change: dict[str, Any], error: type[Exception], word: str) -> None:
    params, arrays = request_of()
    with pytest.raises(error, match=word):
        TASKS["refine"](params | change, arrays, silent)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"camera": np.zeros((1, 4, 4))}, "mirrored|size"),
        ({"camera": np.tile(np.eye(4), (1, FRAMES - 1, 1, 1))}, "one for each frame"),
        ({"pixels": np.full((1, FRAMES, 17, 2), 1e9)}, "outside"),
        ({"pixels": np.zeros((FRAMES, 17, 2))}, "do not fit"),
        ({"confidence": np.ones((1, FRAMES, 16))}, "Keypoints"),
        ({"pixels": np.zeros((1, 3, 17, 2)), "confidence": np.ones((1, 3, 17))}, "3 frames"),
        ({"sigma": np.full((1, FRAMES, 17), -1.0)}, "Standard deviations"),
    ],
)
def test_arrays_that_cannot_be(change: dict[str, np.ndarray], word: str) -> None:
    params, arrays = request_of()
    with pytest.raises(MotionError, match=word):
        TASKS["refine"](params, arrays | change, silent)
