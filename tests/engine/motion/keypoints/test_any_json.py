# SPDX-License-Identifier: GPL-3.0-or-later
"""2D keypoint files of every layout, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import FileError
from engine.motion.keypoints import MARKS, Track, read


def _write(folder: Path, content: object, name: str = "a.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def _at(track: Track, mark: str) -> list[float]:
    return [*track.pixels[0, MARKS.index(mark)], track.confidence[0, MARKS.index(mark)]]


def test_openpose_takes_the_most_confident_person(tmp_path: Path) -> None:
    strong = [v for i in range(25) for v in (10.0 * i, 5.0 * i, 0.9)]
    weak = [v for i in range(25) for v in (1.0, 1.0, 0.1)]
    path = _write(tmp_path, {"people": [{"pose_keypoints_2d": weak}, {"pose_keypoints_2d": strong}]})
    found = read(path).choose()
    assert _at(found, "nose") == [0.0, 0.0, 0.9]
    assert _at(found, "right_wrist") == [40.0, 20.0, 0.9]  # number 4 of BODY_25
    assert _at(found, "left_ankle") == [140.0, 70.0, 0.9]  # number 14
    assert _at(found, "head") == [0.0, 0.0, 0.0]


def test_an_image_without_people_is_a_frame_without_keypoints(tmp_path: Path) -> None:
    found = read(_write(tmp_path, {"people": []}))
    assert (found.first, found.last, found.tracks) == (0, 0, ())
    with pytest.raises(FileError, match="Nobody is seen"):
        found.choose()


def test_coco_frames_are_read_in_order(tmp_path: Path) -> None:
    frames = [{"keypoints": [v for i in range(17) for v in (i + 100.0 * t, i, 2)]} for t in range(3)]
    found = read(_write(tmp_path, frames)).choose()
    assert found.pixels[:, MARKS.index("left_wrist"), 0].tolist() == [9.0, 109.0, 209.0]  # number 9 of COCO
    assert found.confidence.max() == 1.0


def test_named_keypoints_and_folders(tmp_path: Path) -> None:
    for t in range(2):
        _write(tmp_path, {"left_knee": [t, 2.0], "neck": [3.0, 4.0, 0.5]}, f"{t:03}.json")
    found = read(tmp_path).choose()
    assert found.pixels[:, MARKS.index("left_knee"), 0].tolist() == [0.0, 1.0]
    assert _at(found, "neck") == [3.0, 4.0, 0.5]


@pytest.mark.parametrize(
    "content",
    [
        {"tail": [1, 2]},
        {"neck": [1]},
        {"neck": ["a", 2]},
        {"neck": [1, 2, -1]},
        {"neck": [1, 10**400]},
        {"keypoints": [1, 2, 3]},
        {"people": [3]},
        [],
        [5],
        "text",
    ],
)
def test_what_is_no_keypoint_file_is_refused_in_a_sentence(tmp_path: Path, content: object) -> None:
    with pytest.raises(FileError):
        read(_write(tmp_path, content))


def test_nan_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError):
        read(tmp_path)
    path = tmp_path / "a.json"
    path.write_text('{"neck": [NaN, 1.0]}')
    with pytest.raises(FileError):
        read(path)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(st.none() | st.floats() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c))
)
def test_any_json_is_read_or_refused_in_a_sentence(tmp_path: Path, content: object) -> None:
    path = _write(tmp_path, content)
    try:
        assert all(np.isfinite(track.pixels).all() for track in read(path).tracks)
    except FileError as error:
        assert str(error).endswith(".")


def test_the_most_certain_person_of_each_image_is_taken(tmp_path: Path) -> None:
    def person(image: int, place: float, score: float) -> dict:
        return {"image_id": image, "keypoints": [place, place, 2.0] * 17, "score": score}

    source = tmp_path / "coco.json"
    source.write_text(json.dumps([person(7, 1.0, 0.2), person(7, 2.0, 0.9), person(8, 3.0, 0.5)]))
    found = read(source).choose()
    wrist = found.pixels[:, MARKS.index("left_wrist"), 0]
    np.testing.assert_array_equal(wrist, [2.0, 3.0])
    source.write_text(json.dumps({"images": [], "annotations": [person(7, 1.0, 0.2)]}))
    assert len(read(source).choose()) == 1
