# SPDX-License-Identifier: GPL-3.0-or-later
"""A clean request over the pipe gives what the task gives, and bad ones are refused by a typed sentence."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from engine import protocol, requests
from engine.errors import EngineError, MotionError, ProtocolError
from engine.motion.motion import Motion
from engine.motion.skeleton import Skeleton
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
    np.testing.assert_array_equal(out["rotations"], expected.motion.rotations)
    np.testing.assert_array_equal(out["translations"], expected.motion.translations)
    np.testing.assert_array_equal(out["rotations_changed"].astype(bool), expected.rotations_changed)
    np.testing.assert_array_equal(out["translations_changed"].astype(bool), expected.translations_changed)
    assert out["rotations_changed"].dtype == np.uint8
    assert result["map"] == {}, "a rig of three bones is no body, and a filter asks for none"
    assert result["report"]["method"] == "butterworth"
    changed = out["rotations_changed"].astype(bool)
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
