# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras in every form that they are written in, and what is no camera."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import FileError
from engine.motion.intrinsics import Intrinsics, read

MATRIX = [[900.0, 0, 640.5], [0, 880, 360], [0, 0, 1]]
OPENCV = {"type_id": "opencv-matrix", "rows": 3, "cols": 3, "dt": "d", "data": [900.0, 0, 640.5, 0, 880, 360, 0, 0, 1]}


def saved(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    "content",
    [
        {"fx": 900, "fy": 880, "cx": 640.5, "cy": 360, "width": 1280, "height": 720},
        {"focal": [900, 880], "centre": [640.5, 360], "image_size": [1280, 720]},
        {"focal": [900, 880], "center": [640.5, 360], "resolution": {"width": 1280, "height": 720}},
        {"K": MATRIX, "width": 1280, "height": 720},
        {"mtx": OPENCV["data"], "dist": [[0, 0.0, 0, 0, 0]], "image_size": [1280, 720]},
        {"camera_matrix": MATRIX, "image_width": 1280, "image_height": 720.0},
        {"camera_matrix": OPENCV, "image_width": 1280, "image_height": 720},
        {"camera": {"intrinsics": {"fx": 900, "fy": 880, "cx": 640.5, "cy": 360}, "width": 1280, "height": 720}},
        {"camera": {"K": MATRIX}, "width": 1280, "height": 720, "fx": 3},
    ],
)
def test_one_camera_in_many_forms(tmp_path: Path, content: Any) -> None:
    assert read(saved(tmp_path, content)) == Intrinsics((900, 880), (640.5, 360), (1280, 720), False)


def test_what_may_be_left_out(tmp_path: Path) -> None:
    assert read(saved(tmp_path, {"focal": 1000.0, "centre": [320, 240]})) == Intrinsics((1000, 1000), (320, 240))
    halves = read(saved(tmp_path, {"fx": 1000.0, "width": 641, "height": 480}))
    assert halves == Intrinsics((1000, 1000), (320.5, 240), (641, 480))


@pytest.mark.parametrize("bend", [{"dist_coeffs": [0.1, 0]}, {"distortion_coefficients": {"data": [0, 0, 1e-3]}}])
def test_distortion_is_told(tmp_path: Path, bend: dict) -> None:
    assert read(saved(tmp_path, {"K": MATRIX} | bend)).distorted


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"width": 1280, "height": 720},
        {"fx": 900},
        {"fx": -900, "cx": 1, "cy": 1},
        {"fx": 0, "cx": 1, "cy": 1},
        {"fx": "900", "cx": 1, "cy": 1},
        {"fx": True, "cx": 1, "cy": 1},
        {"fx": float("nan"), "cx": 1, "cy": 1},
        {"fx": 10**400, "cx": 1, "cy": 1},
        {"fx": 1e9, "cx": 1, "cy": 1},
        {"focal": [1, 2, 3], "centre": [1, 2]},
        {"focal": 900, "centre": [1]},
        {"K": []},
        {"K": MATRIX[:2]},
        {"K": [[900, 50, 640], [0, 900, 360], [0, 0, 1]]},
        {"K": [[900, 0, 640], [0, 900, 360], [0, 0, 2]]},
        {"K": [[900, 0, None], [0, 900, 360], [0, 0, 1]]},
        {"K": {"data": "abc"}},
        {"K": {"K": {"K": MATRIX}}},
        {"K": MATRIX, "width": 0, "height": 10},
        {"K": MATRIX, "width": 10.5, "height": 10},
        {"K": MATRIX, "image_size": [10, 1e9]},
    ],
)
def test_what_is_no_camera_is_refused_in_a_sentence(tmp_path: Path, content: Any) -> None:
    with pytest.raises(FileError) as caught:
        read(saved(tmp_path, content))
    assert str(caught.value).endswith(".")


def test_squared_pixels_lie_on_the_same_rays() -> None:
    camera = Intrinsics((900, 700), (640, 360))
    points = np.random.default_rng(0).normal(0, 1, (20, 3)) + np.array([0, 0, 5])
    seen = points[:, :2] / points[:, 2:] * camera.focal + camera.centre
    square = points[:, :2] / points[:, 2:] * 900 + camera.centre
    np.testing.assert_allclose(camera.squared(seen), square)


def test_a_camera_of_images_in_another_size_sees_the_same() -> None:
    camera = Intrinsics((900, 700), (640, 360), (1280, 720))
    points = np.random.default_rng(0).normal(0, 1, (20, 3)) + np.array([0, 0, 5])
    rays = points[:, :2] / points[:, 2:]
    half = camera.resized((640, 360))
    np.testing.assert_allclose(rays * half.focal + half.centre, (rays * camera.focal + camera.centre) / 2)
    assert camera.resized(None) is camera
    with pytest.raises(FileError, match="1280 x 720"):
        camera.resized((720, 1280))
