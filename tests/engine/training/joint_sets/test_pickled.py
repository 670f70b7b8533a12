# SPDX-License-Identifier: GPL-3.0-or-later
"""Pickled arrays read as data, against Python's own pickle; what would run code is refused."""

from __future__ import annotations

import collections
import io
import os
import pickle
import pickletools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.errors import FileError
from engine.motion import npz
from engine.training.joint_sets import pickled

PROTOCOLS = (2, 3, 4)


def member(pickle_of: bytes) -> dict[str, bytes]:
    """An object array's ``.npy`` with a pickle of one's own."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|O", "fortran_order": False, "shape": ()})
    return {"data": head.getvalue() + pickle_of}


def boxed(value: Any, protocol: int) -> bytes:
    """As NumPy pickles an array without sides."""
    box = np.empty((), object)
    box[()] = value
    return pickle.dumps(box, protocol=protocol)


def read(pickle_of: bytes) -> Any:
    return pickled.read("data.npz", member(pickle_of), "data")


def same(a: Any, b: Any) -> bool:
    if isinstance(b, np.ndarray):
        if b.dtype == object:
            return isinstance(a, list) and all(map(same, a, b.tolist()))
        return isinstance(a, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(b, dict):
        return isinstance(a, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in b)
    if isinstance(b, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or a != a)


NUMBERS = st.one_of(
    arrays.arrays(
        st.sampled_from(["<f4", ">f8", "<i2", "|u1", "|b1", "<i8"]),
        arrays.array_shapes(max_dims=3, max_side=4),
    ),
    st.integers(0, 3).map(lambda seed: np.asfortranarray(np.random.default_rng(seed).normal(size=(3, 2)))),
)
VALUES = st.recursive(
    st.one_of(NUMBERS, st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=300)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=20) | st.integers(0, 99), inner, max_size=4),
    ),
    max_leaves=12,
)


@given(value=VALUES, protocol=st.sampled_from(PROTOCOLS))
@settings(max_examples=150, deadline=None)
def test_it_reads_what_pickle_reads(value: Any, protocol: int) -> None:
    assert same(read(boxed(value, protocol)), value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_repeated_is_shared(protocol: int) -> None:
    array = np.arange(6.0).reshape(2, 3)
    found = read(boxed({"a": [array, array], "b": array}, protocol))
    assert found["a"][0] is found["a"][1] is found["b"]


def test_numbers_of_numpy_and_arrays_of_objects() -> None:
    objects = np.empty(2, object)
    objects[:] = [np.zeros((2, 3)), np.ones((1, 3), np.float32)]
    found = read(boxed({"fps": np.int64(50), "scale": np.float32(0.5), "views": objects}, 3))
    assert found["fps"] == 50 and found["scale"] == 0.5
    assert [part.shape for part in found["views"]] == [(2, 3), (1, 3)]


def test_the_second_numpy_names_its_parts_otherwise() -> None:
    content = boxed({"a": np.arange(3)}, 3)
    assert b"numpy.core.multiarray\n" in content
    found = read(content.replace(b"numpy.core.multiarray\n", b"numpy._core.multiarray\n"))
    np.testing.assert_array_equal(found["a"], [0, 1, 2])


def test_texts_of_the_second_python() -> None:
    """Which has its keys, its types and its bytes in the same kind of string; put together by hand."""
    numbers = np.array([1.5, -2.0], "<f4").tobytes()
    content = (
        b"\x80\x02}U\x01acnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x02\x85"
        b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        + b"U" + bytes([len(numbers)]) + numbers + b"tbs."
    )  # fmt: skip
    theirs = pickle.loads(content, encoding="latin1")  # noqa: S301 - a pickle of this test's own
    assert list(theirs) == ["a"]
    found = read(content)
    assert list(found) == ["a"]
    np.testing.assert_array_equal(found["a"], theirs["a"])


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.trace),))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_that_would_run_code_is_refused_and_runs_none(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "trace"
    attack = boxed({"S1": {"Walking": Bomb(trace)}}, protocol)
    with pytest.raises(FileError, match=r"^data\.npz names (posix|nt)\.mkdir in data, .*run code; [^.]*\.$"):
        read(attack)
    assert not trace.exists()
    pickle.loads(attack)  # noqa: S301 - the test's own: it would have
    assert trace.exists()


@pytest.mark.parametrize(
    "value", [collections.OrderedDict(a=1), {1, 2}, 1j, np.array(["a"]), np.zeros(2, [("x", "f4")]), Path("a"), b""]
)
def test_other_objects_are_refused(value: Any) -> None:
    with pytest.raises(FileError):
        read(boxed([value], 2))


@pytest.mark.parametrize(
    "called", [b"cbuiltins\neval\n", b"c__builtin__\nexec\n", b"cnumpy\nload\n", b"cnumpy.core.multiarray\nfromfile\n"]
)
def test_only_what_arrays_need_may_be_named(called: bytes) -> None:
    with pytest.raises(FileError, match="could run code"):
        read(b"\x80\x02" + called + b"X\x01\x00\x00\x001\x85R.")


def test_instructions_that_arrays_do_not_need_are_refused() -> None:
    """Every one that Python's pickle has: alone on a full stack it is refused, or gives plain data."""
    for code in pickletools.opcodes:
        content = b"\x80\x02}(]X\x01\x00\x00\x00a" + code.code.encode("latin-1") + bytes(8) + b"."
        try:
            found = read(content)
        except FileError:
            continue
        assert isinstance(found, dict | list | tuple | str | int | float | memoryview | None), code.name


