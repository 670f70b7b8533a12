# SPDX-License-Identifier: GPL-3.0-or-later
"""Human3.6M's cameras in both files that hold them, made here from the same numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joint_set_files import SUBJECTS, camera_numbers, json_of_cameras, xml_of_cameras

from engine.errors import FileError
from engine.training.joint_sets import human36m_cameras as cameras


def test_both_files_have_the_same_cameras(tmp_path: Path) -> None:
    places, lenses = camera_numbers(0)
    by_xml = cameras.read(xml_of_cameras(tmp_path / "metadata.xml", places, lenses))
    by_json = cameras.read(json_of_cameras(tmp_path / "camera-parameters.json", places, lenses))
    assert set(by_xml) == set(by_json) == {(f"S{n}", name) for n in range(1, 12) for name in cameras.SIZES}
    for key, one in by_xml.items():
        other = by_json[key]
        np.testing.assert_allclose(one.rotation, other.rotation, atol=1e-12)
        np.testing.assert_allclose(one.shift, other.shift, atol=1e-12)
        assert one.lens == other.lens


def test_a_camera_sees_itself_at_the_origin_and_the_room_before_it(tmp_path: Path) -> None:
    """Those made here stand 5 m from the room's middle, look at it, and have its Z upright in their image."""
    places, lenses = camera_numbers(1)
    found = cameras.read(xml_of_cameras(tmp_path / "metadata.xml", places, lenses))
    for row, name in enumerate(cameras.SIZES):
        for number, subject in enumerate(SUBJECTS):
            camera, stands = found[subject, name], places[row, number, 3:] / 1000.0
            np.testing.assert_allclose(camera.sees(stands), 0.0, atol=1e-12)
            middle, above = camera.sees(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
            assert middle[2] > 5.0 and np.abs(middle[:2]).max() < 0.5
            assert above[1] < middle[1] - 0.9 and abs(above[0] - middle[0]) < 0.01


def test_a_lens_is_that_of_the_files_numbers(tmp_path: Path) -> None:
    """On the axis, at the principal point; without distortion, by the focal length; and the formula, written out."""
    places, lenses = camera_numbers(2)
    lens = cameras.read(xml_of_cameras(tmp_path / "metadata.xml", places, lenses))["S1", "54138969"].lens
    fx, fy, u, v, k1, k2, k3, p1, p2 = lenses[0]
    np.testing.assert_allclose(lens.project(np.array([0.0, 0.0, -3.0])), [u, v])
    x, y = 0.3, -0.2
    r2 = x * x + y * y
    bend = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + p1 * y + p2 * x
    expected = [fx * (x * bend + p2 * r2) + u, fy * (y * bend + p1 * r2) + v]
    np.testing.assert_allclose(lens.project(np.array([2 * x, -2 * y, -2.0])), expected)


def changed(content: Any, *path: str, to: Any) -> Any:
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return content


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (("intrinsics", "54138969", "calibration_matrix"), [[1, 2], [3, 4]]),
        (("intrinsics", "54138969", "distortion"), [0, 0, 0, 0]),
        (("intrinsics", "54138969", "calibration_matrix"), [[-1100, 0, 500], [0, 1100, 500], [0, 0, 1]]),
        (("intrinsics", "54138969"), None),
        (("extrinsics", "S9", "60457274", "R"), [[1, 0, 0], [0, 1, 0], [0, 0, -1]]),
        (("extrinsics", "S9", "60457274", "R"), [[2, 0, 0], [0, 1, 0], [0, 0, 1]]),
        (("extrinsics", "S9", "60457274", "t"), [[1.0], [float("nan")], [0.0]]),
        (("extrinsics", "S9", "60457274", "t"), [["x"], [0.0], [0.0]]),
        (("extrinsics",), []),
    ],
)
def test_what_is_no_camera_is_refused(tmp_path: Path, path: tuple[str, ...], to: Any) -> None:
    file = json_of_cameras(tmp_path / "camera-parameters.json", *camera_numbers(0))
    file.write_text(json.dumps(changed(json.loads(file.read_text()), *path, to=to)))
    with pytest.raises(FileError, match=r"^camera-parameters\.json .*; name metadata\.xml .*\.$"):
        cameras.read(file)


@pytest.mark.parametrize("content", ["<w0>[1 2 3]</w0>", "<w0>[a b]</w0>", "<metadata/>", "<w0>[" + "1 " * 300])
def test_other_xml_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "metadata.xml").write_text(content)
    with pytest.raises(FileError, match=r"^metadata\.xml "):
        cameras.read(tmp_path / "metadata.xml")
