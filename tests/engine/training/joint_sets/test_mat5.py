# SPDX-License-Identifier: GPL-3.0-or-later
"""MATLAB files as SciPy writes them, read as SciPy reads them."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.io import loadmat, savemat

from engine.errors import FileError
from engine.training.joint_sets import mat5

NUMBERS = arrays.arrays(
    st.sampled_from(["<f8", "<f4", "|u1", "<i2", "<u4", "<i8"]), arrays.array_shapes(min_dims=2, max_dims=3, max_side=5)
)


def cells(parts: list[np.ndarray]) -> np.ndarray:
    """A column of cells, as MPI-INF-3DHP has its cameras."""
    box = np.empty((len(parts), 1), object)
    for row, part in enumerate(parts):
        box[row, 0] = part
    return box


@given(number=NUMBERS, parts=st.lists(NUMBERS, max_size=4), packed=st.booleans())
@settings(max_examples=60, deadline=None)
def test_it_reads_what_scipy_writes(
    tmp_path_factory: pytest.TempPathFactory, number: np.ndarray, parts: list[np.ndarray], packed: bool
) -> None:
    path = tmp_path_factory.mktemp("mat") / "annot.mat"
    savemat(path, {"other": "text", "frames": number, "annot3": cells(parts)}, do_compression=packed)
    found, theirs = mat5.read(path, ("frames", "annot3")), loadmat(path)
    assert set(found) == {"frames", "annot3"}
    np.testing.assert_array_equal(found["frames"], theirs["frames"])
    assert len(found["annot3"]) == len(parts)
    for one, other in zip(found["annot3"], theirs["annot3"].ravel(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_files_of_machines_of_the_other_byte_order(tmp_path: Path) -> None:
    """Put together by hand: one matrix of doubles, its name in a small element."""
    inner = struct.pack(">II", 6, 8) + struct.pack(">II", 6, 0) + struct.pack(">II", 5, 8) + struct.pack(">ii", 1, 2)
    inner += struct.pack(">HH4s", 1, 1, b"a") + struct.pack(">II", 9, 16) + struct.pack(">dd", 1.5, -2.0)
    content = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(">H", 0x0100) + b"MI"
    path = tmp_path / "a.mat"
    path.write_bytes(content + struct.pack(">II", 14, len(inner)) + inner)
    np.testing.assert_array_equal(loadmat(path)["a"], [[1.5, -2.0]])
    np.testing.assert_array_equal(mat5.read(path, ("a",))["a"], [[1.5, -2.0]])


@pytest.mark.parametrize(
    "value", ["text", {"field": 1}, np.array([[1j]]), cells([cells([np.ones((1, 1))])]), cells([np.array(["text"])])]
)
def test_other_kinds_are_refused(tmp_path: Path, value: Any) -> None:
    savemat(tmp_path / "a.mat", {"a": value})
    with pytest.raises(FileError, match=r"^a\.mat .*numbers and cells of them; download it again\.$"):
        mat5.read(tmp_path / "a.mat", ("a",))
    assert mat5.read(tmp_path / "a.mat", ("b",)) == {}


@pytest.mark.parametrize("content", [b"MATLAB 7.3 MAT-file".ljust(128) + bytes(400), b"short", b"x" * 200])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(FileError, match="version 5 to 7"):
        mat5.read(tmp_path / "a.mat", ("a",))


@pytest.mark.parametrize("packed", [False, True])
def test_cut_and_changed_files_are_refused_or_read(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"a": cells([np.arange(6.0).reshape(2, 3)]), "b": np.ones((2, 2))}, do_compression=packed)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for turn in range(400):
        changed = bytearray(content[: rng.integers(128, len(content))] if turn % 2 else content)
        for place in rng.integers(128, len(changed), size=2) if len(changed) > 128 else []:
            changed[place] = rng.integers(256)
        path.write_bytes(bytes(changed))
        try:
            mat5.read(path, ("a", "b"))
        except FileError as error:
            assert str(error).endswith(".")


def test_bombs_take_no_memory(tmp_path: Path) -> None:
    """Zeros that unpack to a hundred times more than the matrix tells, and cells beyond counting."""
    name = struct.pack("<HH4s", 1, 1, b"a")

    def matrix(sides: tuple[int, int], kind: int, rest: bytes, size: int | None = None) -> bytes:
        inner = struct.pack("<IIII", 6, 8, kind, 0) + struct.pack("<IIii", 5, 8, *sides) + name + rest
        return struct.pack("<II", 14, len(inner) if size is None else size) + inner

    zeros = matrix((1, 1), 6, struct.pack("<II", 9, 8) + bytes(100_000_000), size=64)
    many = matrix((2**31 - 1, 2**31 - 1), 1, b"")
    path = tmp_path / "a.mat"
    for inner in (zeros, many):
        packed = zlib.compress(inner)
        head = b"MATLAB 5.0".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
        path.write_bytes(head + struct.pack("<II", 15, len(packed)) + packed)
        tracemalloc.start()
        try:
            if inner is zeros:
                assert mat5.read(path, ("a",))["a"] == [[0.0]]
            else:
                with pytest.raises(FileError):
                    mat5.read(path, ("a",))
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
        finally:
            tracemalloc.stop()
