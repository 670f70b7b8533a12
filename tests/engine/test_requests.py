# SPDX-License-Identifier: GPL-3.0-or-later
"""A clean request over the pipe gives what the task gives, and bad ones are refused by a typed sentence."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine import protocol, requests
from engine.errors import EngineError, MotionError, ProtocolError
from engine.motion.joints import JOINTS, PARENTS
from engine.motion.motion import Motion
from engine.motion.rig_joints import joint_places
from engine.motion.rigs import find_map
from engine.motion.skeleton import Skeleton
from engine.motion.tpose import OFFSETS
from engine.requests.rig import motion_of
from engine.tasks.clean import CleanSettings, clean

FRAMES = 50
NAMES = ("root", "mid", "tip")


def make_request() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    rotations = np.array([1.0, 0, 0, 0]) + rng.normal(0, 0.05, (FRAMES, 3, 4))
    params = {
        "fps": 24.0,
        "names": list(NAMES),
        "scale": 0.01,
        "settings": {"method": "gaussian"},
        "bone_map": None,
    }
    return params, {
        "parents": np.array([-1, 0, 1], "int32"),
        "rest": np.tile(np.eye(4), (3, 1, 1)),
        "tails": np.full((3, 3), np.nan),
        "rotations": rotations / np.linalg.norm(rotations, axis=-1, keepdims=True),
        "translations": rng.normal(0, 0.1, (FRAMES, 3, 3)),
    }


def over_the_pipe(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    stream = io.BytesIO()
    protocol.write_frame(stream, header, arrays)
    stream.seek(0)
    return protocol.read_frame(stream)


def silent(done: int, total: int, stage: str) -> None:
    assert 0 <= done <= total and stage


def test_the_pipe_and_the_task_agree() -> None:
    params, arrays = make_request()
    params["settings"] = {
        "method": "butterworth", "strength": 1.5, "frames": [5, 40], "lock_frames": [7, 8],
        "bones": ["mid", "tip"], "seed": 1, "device": "cpu",
    }  # fmt: skip
    result, out = over_the_pipe(*requests.clean(*over_the_pipe(params, arrays), silent))
    skeleton = Skeleton(NAMES, (-1, 0, 1), arrays["rest"], arrays["tails"], 0.01)
    settings = CleanSettings("butterworth", 1.5, (5, 40), (7, 8), ("mid", "tip"), 1, "cpu")
    expected = clean(Motion(skeleton, arrays["rotations"], arrays["translations"], 24.0), settings)
    np.testing.assert_array_equal(out["rotations"][0], expected.motion.rotations)
    np.testing.assert_array_equal(out["translations"][0], expected.motion.translations)
    np.testing.assert_array_equal(out["rotations_changed"][0].astype(bool), expected.rotations_changed)
    np.testing.assert_array_equal(out["translations_changed"][0].astype(bool), expected.translations_changed)
    assert out["rotations_changed"].dtype == np.uint8
    assert result["map"] == {}, "a rig of three bones is no body, and a filter asks for none"
    assert result["report"]["method"] == "butterworth"
    changed = out["rotations_changed"][0].astype(bool)
    assert changed[5:7, 1:].any() and not changed[:5].any() and not changed[40:].any()
    assert not changed[:, 0].any() and not changed[7:9].any()


@pytest.mark.parametrize("name", ["fps", "names", "scale"])
def test_a_missing_parameter_is_named(name: str) -> None:
    params, arrays = make_request()
    del params[name]
    with pytest.raises(ProtocolError, match=name):
        requests.clean(params, arrays, silent)


@pytest.mark.parametrize("name", ["parents", "rest", "tails", "rotations", "translations"])
def test_a_missing_array_is_named(name: str) -> None:
    params, arrays = make_request()
    del arrays[name]
    with pytest.raises(ProtocolError, match=name):
        requests.clean(params, arrays, silent)


def test_an_unknown_setting_is_named() -> None:
    params, arrays = make_request()
    params["settings"]["magic"] = 1
    with pytest.raises(ProtocolError, match="magic"):
        requests.clean(params, arrays, silent)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("rotations", np.zeros((0, 3, 4))),
        ("rotations", np.zeros((FRAMES, 2, 4))),
        ("rotations", np.zeros(())),
        ("rotations", np.full((FRAMES, 3, 4), np.nan)),
        ("translations", np.full((FRAMES, 3, 3), np.inf)),
        ("translations", np.zeros((FRAMES, 9))),
        ("parents", np.array([0, 1, 2])),
        ("parents", np.array([[-1, 0, 1]])),
        ("rest", np.zeros((3, 3, 3))),
        ("tails", np.zeros((2, 3))),
    ],
)
def test_arrays_that_make_no_animation(name: str, array: np.ndarray) -> None:
    params, arrays = make_request()
    arrays[name] = array
    with pytest.raises(MotionError) as caught:
        requests.clean(params, arrays, silent)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize("fps", [0, -24, 960])
def test_frame_rates(fps: float) -> None:
    params, arrays = make_request()
    params["fps"] = fps
    if fps > 0:
        requests.clean(params, arrays, silent)
    else:
        with pytest.raises(EngineError, match="frame rate"):
            requests.clean(params, arrays, silent)


HUMAN_BONES = {
    "pelvis": "hips", "spine1": "spine", "spine2": "chest", "spine3": "upperChest", "neck": "neck", "head": "head",
    **{f"{side}_{joint}": f"{side}{bone}" for side in ("left", "right") for joint, bone in {
        "hip": "UpperLeg", "knee": "LowerLeg", "ankle": "Foot", "foot": "Toes",
        "collar": "Shoulder", "shoulder": "UpperArm", "elbow": "LowerArm", "wrist": "Hand"}.items()},
}  # fmt: skip


def make_body(names: tuple[str, ...] = JOINTS) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The body's own skeleton under other bone names, with noise for an animation."""
    params = make_request()[0]
    heads = np.array(OFFSETS, float)
    for j, parent in enumerate(PARENTS[1:], start=1):
        heads[j] += heads[parent]
    rest = np.tile(np.eye(4), (22, 1, 1))
    rest[:, :3, 3] = heads
    rng = np.random.default_rng(1)
    rotations = np.array([1.0, 0, 0, 0]) + rng.normal(0, 0.05, (FRAMES, 22, 4))
    params |= {"names": list(names), "scale": 1.0}
    return params, {
        "parents": np.array(PARENTS, "int32"),
        "rest": rest,
        "tails": np.full((22, 3), np.nan),
        "rotations": rotations / np.linalg.norm(rotations, axis=-1, keepdims=True),
        "translations": rng.normal(0, 0.01, (FRAMES, 22, 3)),
    }


