# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipe's frames: round trips, and a corpus of damaged and hostile ones."""

from __future__ import annotations

import contextlib
import io
import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine import protocol
from engine.errors import ProtocolError

DTYPES = ["uint8", "int32", "int64", "float32", "float64"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ARRAYS = st.dictionaries(
    st.text(max_size=8),
    st.sampled_from(DTYPES).flatmap(
        lambda name: hnp.arrays(
            st.sampled_from([np.dtype(name).newbyteorder(order) for order in "<>"]),
            hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
        )
    ),
    max_size=4,
)


def encode(header: dict[str, Any], arrays: dict[str, np.ndarray] | None = None) -> bytes:
    stream = io.BytesIO()
    protocol.write_frame(stream, header, arrays)
    return stream.getvalue()


def raw(
    text: bytes, payload: bytes = b"", *, magic: bytes = b"DPSR", version: int = 1, header: int | None = None,
    size: int | None = None,
) -> io.BytesIO:  # fmt: skip
    """A frame packed by hand, with any of its lengths falsified."""
    prefix = struct.pack(
        "<4sIIQ",
        magic,
        version,
        len(text) if header is None else header,
        len(payload) if size is None else size,
    )
    return io.BytesIO(prefix + text + payload)


def described(*entries: dict[str, Any], payload: bytes = bytes(16), size: int | None = None) -> io.BytesIO:
    return raw(json.dumps({"header": {}, "arrays": entries}).encode(), payload, size=size)


def entry(**changes: Any) -> dict[str, Any]:
    return {"name": "a", "dtype": "float64", "shape": [2], "begin": 0, "end": 16} | changes


@given(st.dictionaries(st.text(), JSON, max_size=4), ARRAYS)
def test_round_trip(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    stream = io.BytesIO(encode(header, arrays) * 2)
    for _ in range(2):
        frame = protocol.read_frame(stream)
        assert frame is not None
        assert frame[0] == header
        assert list(frame[1]) == list(arrays)
        for name, array in arrays.items():
            got = frame[1][name]
            assert got.shape == array.shape and got.dtype == array.dtype.newbyteorder("=")
            assert got.flags.writeable and got.flags.c_contiguous
            # Bit for bit, so NaN and the sign of zero count.
            assert got.tobytes() == array.astype(got.dtype).tobytes()
    assert protocol.read_frame(stream) is None


def test_the_layout_is_the_documented_one() -> None:
    text = b'{"header":{"id":7},"arrays":[{"name":"x","dtype":"int32","shape":[2,1],"begin":0,"end":8}]}'
    expected = b"DPSR\x01\0\0\0" + struct.pack("<IQ", len(text), 8) + text + b"\x05\0\0\0\xff\xff\xff\xff"
    assert encode({"id": 7}, {"x": np.array([[5], [-1]], "int32")}) == expected


def test_non_contiguous_arrays_travel() -> None:
    array = np.arange(24.0).reshape(4, 6)[::2, ::-3].T
    frame = protocol.read_frame(io.BytesIO(encode({}, {"a": array})))
    assert frame is not None
    np.testing.assert_array_equal(frame[1]["a"], array)


def test_truncated_at_every_byte() -> None:
    whole = encode(
        {"op": "clean"}, {"a": np.arange(3.0), "b": np.zeros((0, 4), "uint8"), "c": np.ones(2, "int32")}
    )
    assert protocol.read_frame(io.BytesIO(b"")) is None
    for length in range(1, len(whole)):
        with pytest.raises(protocol.CutShortError, match="cut short"):
            protocol.read_frame(io.BytesIO(whole[:length]))


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    if noise:
        with pytest.raises(ProtocolError):
            protocol.read_frame(io.BytesIO(noise))


@given(st.data())
def test_a_changed_byte_never_escapes_as_another_exception(data: st.DataObject) -> None:
    whole = bytearray(encode({"op": "clean", "id": 3}, {"a": np.arange(4.0), "b": np.ones((2, 3), "int32")}))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(ProtocolError):
        protocol.read_frame(io.BytesIO(bytes(whole)))


@pytest.mark.parametrize("size", [protocol.MAX_HEADER + 1, 2**31, 2**32 - 1])
def test_header_cap(size: int) -> None:
    with pytest.raises(ProtocolError, match=f"header claims {size} bytes"):
        protocol.read_frame(raw(b"{}", header=size))


@pytest.mark.parametrize("size", [1001, 2**40, 2**63, 2**64 - 1])
def test_payload_cap_comes_before_allocation(size: int) -> None:
    with pytest.raises(ProtocolError, match="over the limit of 1000"):
        protocol.read_frame(described(entry(), size=size), max_payload=1000)


def test_zero_length_header() -> None:
    with pytest.raises(ProtocolError, match="not JSON"):
        protocol.read_frame(raw(b""))


def test_unknown_version_and_magic() -> None:
    with pytest.raises(ProtocolError, match=r"versions \(1 and 2\)"):
        protocol.read_frame(raw(b"{}", version=2))
    with pytest.raises(ProtocolError, match="does not begin"):
        protocol.read_frame(raw(b"{}", magic=b"Warn"))


@pytest.mark.parametrize(
    "text",
    [
        b"\x80\x04",
        b"{",
        b'{"header": {"a": NaN}, "arrays": []}',
        b'{"header": {"a": -Infinity}, "arrays": []}',
        b'{"header": {"a": 1e999}, "arrays": []}',
        b'{"header": {"a": "\xff"}, "arrays": []}',
        b'{"header": {"a": ' + b"9" * 5000 + b'}, "arrays": []}',
        b'{"header": {"a": ' + b"[" * 400_000 + b"]" * 400_000 + b'}, "arrays": []}',
    ],
    ids=["binary", "cut", "nan", "infinity", "overflow", "utf8", "digits", "nesting"],
)
def test_bad_json(text: bytes) -> None:
    with pytest.raises(ProtocolError, match="not JSON"):
        protocol.read_frame(raw(text))


@pytest.mark.parametrize(
    "text",
    [
        b"[]",
        b"null",
        b"{}",
        b'{"header": {}}',
        b'{"header": [], "arrays": []}',
        b'{"header": {}, "arrays": {}}',
        b'{"header": {}, "arrays": [], "more": 1}',
        b'{"header": {}, "arrays": [1]}',
    ],
)
def test_json_of_another_shape(text: bytes) -> None:
    with pytest.raises(ProtocolError, match="damaged"):
        protocol.read_frame(raw(text))


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"dtype": "object"}, "unknown dtype"),
        ({"dtype": "|O"}, "unknown dtype"),
        ({"dtype": "complex128"}, "unknown dtype"),
        ({"dtype": 7}, "unknown dtype"),
        ({"dtype": ["float64"]}, "unknown dtype"),
        ({"dtype": "float32"}, "another size"),
        ({"shape": [3]}, "another size"),
        ({"shape": []}, "another size"),
        ({"shape": [-2]}, "impossible shape"),
        ({"shape": [-1, -2]}, "impossible shape"),
        ({"shape": [2.0]}, "impossible shape"),
        ({"shape": [True, 2]}, "impossible shape"),
        ({"shape": 2}, "impossible shape"),
        ({"shape": [1] * 9}, "impossible shape"),
        ({"shape": [2**62, 4]}, "too large"),
        ({"shape": [0, 2**63], "end": 0}, "too large"),
        ({"begin": 8}, "does not begin"),
        ({"begin": -16, "end": 0}, "does not begin"),
        ({"end": -1}, "does not begin"),
        ({"end": 16.0}, "does not begin"),
        ({"shape": [3], "end": 24}, "beyond the message"),
        ({"shape": [1], "end": 8}, "bytes follow"),
        ({"name": 1}, "not text"),
        ({"more": 1}, "not described"),
    ],
)
def test_bad_description(change: dict[str, Any], cause: str) -> None:
    with pytest.raises(ProtocolError, match=cause):
        protocol.read_frame(described(entry(**change)))


