# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done need not be done again; what is not, or is somebody else's, is told from it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from engine.takes.record import Fingerprint, Record, Records, State, maker
from engine.takes.walk import Take

MAKER = "settings and engine"


@pytest.fixture
def take(tmp_path: Path) -> Take:
    """A take that has been cleaned and is on record."""
    (tmp_path / "out").mkdir()
    take = Take(tmp_path / "a.bvh", tmp_path / "out" / "a.bvh", "a.bvh")
    take.source.write_text("as captured")
    take.target.write_text("as cleaned!")
    record = Record("a.bvh", MAKER, {"frames": 1}, Fingerprint.of(take.source), Fingerprint.of(take.target))
    Records(tmp_path / "out").write(take, record)
    return take


def state(take: Take, made_by: str = MAKER) -> State:
    return Records(take.target.parent).state(take, made_by)[0]


def rewrite(path: Path, text: str, later: bool = True) -> None:
    before = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(before + later, before + later))


def test_done(take: Take) -> None:
    assert state(take) is State.DONE
    rewrite(take.source, "as captured")  # a copy of the same
    rewrite(take.target, "as cleaned!")
    assert state(take) is State.DONE


def test_another_input_of_the_same_size(take: Take) -> None:
    rewrite(take.source, "captured as")
    assert state(take) is State.TODO


def test_other_settings_or_engine(take: Take) -> None:
    assert state(take, "other") is State.TODO


def test_no_output(take: Take) -> None:
    take.target.unlink()
    assert state(take) is State.TODO


@pytest.mark.parametrize("made_by", [MAKER, "other"])
@pytest.mark.parametrize("text", ["as edited!!", "as edited at length"])
def test_what_somebody_has_changed_is_theirs(take: Take, text: str, made_by: str) -> None:
    rewrite(take.target, text)
    assert state(take, made_by) is State.KEPT


def test_a_result_in_place_is_done_until_the_file_changes(take: Take) -> None:
    there = dataclasses.replace(take, source=take.target)
    assert state(there) is State.DONE
    rewrite(there.source, "a new one..")
    assert state(there) is State.TODO


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff" * 100, b"[" * 100_000, b"{}", b" " * 2_000_000])
def test_a_damaged_record_is_none(take: Take, damage: bytes) -> None:
    (path,) = (take.target.parent / ".dposer" / "takes").iterdir()
    path.write_bytes(damage)
    assert state(take) is State.TODO


def test_the_maker_tells_settings_apart() -> None:
    assert maker({"strength": 1.0}) == maker({"strength": 1.0}) != maker({"strength": 0.5})
