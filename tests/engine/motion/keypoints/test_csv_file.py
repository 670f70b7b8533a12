# SPDX-License-Identifier: GPL-3.0-or-later
"""CSV, wide and long, of people whose points are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import FileError
from engine.motion.keypoints import POINTS, read

Save = Callable[..., Path]

NAMES = ["nose", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_shoulder", "right_shoulder"]
HEADERS: list[tuple[str, str, Callable[[str], str]]] = [
    # delimiter, what confidence is called, how names are written
    (",", "confidence", str),
    (";", "Visibility", str.upper),
    ("\t", "score", lambda name: "".join(word.title() for word in name.split("_"))),
    (",", "likelihood", lambda name: name.replace("left_", "L").replace("right_", "R")),
    (",", "conf", lambda name: "_".join([*name.split("_")[1:], *name.split("_")[:1]])),
]


def check(people: Any, scene: Any, frames: list[int], names: list[str] = NAMES, certain: bool = True) -> None:
    """Both people, "a" and "b", are where the scene has them."""
    for person, who in enumerate("ab"):
        track = next(track for track in people.tracks if track.id == who)
        assert track.frames.tolist() == frames
        expected = np.array([[scene.at(person, frame, name) for name in names] for frame in frames])
        at = [POINTS.index(name) for name in names]
        np.testing.assert_allclose(track.pixels[:, at], expected[..., :2], atol=1e-9)
        np.testing.assert_allclose(track.confidence[:, at], expected[..., 2] if certain else 1.0)
        assert np.count_nonzero(track.confidence) == len(frames) * len(names)


def rows(scene: Any, mark: str, frames: list[int], decimal: str = ".") -> list[str]:
    return [
        mark.join([str(t), "ab"[p], *(repr(v).replace(".", decimal) for v in scene.flat(p, t, NAMES))])
        for t in frames
        for p in (0, 1)
    ]


@pytest.mark.parametrize(("mark", "called", "written"), HEADERS)
@pytest.mark.parametrize("join", ["_", ".", " "])
def test_wide(save: Save, scene: Any, mark: str, called: str, written: Callable[[str], str], join: str) -> None:
    parts = [f"{written(name)}{join}{part}" for name in NAMES for part in ("x", "y", called)]
    lines = [mark.join(["Frame", "Person_ID", *parts]), *rows(scene, mark, [4, 5, 9])]
    people = read(save("\n".join(lines), "a.csv"))
    check(people, scene, [4, 5, 9])
    assert (people.first, people.last) == (4, 9)
    assert len(people.choose("a")) == 6


def test_decimal_commas_comments_empty_lines_and_a_byte_order_mark(save: Save, scene: Any) -> None:
    head = ";".join(["frame", "track", *(f"{name}_{part}" for name in NAMES for part in ("x", "y", "c"))])
    lines = ["\ufeff# of a spreadsheet, by hand", "", head, *rows(scene, ";", [0, 1], ","), ";;", ""]
    check(read(save("\r\n".join(lines), "a.csv")), scene, [0, 1])


def test_long_by_name_in_any_order_of_rows(save: Save, scene: Any) -> None:
    lines = [
        f"{t},{name.upper()},{x!r},{y!r},{c},{'ab'[p]},3.5"
        for t in (2, 3)
        for p in (0, 1)
        for name in NAMES
        for x, y, c in [scene.at(p, t, name)]
    ]
    np.random.default_rng(0).shuffle(lines)
    people = read(save("\n".join(["frame,joint,x,y,visibility,person,sigma", *lines]), "a.csv"))
    check(people, scene, [2, 3])
    sigma = people.tracks[0].sigma
    assert sigma is not None
    assert np.count_nonzero(sigma == 3.5) == 2 * len(NAMES)
    assert np.isnan(sigma[:, POINTS.index("neck")]).all()


@pytest.mark.parametrize(
    "header",
    [
        lambda i: [f"x{i}", f"y{i}", f"z{i}", f"v{i}"],
        lambda i: [f"x{i + 1}", f"y{i + 1}", f"z{i + 1}", f"v{i + 1}"],
        lambda i: [f"landmark_{i}_x", f"landmark_{i}_y", f"landmark_{i}_z", f"landmark_{i}_visibility"],
        lambda i: [f"lm_{i}_x", f"lm_{i}_y", f"lm_{i}_z", f"lm_{i}_vis"],
    ],
)
def test_mediapipe_by_number(save: Save, header: Callable[[int], list[str]]) -> None:
    """Thirty-three numbered landmarks, as shares of an image of 200 x 100; number 16 is the right wrist."""
    columns = ["class", *(cell for i in range(33) for cell in header(i))]
    values = ["walk", *(repr(v) for i in range(33) for v in (i / 40, 0.5 + i / 100, -0.2, 0.9))]
    path = save(",".join(columns) + "\n" + ",".join(values), "a.csv")
    track = read(path, (200, 100)).choose()
    np.testing.assert_allclose(track.pixels[0, POINTS.index("right_wrist")], [200 * 16 / 40, 100 * 0.66])
    np.testing.assert_allclose(track.pixels[0, POINTS.index("left_ankle")], [200 * 27 / 40, 100 * 0.77])
    assert track.confidence.max() == 0.9
    with pytest.raises(FileError, match="add width and height"):
        read(path)


def test_long_by_number(save: Save) -> None:
    lines = [f"{t},{i},{10 * i},{5 * i + t},0.5" for t in range(2) for i in range(33)]
    track = read(save("\n".join(["frame_id,landmark_id,x,y,score", *lines]), "a.csv")).choose()
    assert track.pixels[1, POINTS.index("left_knee")].tolist() == [250.0, 126.0]  # number 25
    path = save("\n".join(["frame,joint_id,x,y", *(f"0,{i},{i},1" for i in range(17))]), "b.csv")
    assert read(path).choose().pixels[0, POINTS.index("right_ankle"), 0] == 16.0
    assert read(path, layout="h36m_17").choose().pixels[0, POINTS.index("head_top"), 0] == 10.0


def test_cells_that_are_empty_or_nan_are_not_seen(save: Save) -> None:
    path = save("nose_x,nose_y,neck_x,neck_y\n1,2,,\n3,nan,5,6\n,,,\n", "a.csv")
    people = read(path)
    track = people.choose()
    nose, neck = POINTS.index("nose"), POINTS.index("neck")
    assert track.confidence[:, [nose, neck]].tolist() == [[1, 0], [0, 1]]
    assert track.pixels[:, [nose, neck]].tolist() == [[[1, 2], [0, 0]], [[0, 0], [5, 6]]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b,c\n1,2,3\n", "no columns of points"),
        ("frame,tail_x,tail_y\n1,2,3\n", "no columns of points"),
        ("nose_x,nose_confidence\n1,2\n", "no columns of points"),
        ("nose_x,nose_y,nose_x\n1,2,3\n", "two columns"),
        ("x0,y0,x1,y1\n1,2,3,4\n", "numbers 2 points"),
        ("frame,nose_x,nose_y\n1.5,2,3\n", "whole number"),
        ("frame,nose_x,nose_y\n,2,3\n", "whole number"),
        ("frame,nose_x,nose_y\n1,two,3\n", "two where a number belongs"),
        ("frame,nose_x,nose_y\n1,2,inf\n", "finite|no frames|Nobody"),
        ("frame,nose_x,nose_y,nose_c\n1,2,3,-1\n", "negative confidence"),
        ("frame,nose_x,nose_y,nose_sigma\n1,2,3,0\n", "deviation"),
        ("joint,x,y\nnose,1,2\n", "no column frame"),
        ("frame,joint,x,y\n0,tail,1,2\n", "names a keypoint tail"),
        ("frame,joint,x,y\n0,nose,1,2\n0,nose,3,4\n", "twice"),
        ("frame,joint,x,y\n0,neck,1,2\n0,thorax,3,4\n", "in two ways"),
        ("frame,joint,x,y\n0,400,1,2\n", "no layout"),
        ("frame,nose_x,nose_y\n", "no frames"),
        ("frame,nose_x,nose_y\n0,1,2\n200000,1,2\n", "from 0 to 200000"),
        ("nose_x,nose_y\n2000000,1\n", "pixels away"),
        ("x" * 200_000 + ",nose_x\n1,2", "no CSV file|no columns"),
        (",".join(["a"] * 6000) + "\n", "5000 columns"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(save: Save, text: str, says: str) -> None:
    with pytest.raises(FileError, match=says) as caught:
        read(save(text, "a.csv")).choose()
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) < 1000


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"frame,nose_x,nose_y\n1,2,\xff\xfe\n")
    with pytest.raises(FileError, match="UTF-8"):
        read(path)


CELL = st.sampled_from(["frame", "person", "joint", "x", "y", "c", "nose", "nose_x", "nose_y", "neck_sigma", "1", "2"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(CELL | st.text(max_size=5), max_size=7), max_size=5), st.sampled_from(",;\t|"))
def test_any_text_is_read_or_refused_in_a_sentence(save: Save, table: list[list[str]], mark: str) -> None:
    path = save("\n".join(mark.join(row) for row in table).encode("utf-8", "replace").decode(), "a.csv")
    try:
        for track in read(path).tracks:
            assert np.isfinite(track.pixels).all()
            assert ((track.confidence >= 0) & (track.confidence <= 1)).all()
    except FileError as error:
        assert str(error).endswith(".")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.floats(-1e5, 1e5), st.floats(-1e5, 1e5), st.floats(0.01, 1.0)),
        min_size=1, max_size=8, unique_by=lambda row: row[0],
    )
)  # fmt: skip
def test_numbers_come_back_as_they_were_written(save: Save, table: list[tuple[int, float, float, float]]) -> None:
    """One person's nose and wrist far from it, so that nothing looks like shares of an image."""
    lines = [f"{t},{x!r},{y!r},{c!r},{x + 50!r},{y!r},{c!r}" for t, x, y, c in table]
    head = "frame,nose_x,nose_y,nose_confidence,left_wrist_x,left_wrist_y,left_wrist_confidence"
    track = read(save("\n".join([head, *lines]), "a.csv")).tracks[0]
    at = POINTS.index("nose")
    for t, x, y, c in table:
        row = track.frames.tolist().index(t)
        assert [*track.pixels[row, at], track.confidence[row, at]] == [x, y, c]
