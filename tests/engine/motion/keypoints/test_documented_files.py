# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/keypoints.md shows is read as it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.motion import extrinsics, intrinsics
from engine.motion.keypoints import LAYOUTS, POINTS, read

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "keypoints.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```(json|csv)\n(.*?)```", PAGE, re.S)
PEOPLE = [(ending, text) for ending, text in SHOWN if "left_wrist" in text or "landmarks" in text]
CAMERAS = [text for _, text in SHOWN if ("json", text) not in PEOPLE and ("csv", text) not in PEOPLE]
PLACED = [text for text in CAMERAS if "translation" in text]


def test_nothing_is_left_out() -> None:
    assert (len(PEOPLE), len(CAMERAS), len(PLACED)) == (4, 3, 1)
    assert "h36m_17" in LAYOUTS


@pytest.mark.parametrize(("ending", "text"), PEOPLE)
def test_people(save: Callable[..., Path], ending: str, text: str) -> None:
    people = read(save(text, f"a.{ending}"))
    nose = people.choose().pixels[0, POINTS.index("nose")]
    assert nose.tolist() == ([600, 180] if "left_wrist" in text else pytest.approx([0.51 * 1280, 0.22 * 720]))
    if "Bob" in text:
        assert [track.id for track in people.tracks] == ["Ann", "Bob"]
        assert (people.fps, people.first, people.last) == (30, 0, 3)
        assert people.camera == intrinsics.Intrinsics((1100, 1100), (640, 360), (1280, 720))


@pytest.mark.parametrize("text", CAMERAS)
def test_cameras(save: Callable[..., Path], text: str) -> None:
    size = None if text in PLACED else (1280, 720)  # images of which are as large as the keypoint file says
    assert intrinsics.read(save(text)) == intrinsics.Intrinsics((1100, 1100), (640, 360), size)


@pytest.mark.parametrize("text", PLACED)
def test_cameras_that_stand_somewhere(save: Callable[..., Path], text: str) -> None:
    stands = extrinsics.read(save(text))
    assert stands is not None
    assert stands.place == pytest.approx([0.0, 1.2, 4.0])
    assert stands.turn.magnitude() == pytest.approx(0.0)  # upright, looking along -Z
