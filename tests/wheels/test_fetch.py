# SPDX-License-Identifier: GPL-3.0-or-later
"""Wheels come whole and with the right hash, or not at all; pip is the real one, the registry a folder."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wheels import fetch, lock, pip
from wheels.steps import BuildError
from wheels.targets import ABIS, PLATFORMS, Target

TARGET = Target(PLATFORMS["linux-x64"], ABIS["3.11"])
PYTHON = Path(sys.executable)

MakeWheel = Callable[..., lock.Wheel]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where wheels are fetched to, by a pip that knows the folder ``index`` alone."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return tmp_path / "fetched"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_wheel_is_fetched_once_and_again_when_damaged(
    make_wheel: MakeWheel, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wheel = make_wheel()
    fetch.fetch([wheel], TARGET, PYTHON, folder)
    assert names(folder) == [wheel.file] and fetch.verified(wheel, folder)
    assert "Fetching 1 wheels for linux-x64, Python 3.11" in capfd.readouterr().out

    fetch.fetch([wheel], TARGET, PYTHON, folder)
    assert capfd.readouterr().out == ""

    path = folder / wheel.file
    data = bytearray(path.read_bytes())
    for damaged in (bytes(data[:-1]), bytes(data[:40]) + bytes([data[40] ^ 1]) + bytes(data[41:])):
        path.write_bytes(damaged)
        assert not fetch.verified(wheel, folder)
        fetch.fetch([wheel], TARGET, PYTHON, folder)
        assert fetch.verified(wheel, folder)


def test_another_content_under_the_same_name_is_refused(make_wheel: MakeWheel, folder: Path) -> None:
    wheel = make_wheel()
    make_wheel(**{"probe_more.py": "import os"})  # in its place
    with pytest.raises(BuildError, match=r"could not fetch the wheels for linux-x64, Python 3\.11"):
        fetch.fetch([wheel], TARGET, PYTHON, folder)
    assert names(folder) == []


def test_hashes_are_checked_even_if_pip_did_not(
    make_wheel: MakeWheel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel()

    def careless(python: Path, abi: object, tags: object, target: Path, *_: object) -> object:
        (target / wheel.file).write_bytes(b"something else")
        return subprocess.CompletedProcess([], 0)

    monkeypatch.setattr(pip, "download", careless)
    with pytest.raises(BuildError, match="another content than the lock file's"):
        fetch.fetch([wheel], TARGET, PYTHON, folder)
    assert names(folder) == []


def test_an_interrupted_download_leaves_no_wheel(
    make_wheel: MakeWheel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel()
    whole = (folder.parent / "index" / wheel.file).read_bytes()

    def interrupted(python: Path, abi: object, tags: object, target: Path, *_: object) -> None:
        (target / wheel.file).write_bytes(whole[: len(whole) // 2])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pip, "download", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch.fetch([wheel], TARGET, PYTHON, folder)
    assert names(folder) == []
    fetch.fetch([wheel], TARGET, PYTHON, folder)
    assert fetch.verified(wheel, folder)


def test_a_build_that_is_not_in_the_registry_has_advice(make_wheel: MakeWheel, folder: Path) -> None:
    wheel = dataclasses.replace(make_wheel(), version="1.0+cpu")
    with pytest.raises(BuildError, match=r"probe 1\.0\+cpu comes from PyTorch's own index"):
        fetch.fetch([wheel], TARGET, PYTHON, folder)


def test_a_place_that_takes_no_files_is_a_sentence(make_wheel: MakeWheel, folder: Path) -> None:
    folder.write_text("a file, no folder")
    with pytest.raises(BuildError, match=r"cannot be kept in .*; make room there"):
        fetch.fetch([make_wheel()], TARGET, PYTHON, folder)