def test_overlap_hole_and_repetition() -> None:
    first = entry(shape=[1], end=8)
    with pytest.raises(ProtocolError, match="does not begin"):
        protocol.read_frame(described(first, entry(name="b", shape=[1], begin=0, end=8)))
    with pytest.raises(ProtocolError, match="does not begin"):
        protocol.read_frame(described(first, entry(name="b", shape=[0], begin=16, end=16)))
    with pytest.raises(ProtocolError, match="twice"):
        protocol.read_frame(described(first, entry(shape=[1], begin=8, end=16)))


@pytest.mark.parametrize("header", [{"a": float("nan")}, {"a": float("inf")}, {"a": b"x"}, {"a": {1, 2}}])
def test_writing_what_json_cannot_hold(header: dict[str, Any]) -> None:
    stream = io.BytesIO()
    with pytest.raises(ProtocolError, match="not plain JSON"):
        protocol.write_frame(stream, header)
    assert not stream.getvalue(), "a refused message leaves the pipe in step"


def test_writing_what_the_pipe_does_not_carry() -> None:
    for array in (np.array(["x"]), np.array([None]), np.zeros(2, bool), np.zeros(2, "float16")):
        with pytest.raises(ProtocolError, match="does not carry"):
            encode({}, {"a": array})
    with pytest.raises(ProtocolError, match="over the engine pipe"):
        encode({"a": "x" * protocol.MAX_HEADER})


@pytest.mark.parametrize("noise", [b"", b"Hello.\n", b"DPSDPS", b"DPS\0" * 50])
def test_what_comes_before_the_first_frame_is_passed_over(noise: bytes) -> None:
    stream = io.BytesIO(noise + encode({"a": 1}) + encode({"a": 2}))
    assert protocol.read_frame(stream, begun=protocol.skip_noise(stream, 1000)) == ({"a": 1}, {})
    assert protocol.read_frame(stream) == ({"a": 2}, {})


@pytest.mark.parametrize("noise", [b"", b"x", b"Hello.\n", b"x" * 2000])
def test_noise_alone_is_no_frame(noise: bytes) -> None:
    stream = io.BytesIO(noise)
    begun = protocol.skip_noise(stream, 1000)
    assert stream.tell() == min(len(noise), 1004)
    if not noise:
        assert protocol.read_frame(stream, begun=begun) is None
        return
    with pytest.raises(ProtocolError):
        protocol.read_frame(stream, begun=begun)
