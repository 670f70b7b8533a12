# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences broken into lines: nothing is lost, nothing is too wide."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("bpy")

from rigcheck.extension import part

LETTERS = "abcde.,:/  骨架动作姿态ボーンキー、。，"


@given(st.text(LETTERS, max_size=80), st.integers(4, 40))
def test_nothing_is_lost_and_nothing_is_too_wide(text: str, width: int) -> None:
    layout = part("panels.layout")
    lines = layout.lines(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    # Punctuation that must not begin a line may stand outside.
    assert all(layout.columns(line.rstrip("、。，ー")) <= width for line in lines)


def test_words_stay_whole_and_a_path_is_cut() -> None:
    layout = part("panels.layout")
    assert layout.lines("Bones are found automatically", 15) == ["Bones are found", "automatically"]
    assert layout.lines("install in /opt/python/bin/python", 12) == ["install in", "/opt/python/", "bin/python"]
    assert layout.lines("请先选择一个骨架，然后再试", 10) == ["请先选择一", "个骨架，然", "后再试"]
    assert layout.lines("请选择一个骨架，然后再试", 14) == ["请选择一个骨", "架，然后再试"]
    assert layout.lines("", 10) == [""]
