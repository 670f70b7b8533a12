# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files are takes, where they go, and what is refused before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import FileError
from engine.takes.walk import Take, check_cases, find_takes, share


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_clips_at_any_depth_but_no_hidden_ones(tmp_path: Path) -> None:
    names = ("b.bvh", "a.NPZ", "day 2/c.bvh", "notes.txt", "._b.bvh", ".snapshot/b.bvh", "day 2/.c.bvh.12345678.tmp")
    takes = find_takes(touch(tmp_path / "in", *names), tmp_path / "out", overwrite=False)
    assert [take.label for take in takes] == ["a.NPZ", "b.bvh", "day 2/c.bvh"]
    assert takes[2].target == tmp_path / "out" / "day 2" / "c.bvh"
    assert len({take.key for take in takes}) == 3


def test_results_inside_the_folder_are_no_takes(tmp_path: Path) -> None:
    folder = touch(tmp_path / "in", "a.bvh", "out/a.bvh")
    assert [take.label for take in find_takes(folder, folder / "out", False)] == ["a.bvh"]


def test_in_place_must_be_asked_for(tmp_path: Path) -> None:
    folder = touch(tmp_path / "in", "a.bvh")
    with pytest.raises(FileError, match="--overwrite"):
        find_takes(folder, folder, False)
    assert [take.in_place for take in find_takes(folder, folder, True)] == [True]


def test_a_result_never_takes_another_takes_place(tmp_path: Path) -> None:
    folder = touch(tmp_path / "in", "one/a.bvh", "two/a.bvh")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "one").symlink_to(folder / "two")
    with pytest.raises(FileError, match=r"one/a\.bvh would be written over two/a\.bvh"):
        find_takes(folder, tmp_path / "out", overwrite=True)


def test_out_may_not_hold_in(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="name another OUT"):
        find_takes(touch(tmp_path / "in", "a.bvh"), tmp_path, overwrite=True)


def test_two_takes_to_one_file_are_refused(tmp_path: Path) -> None:
    folder = touch(tmp_path / "in", "one/a.bvh", "two/a.bvh")
    (tmp_path / "out" / "one").mkdir(parents=True)
    (tmp_path / "out" / "two").symlink_to(tmp_path / "out" / "one")
    with pytest.raises(FileError, match=r"one/a\.bvh and two/a\.bvh would both be written"):
        find_takes(folder, tmp_path / "out", False)


def test_names_that_differ_in_case_only(tmp_path: Path) -> None:
    """Two where the file system tells them apart; a name in both cases stands in for one that does not."""
    folder = touch(tmp_path / "in", "a.bvh", "A.bvh")
    takes = find_takes(folder, tmp_path / "out", False)
    (tmp_path / "out" / "probe").mkdir(parents=True)
    check_cases(takes, tmp_path / "out" / "probe")
    (tmp_path / "out" / "PROBE").mkdir()
    with pytest.raises(FileError, match="would be one file"):
        check_cases(takes, tmp_path / "out" / "probe")


@given(st.integers(1, 40), st.integers(1, 12))
def test_shares_are_disjoint_and_together_all(takes: int, count: int) -> None:
    every = [Take(Path(str(n)), Path(str(n)), str(n)) for n in range(takes)]
    parts = [share(every, number, count) for number in range(count)]
    assert sorted((take for part in parts for take in part), key=every.index) == every
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