def test_cut_and_changed_files_are_refused_or_read() -> None:
    content = boxed({"S1": {"Walking": [np.arange(12.0).reshape(2, 2, 3)]}}, 2)
    for end in range(len(content)):
        with pytest.raises(FileError, match=r"\.$"):
            read(content[:end])
    rng = np.random.default_rng(0)
    for _ in range(3000):
        changed = bytearray(content)
        for place in rng.integers(len(content), size=rng.integers(1, 4)):
            changed[place] = rng.integers(256)
        try:
            read(bytes(changed))
        except FileError as error:
            assert str(error).endswith(".")


def test_sizes_that_are_lies_take_no_memory() -> None:
    array = boxed(np.zeros((2, 3)), 3)
    for lie in (b"J\xff\xff\xff\x7f", b"\x8a\x08" + bytes(7) + b"\x7f", b"J\xff\xff\xff\xff"):
        with pytest.raises(FileError):
            read(array.replace(b"K\x02K\x03", lie + b"K\x03"))
    for length in (b"B\xff\xff\xff\x7f", b"\x8e" + struct.pack("<Q", 2**63 - 1), b"T\xff\xff\xff\xff"):
        with pytest.raises(FileError):
            read(b"\x80\x04" + length + b"abc.")


def test_what_grows_by_repetition_is_refused() -> None:
    """A text that is kept once and made into bytes a thousand times."""
    text = b"X" + struct.pack("<I", 100_000) + b"a" * 100_000
    start = b"\x80\x02]q\x00c_codecs\nencode\nq\x01" + text + b"q\x02X\x06\x00\x00\x00latin1q\x03"
    again = b"h\x00h\x01h\x02h\x03\x86Ra"
    with pytest.raises(FileError, match="damaged"):
        read(start + again * 1000 + b"h\x00.")


def test_deep_nesting_and_many_steps_take_no_stack() -> None:
    deep = read(b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".")
    assert len(deep) == 1
    with pytest.raises(FileError, match="damaged"):
        read(b"\x80\x02" + b"N" * (pickled.MAX_STEPS + 1) + b".")


def test_a_member_that_is_no_pickle_is_refused() -> None:
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    with pytest.raises(FileError, match="no dictionary"):
        pickled.read("data.npz", {"data": stream.getvalue()}, "data")
    with pytest.raises(FileError, match="no array 'data'"):
        pickled.read("data.npz", {}, "data")


def test_files_that_numpy_writes(tmp_path: Path) -> None:
    path = tmp_path / "data_3d.npz"
    take = np.random.default_rng(0).normal(size=(4, 32, 3)).astype(np.float32)
    np.savez_compressed(path, positions_3d=np.array({"S1": {"Walking": take}}, dtype=object))
    found = pickled.read(path.name, npz.read(path), "positions_3d")
    np.testing.assert_array_equal(found["S1"]["Walking"], take)
    assert not found["S1"]["Walking"].flags.writeable
