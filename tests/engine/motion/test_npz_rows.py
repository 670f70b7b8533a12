# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays of archives some rows at a time: as NumPy reads them, or refused."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import FileError
from engine.motion import files, npz, npz_rows


def everything(path: Path, key: str = "a", at_once: int = 3) -> np.ndarray:
    with npz_rows.opened(path) as archive:
        blocks = list(archive.rows(key).blocks(at_once))
    assert [first for first, _ in blocks] == list(range(0, sum(len(block) for _, block in blocks), at_once))
    return np.concatenate([block for _, block in blocks])


@settings(max_examples=30, deadline=None)
@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=4), dtype=st.sampled_from(["<f8", ">f4", "f2", "u1", "i4"]),
    packed=st.booleans(), at_once=st.integers(1, 12),
)  # fmt: skip
def test_rows_are_those_that_numpy_reads(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], dtype: str, packed: bool, at_once: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "rows.npz"
    array = np.arange(np.prod(shape)).astype(dtype).reshape(shape)
    (np.savez_compressed if packed else np.savez)(path, b=np.zeros(3), a=array)
    found = everything(path, at_once=at_once)
    np.testing.assert_array_equal(found, np.load(path)["a"])
    with npz_rows.opened(path) as archive:
        assert set(archive.keys) == {"a", "b"} and archive.rows("a").shape == tuple(shape)
        beside = archive.members(("b", "c"))
        np.testing.assert_array_equal(npz.array("rows.npz", beside, "b"), np.zeros(3))


def test_what_is_damaged_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, a=np.arange(100_000.0).reshape(1000, 100))
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + b"\xff" + content[middle + 1 :])  # its checksum does not fit
    with pytest.raises(FileError, match="not an intact"):
        everything(path)
    path.write_bytes(content[:middle])
    with pytest.raises(FileError, match="not an intact"):
        everything(path)
    for other, word in ((b"", "is empty"), (b"{}", "no .npz archive"), (b"PK", "not an intact")):
        path.write_bytes(other)
        with pytest.raises(FileError, match=word):
            everything(path)


def test_a_member_that_is_shorter_than_its_header_says(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.zeros((10, 4)))
    for content in (stream.getvalue()[:-8], stream.getvalue() + bytes(8), b"\x93NUMPY", b""):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("a.npy", content)
        with pytest.raises(FileError, match="damaged array"):
            everything(tmp_path / "a.npz")


def test_files_that_ask_for_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.zeros((10_000, 100)))
    with pytest.raises(FileError, match="unpacks to"), npz_rows.opened(path, most=1_000_000):
        pass
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(npz.MAX_MEMBERS + 1):
            archive.writestr(f"{number}.npy", b"")
    with pytest.raises(FileError, match="more than 1000 arrays"):
        everything(path)
    monkeypatch.setattr(npz_rows, "MOST_BESIDE", 100)
    np.savez(path, a=np.zeros(3), b=np.zeros(100))
    with npz_rows.opened(path) as archive, pytest.raises(FileError, match="of b"):
        archive.members(("b",))


def test_a_directory_as_large_as_the_file_says_is_not_taken_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 400_000_000, 2, 0)
    with path.open("wb") as stream:
        stream.write(b"PK")
        stream.truncate(400_000_002)  # sparse
        stream.seek(0, 2)
        stream.write(end)
    assert path.stat().st_size < files.MAX_BYTES
    tracemalloc.start()
    with pytest.raises(FileError, match="not an intact"):
        everything(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000
