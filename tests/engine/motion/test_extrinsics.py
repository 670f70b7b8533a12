# SPDX-License-Identifier: GPL-3.0-or-later
"""Where cameras stand, by OpenCV's convention."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.errors import FileError
from engine.motion.extrinsics import parse, read
from engine.tasks.fit.camera import Camera

TURN = Rotation.from_euler("xyz", [2.9, 0.4, 0.2])
SHIFT = np.array([0.3, 1.2, 4.0])


@pytest.mark.parametrize(
    "content",
    [
        {"rotation": TURN.as_matrix().tolist(), "translation": SHIFT.tolist()},
        {"R": TURN.as_matrix().reshape(-1).tolist(), "t": SHIFT[:, None].tolist(), "fx": 3},
        {"camera": {"rvec": TURN.as_rotvec()[:, None].tolist(), "tvec": SHIFT.tolist(), "up": "Y"}, "t": 5},
    ],
)
def test_a_camera_sees_as_opencv_says(tmp_path: Path, content: dict[str, Any]) -> None:
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(content))
    found = read(path)
    assert found is not None
    world = np.random.default_rng(0).normal(size=(20, 3))
    there = world @ TURN.as_matrix().T + SHIFT
    expected = 900.0 * there[:, :2] / there[:, 2:] + [640.0, 360.0]
    ours = torch.from_numpy(found.turn.inv().apply(world - found.place))
    np.testing.assert_allclose(Camera(900.0, (640.0, 360.0)).project(ours), expected, atol=1e-8)


def test_worlds_whose_z_is_up() -> None:
    content = {"rotation": TURN.as_matrix().tolist(), "translation": SHIFT.tolist()}
    y_up, z_up = parse("a", content), parse("a", content | {"up": "z"})
    assert y_up is not None and z_up is not None
    lift = Rotation.from_rotvec([-np.pi / 2, 0.0, 0.0])
    np.testing.assert_allclose(lift.apply([0.0, 0.0, 1.0]), [0.0, 1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(z_up.place, lift.apply(y_up.place), atol=1e-12)
    np.testing.assert_allclose(z_up.turn.as_matrix(), (lift * y_up.turn).as_matrix(), atol=1e-12)


def test_a_file_may_tell_of_no_place() -> None:
    assert parse("a", {"fx": 900, "t": 0.4}) is None and parse("a", {"camera": {"fx": 900}}) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"rotation": [[1, 0, 0], [0, 1, 0], [0, 0, -1]], "translation": [0, 0, 1]}, "no rotation"),
        ({"rotation": [[2, 0, 0], [0, 1, 0], [0, 0, 1]], "translation": [0, 0, 1]}, "no rotation"),
        ({"rotation": "none", "translation": [0, 0, 1]}, "no rotation"),
        ({"translation": [0, 0, 1]}, "no rotation"),
        ({"rotation": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}, "no translation"),
        ({"rotation": [0, 0, 0], "translation": [0, 0, 4500]}, "metres"),
        ({"rotation": [0, 0, 0], "translation": [0, 0, None]}, "no translation"),
        ({"rotation": [0, 0, 0], "translation": [0, 0, 1], "up": 3}, "up"),
        ({"rotation": [0, 0, 0], "translation": [0, 0, 1], "up": []}, "up"),
    ],
)
def test_what_is_no_place(content: dict[str, Any], words: str) -> None:
    with pytest.raises(FileError, match=words):
        parse("camera.json", content)