def test_a_map_is_found_by_convention() -> None:
    params, arrays = make_body()
    result, out = over_the_pipe(*requests.map_bones(*over_the_pipe(params, arrays), silent))
    assert not out and result["problem"] == "" and result["map"] == result["found"]
    found = result["found"]
    assert found["name"] == "smpl" and found["confidence"] == 1.0 and found["reasons"]
    assert found["bones"] == {joint: [joint] for joint in JOINTS}
    assert found["switches"] == [] and found["follows"] == {}


def test_a_map_takes_what_was_mapped_by_hand() -> None:
    names = tuple("neck 2" if name == "left_collar" else name for name in JOINTS)
    params, arrays = make_body(names)
    params["bone_map"] = {"left_collar": "neck 2", "right_wrist": ""}
    result, _ = requests.map_bones(params, arrays, silent)
    assert "left_collar" not in result["found"]["bones"] and "right_wrist" in result["found"]["bones"]
    assert result["map"]["bones"]["left_collar"] == ["neck 2"] and "right_wrist" not in result["map"]["bones"]


@pytest.mark.parametrize(
    ("bone_map", "said"),
    [
        ({"left_elbow": "gone"}, "gone"),
        ({"left_elbow": "left_wrist", "left_wrist": "left_wrist"}, "two joints"),
        ({"left_elbow": "right_foot"}, "not below"),
        ({"left_knee": ""}, "left_knee"),
        ({"tail": "head"}, "tail"),
    ],
)
def test_a_map_by_hand_that_does_not_fit_is_told(bone_map: dict[str, str], said: str) -> None:
    params, arrays = make_body()
    result, _ = requests.map_bones(params | {"bone_map": bone_map}, arrays, silent)
    assert result["map"] is None and result["found"]["name"] == "smpl"
    assert said in result["problem"] and result["problem"].endswith(".") and "\n" not in result["problem"]


def test_a_rig_that_is_no_body_has_no_map() -> None:
    result, _ = requests.map_bones(*make_request(), silent)
    assert result["found"] is None and result["map"] is None and result["problem"].endswith(".")


