# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests ``keypoints`` and ``lift`` over the pipe: a rig that does what a picture shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from seen_person import CAMERA, FPS, Knowing, person

from engine.body import posed
from engine.errors import FileError, MotionError, ProtocolError
from engine.motion.body_clip import body_rig
from engine.motion.joints import JOINTS
from engine.motion.motion import Motion
from engine.motion.retarget import to_body
from engine.motion.rigs import find_map
from engine.motion.skeleton import Skeleton
from engine.requests import TASKS
from engine.tasks.lift import animation
from rigcheck.conventions import CONVENTIONS
from rigcheck.people import person as rig_person

FRAMES = 20
SOMEONE = person(FRAMES, seed=6)
JUDGED = [
    JOINTS.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("knee", "ankle", "elbow", "wrist")
]


@pytest.fixture(autouse=True)
def _knowing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animation, "load_lifter", lambda prior, steps, seed, device: Knowing(SOMEONE, 0.01))


def silent(done: int, total: int, stage: str) -> None:
    assert 0 <= done <= total and stage


def request_of(skeleton: Skeleton, **settings: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    params = {
        "fps": FPS, "names": list(skeleton.names), "scale": skeleton.scale, "bone_map": None, "focal": CAMERA.focal,
        "centre_u": CAMERA.centre[0], "centre_v": CAMERA.centre[1],
        "settings": {"hypotheses": 3, "device": "cpu"} | settings,
    }  # fmt: skip
    rotations = np.zeros((1, len(skeleton), 4))
    rotations[..., 0] = 1.0
    return params, {
        "parents": np.array(skeleton.parents, "int32"), "rest": skeleton.rest, "tails": skeleton.tails,
        "rotations": rotations, "translations": np.zeros((1, len(skeleton), 3)),
        "pixels": SOMEONE.pixels, "confidence": np.ones((FRAMES, 17)), "sigma": np.full((FRAMES, 17), 2.0),
    }  # fmt: skip


def answered(skeleton: Skeleton, out: dict[str, np.ndarray], variant: int = 0) -> Motion:
    return Motion(skeleton, out["rotations"][variant], out["translations"][variant], FPS)


def test_a_rig_of_the_person_s_size_stands_where_the_camera_sees_it() -> None:
    skeleton = body_rig(SOMEONE.motion).skeleton
    params, arrays = request_of(skeleton, keep=2)
    answer, out = TASKS["lift"](params, arrays | {"camera": np.eye(4)}, silent)
    assert out["rotations"].shape == (2, FRAMES, 22, 4) and out["confidence"].shape == (FRAMES, 22)
    assert len(answer["errors"]) == 2 and answer["errors"][0] < 4.0 and answer["pitch"] is None
    assert out["rotations_changed"].all(axis=(0, 1)).any()
    joints = posed(to_body(answered(skeleton, out), find_map(skeleton)))[0]
    pixels = CAMERA.project(torch.from_numpy(joints[:, JUDGED])).numpy()
    truth = CAMERA.project(torch.from_numpy(posed(SOMEONE.motion)[0][:, JUDGED])).numpy()
    assert np.linalg.norm(pixels - truth, axis=-1).mean() < 12.0


def test_the_camera_s_place_moves_the_rig_with_it() -> None:
    skeleton = body_rig(SOMEONE.motion).skeleton
    params, arrays = request_of(skeleton)
    turn, place = Rotation.from_euler("yx", [0.8, -0.2]).as_matrix(), np.array([1.0, 2.0, -3.0])
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = 0.5 * turn, place  # a scaled camera sees the same
    still, moved = (
        answered(skeleton, TASKS["lift"](params, arrays | {"camera": view}, silent)[1]) for view in (np.eye(4), matrix)
    )
    still, moved = (posed(to_body(motion, find_map(skeleton)))[0] for motion in (still, moved))
    np.testing.assert_allclose(moved, still @ turn.T + place, atol=2e-3)


def test_a_camera_that_moves_takes_the_rig_with_it() -> None:
    skeleton = body_rig(SOMEONE.motion).skeleton
    params, arrays = request_of(skeleton)
    turns = Rotation.from_euler("y", np.linspace(0.0, 1.0, FRAMES)).as_matrix()
    places = np.linspace([0.0, 0.0, 0.0], [1.0, 2.0, -3.0], FRAMES)
    views = np.tile(np.eye(4), (FRAMES, 1, 1))
    views[:, :3, :3], views[:, :3, 3] = turns, places
    still, moved = (
        answered(skeleton, TASKS["lift"](params, arrays | {"camera": view}, silent)[1]) for view in (np.eye(4), views)
    )
    still, moved = (posed(to_body(motion, find_map(skeleton)))[0] for motion in (still, moved))
    np.testing.assert_allclose(moved, still @ turns.transpose(0, 2, 1) + places[:, None], atol=2e-3)
    with pytest.raises(MotionError, match="one for each frame"):
        TASKS["lift"](params, arrays | {"camera": views[1:]}, silent)


@pytest.mark.parametrize("convention", ["mixamo", "rigify_deform"])
def test_other_rigs_bend_as_the_person_does(convention: str) -> None:
    skeleton = rig_person(convention, CONVENTIONS[convention]).skeleton
    params, arrays = request_of(skeleton)
    _, out = TASKS["lift"](params, arrays, silent)
    found = to_body(answered(skeleton, out), find_map(skeleton))
    bend = [np.linalg.norm(motion.poses[:, JOINTS.index("left_knee")], axis=-1) for motion in (found, SOMEONE.motion)]
    assert np.corrcoef(bend)[0, 1] > 0.9
    assert out["translations_changed"].any()


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"camera": np.zeros((4, 4))}, MotionError, "mirrored|size"),
        ({"camera": np.diag([-1.0, 1, 1, 1])}, MotionError, "mirrored"),
        ({"camera": np.full((4, 4), np.nan)}, MotionError, "place"),
        ({"pixels": np.full((FRAMES, 17, 2), 1e9)}, MotionError, "outside"),
        ({"confidence": np.ones((FRAMES, 16))}, MotionError, "Keypoints"),
        ({"confidence": np.zeros((FRAMES, 17))}, MotionError, "No frame"),
    ],
)
def test_arrays_that_cannot_be(change: dict[str, np.ndarray], error: type[Exception], word: str) -> None:
    params, arrays = request_of(body_rig(SOMEONE.motion).skeleton)
    with pytest.raises(error, match=word):
        TASKS["lift"](params, arrays | change, silent)


@pytest.mark.parametrize("key", ["focal", "centre_u"])
def test_a_camera_lacks_nothing(key: str) -> None:
    params, arrays = request_of(body_rig(SOMEONE.motion).skeleton)
    del params[key]
    with pytest.raises(ProtocolError, match=key):
        TASKS["lift"](params, arrays, silent)


def test_a_file_tells_who_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "two.json"
    points = {"left_hip": [10, 20, 0.9, 2.0], "right_hip": [30, 20, 0.8], "nose": [20, 5]}
    frames = [{"frame": t, "person": "Ann"} | points for t in (3, 4, 6)]
    frames.append({"frame": 4, "person": "Bob", "nose": [90, 9]})
    view = {"fx": 900, "fy": 900, "cx": 50, "cy": 40, "width": 100, "height": 80}
    path.write_text(json.dumps({"fps": 24, "camera": view, "frames": frames}))
    answer, out = TASKS["keypoints"]({"path": str(path)}, {}, silent)
    assert [one["id"] for one in answer["people"]] == ["Ann", "Bob"] and answer["person"] == "Ann"
    assert answer["people"][0] == {"id": "Ann", "first": 3, "last": 6, "frames": 3, "confidence": pytest.approx(0.9)}
    assert (answer["first"], answer["fps"], answer["size"]) == (3, 24.0, [100, 80])
    assert answer["camera"] == {"focal": [900.0, 900.0], "centre": [50.0, 40.0]}
    assert out["pixels"].shape == (4, 17, 2)
    np.testing.assert_array_equal(out["pixels"][0, 0], [20.0, 20.0])  # the middle of the hips
    assert out["confidence"][2].max() == 0.0 and "sigma" in out
    _, bob = TASKS["keypoints"]({"path": str(path), "person": "Bob"}, {}, silent)
    assert (bob["confidence"].max(axis=1) > 0).tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"path": 3}, ProtocolError), ({}, ProtocolError), ({"path": "gone.json"}, FileError),
        ({"path": "a\0b"}, FileError), ({"path": ".", "size": [1]}, ProtocolError),
        ({"path": ".", "person": 3}, ProtocolError),
    ],
)  # fmt: skip
def test_files_that_cannot_be(params: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        TASKS["keypoints"](params, {}, silent)