def test_vrm_names_find_bones_whose_own_names_say_nothing() -> None:
    names = tuple(f"b{j}" for j in range(22))
    params, arrays = make_body(names)
    assert requests.map_bones(params, arrays, silent)[0]["found"]["name"] == "structure"
    params["human_bones"] = {HUMAN_BONES[joint]: name for joint, name in zip(JOINTS, names, strict=True)}
    found = requests.map_bones(params, arrays, silent)[0]["found"]
    assert found["name"] == "vrm" and found["confidence"] == 1.0
    assert {joint: bones[0] for joint, bones in found["bones"].items()} == dict(zip(JOINTS, names, strict=True))
    result, _ = requests.clean(params, arrays, silent)
    assert result["map"] == dict(zip(JOINTS, names, strict=True))


@pytest.mark.parametrize("key", ["bone_map", "human_bones"])
def test_a_chosen_joint_is_cleaned_by_the_bone_that_is_given(key: str) -> None:
    """Two bones of nonsense names in the wrong order of the structure, which only the given table tells apart."""
    names = tuple(f"b{j}" for j in range(22))
    params, arrays = make_body(names)
    swapped = list(JOINTS)
    for left in (joint for joint in JOINTS if joint.startswith("left_")):
        right = left.replace("left_", "right_")
        i, j = JOINTS.index(left), JOINTS.index(right)
        swapped[i], swapped[j] = right, left  # the character looks backwards
    given = dict(zip(swapped, names, strict=True))
    params["settings"] = {"method": "gaussian", "bones": ["left_elbow"]}
    params[key] = given if key == "bone_map" else {HUMAN_BONES[joint]: bone for joint, bone in given.items()}
    _, out = requests.clean(params, arrays, silent)
    changed = out["rotations_changed"][0].any(axis=0)
    assert [name for name, bit in zip(names, changed, strict=True) if bit] == [f"b{JOINTS.index('right_elbow')}"]


@pytest.mark.parametrize("key", ["bone_map", "human_bones"])
@pytest.mark.parametrize("table", [[], "x", {"pelvis": 3}])
def test_a_table_of_names_that_is_none_is_refused(key: str, table: Any) -> None:
    params, arrays = make_body()
    for request in (requests.clean, requests.map_bones):
        with pytest.raises(ProtocolError, match=key):
            request(params | {key: table}, arrays, silent)


@pytest.mark.parametrize("name", ["names", "scale", "parents", "rest", "tails"])
def test_what_a_map_request_lacks_is_named(name: str) -> None:
    params, arrays = make_body()
    (params if name in params else arrays).pop(name)
    with pytest.raises(ProtocolError, match=name):
        requests.map_bones(params, arrays, silent)


def test_targets_lead_bones_of_a_rig() -> None:
    params, arrays = make_body()
    rows = {"rotations": arrays["rotations"][:8], "translations": 0.0 * arrays["translations"][:8]}
    arrays = arrays | rows
    motion = motion_of(params, arrays)
    rig_map = find_map(motion.skeleton)
    before = joint_places(motion, rig_map, ["left_wrist", "head"]) / motion.skeleton.scale
    places = before + np.array([[-0.05, 0.1, 0.15], [np.nan, 0.0, 0.0]])
    params |= {"targets": ["left_wrist", "head"], "frames": [0, 8], "settings": {"keep": 1.0, "blend": 0.0}}
    result, out = over_the_pipe(*requests.targets(*over_the_pipe(params, arrays | {"places": places}), silent))
    assert result["missed"]["head"] is None and result["missed"]["left_wrist"] < 1e-3
    assert result["joints"] == 22 and result["bones"]["left_wrist"] == ["left_wrist"]
    edited = replace(motion, rotations=out["rotations"][0], translations=out["translations"][0])
    found = joint_places(edited, rig_map, ["left_wrist"])[:, 0] / motion.skeleton.scale
    assert np.linalg.norm(found - places[:, 0], axis=-1).max() < 1e-3
    assert not out["rotations_changed"][0][:, [JOINTS.index("left_knee"), JOINTS.index("right_elbow")]].any()
    params["settings"] = {"haste": 1}
    with pytest.raises(ProtocolError, match="haste"):
        requests.targets(params, arrays | {"places": places}, silent)
    params |= {"settings": {}, "targets": ["tail"]}
    with pytest.raises(MotionError, match="tail"):
        requests.targets(params, arrays | {"places": places[:, :1]}, silent)
