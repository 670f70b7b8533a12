# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipe between Blender and the engine: frames of a JSON header and raw arrays.

A frame, all numbers little-endian::

    magic    4 bytes  b"DPSR"
    version  u32      VERSION
    header   u32      bytes of the JSON that follows, at most MAX_HEADER
    payload  u64      bytes of the arrays that follow it, at most the reader's cap
    JSON     UTF-8    {"header": {...}, "arrays": [{"name", "dtype", "shape", "begin", "end"}, ...]}
    arrays   raw, C order, each beginning where the last ended and together exactly the payload

As in the safetensors format, every size is checked before memory is taken and nothing is ever unpickled.
Values are not checked: an array may hold NaN, which is for `Motion` to refuse. The JSON may not.

A request, and the answers to it::

    {"op": "hello" | "cancel" | one of `engine.requests.TASKS`, "id": n, "params": {...}}

    {"id": n, "type": "progress", "done": i, "total": n, "stage": "in words"}     any number of times
    {"id": n, "type": "result", "result": {...}}                                  once and last, or
    {"id": n, "type": "error", "kind": "MotionError", "message": "a sentence"}    once and last

``cancel`` names its victim in ``params``, ``{"job": n}``, and has no answer of its own: the job ends with an
error of kind ``Cancelled``. An engine whose task then does not stop ends itself with `EXIT_STUCK`; requests
still in its queue are to be sent to the next one. A result may hold ``notes``, sentences about how it came
about. An error whose id is null concerns the pipe itself, and the engine ends after it.
"""

from __future__ import annotations

import json
import math
import struct
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO, NoReturn

import numpy as np

from .errors import ProtocolError
from .wording import fit

VERSION = 1
MAGIC = b"DPSR"
MAX_HEADER = 1 << 20
MAX_PAYLOAD = 2 << 30
EXIT_STUCK = 3
DTYPES = {
    name: np.dtype(name).newbyteorder("<") for name in ("uint8", "int32", "int64", "float32", "float64")
}

_PREFIX = struct.Struct("<4sIIQ")
_MAX_DIMENSIONS = 8


class VersionError(ProtocolError):
    """The other side speaks another version of the protocol."""


class CutShortError(ProtocolError):
    """The stream ended within a frame."""


Header = dict[str, Any]
Arrays = dict[str, np.ndarray]


def write_frame(stream: BinaryIO, header: Header, arrays: Mapping[str, np.ndarray] | None = None) -> None:
    """Write one frame and flush.

    Args:
        stream: a buffered binary stream; the caller sees to it that one thread writes at a time.
        header: what JSON can hold, without NaN and infinities.
        arrays: of the dtypes in `DTYPES`, any byte order and memory layout.

    Raises:
        ProtocolError: the header is not JSON or over `MAX_HEADER`, an array has another dtype, or all together are over
            `MAX_PAYLOAD`.
        OSError: the other side is gone.
    """
    entries: list[Header] = []
    chunks: list[np.ndarray] = []
    end = 0
    for name, array in (arrays or {}).items():
        dtype = DTYPES.get(array.dtype.name)
        if dtype is None:
            raise ProtocolError(
                f"The array {fit(name)} has dtype {array.dtype}, which the engine pipe does not carry."
            )
        begin, end = end, end + array.size * dtype.itemsize
        if end > MAX_PAYLOAD:
            most = f"{MAX_PAYLOAD / 1e9:.1f}"
            raise ProtocolError(f"A message is over the engine pipe's {most} GB; choose a shorter range.")
        chunk = np.asarray(array, dtype=dtype, order="C")
        entries.append(
            {"name": name, "dtype": array.dtype.name, "shape": list(chunk.shape), "begin": begin, "end": end}
        )
        chunks.append(chunk)
    try:
        text = json.dumps(
            {"header": header, "arrays": entries}, allow_nan=False, separators=(",", ":")
        ).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"A message for the engine pipe is not plain JSON: {error}.") from error
    if len(text) > MAX_HEADER:
        raise ProtocolError(f"A message header of {len(text)} bytes is over the engine pipe's {MAX_HEADER}.")
    stream.write(_PREFIX.pack(MAGIC, VERSION, len(text), end) + text)
    for chunk in chunks:
        if chunk.nbytes:
            stream.write(chunk.data)
    stream.flush()


def skip_noise(stream: BinaryIO, most: int) -> bytes:
    """Pass over what a library or a wrapper printed before the first frame.

    Args:
        stream: a buffered, blocking binary stream.
        most: bytes that are passed over before this is given up.

    Returns:
        What `read_frame` needs as ``begun``: the magic, or all there was where the stream ended or went on too long.

    Raises:
        OSError: the other side is gone.
    """
    last = b""
    for _ in range(most + len(MAGIC)):
        byte = stream.read(1)
        last = (last + byte)[-len(MAGIC) :]
        if last == MAGIC or not byte:
            break
    return last


def read_frame(
    stream: BinaryIO, max_payload: int = MAX_PAYLOAD, begun: bytes = b""
) -> tuple[Header, Arrays] | None:
    """Read one frame; None where the stream ended before it began.

    Args:
        stream: a blocking binary stream with ``readinto``.
        max_payload: the most bytes of arrays that are accepted.
        begun: the frame's first bytes, where they have been read.

    Returns:
        The header, and the arrays by name: writable, C order.

    Raises:
        ProtocolError: anything but a whole, well-formed frame of this `VERSION`. The stream is then out of
            step: close it. `CutShortError` where it ended within the frame.
        OSError: the other side is gone.
    """
    prefix = bytearray(begun.ljust(_PREFIX.size, b"\0"))
    got = len(begun) + _fill(stream, memoryview(prefix)[len(begun) :])
    if got == 0:
        return None
    if got < len(prefix):
        _cut_short()
    magic, version, header_size, payload_size = _PREFIX.unpack(prefix)
    if magic != MAGIC:
        _damaged("it does not begin as a message should")
    if version != VERSION:
        raise VersionError(
            f"DPoser and its engine speak different protocol versions ({VERSION} and {version}); "
            "reinstall DPoser and restart Blender."
        )
    if header_size > MAX_HEADER:
        _damaged(f"its header claims {header_size} bytes")
    if payload_size > max_payload:
        _damaged(f"its arrays claim {payload_size} bytes, over the limit of {max_payload}")
    text = bytearray(header_size)
    if _fill(stream, memoryview(text)) < header_size:
        _cut_short()
    header, arrays = _parse(bytes(text), payload_size)
    for array in arrays.values():
        if array.nbytes and _fill(stream, array.reshape(-1).view(np.uint8).data) < array.nbytes:
            _cut_short()
    return header, arrays


def _damaged(cause: str, error: type[ProtocolError] = ProtocolError) -> NoReturn:
    raise error(f"A message on the engine pipe is damaged ({cause}); restart the engine.")


def _cut_short() -> NoReturn:
    _damaged("it is cut short", CutShortError)


def _fill(stream: BinaryIO, view: memoryview) -> int:
    """Read until ``view`` is full or the stream ends; returns the number of bytes read."""
    got = 0
    while got < len(view):
        count = stream.readinto(view[got:])  # type: ignore[attr-defined]
        if not count:
            break
        got += count
    return got


def _parse(text: bytes, payload: int) -> tuple[Header, Arrays]:
    """The header, and an array of unset values for each entry, after every check that needs no payload."""
    try:
        message = json.loads(text.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(
            "A message on the engine pipe is damaged (its header is not JSON); restart the engine."
        ) from error
    if not isinstance(message, dict) or message.keys() != {"header", "arrays"}:
        _damaged("its header has other fields than header and arrays")
    header, entries = message["header"], message["arrays"]
    if not isinstance(header, dict) or not isinstance(entries, list):
        _damaged("its header fields are of the wrong kind")
    arrays: Arrays = {}
    end = 0
    for entry in entries:
        name, dtype, shape, end = _check_entry(entry, end)
        if name in arrays:
            _damaged(f"it holds the array {fit(name)} twice")
        if end > payload:
            _damaged(f"the array {fit(name)} goes beyond the message")
        arrays[name] = np.empty(shape, dtype)
    if end != payload:
        _damaged("bytes follow its last array")
    return header, arrays


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is beyond the range of a float")
    return value


def _check_entry(entry: object, begin: int) -> tuple[str, np.dtype, tuple[int, ...], int]:
    """Name, dtype, shape and end of an array that must begin at ``begin``."""
    if not isinstance(entry, dict) or entry.keys() != {"name", "dtype", "shape", "begin", "end"}:
        _damaged("an array is not described by name, dtype, shape, begin and end")
    name, shape = entry["name"], entry["shape"]
    if not isinstance(name, str):
        _damaged("an array's name is not text")
    dtype = DTYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        _damaged(f"the array {fit(name)} has an unknown dtype")
    if not isinstance(shape, list) or len(shape) > _MAX_DIMENSIONS or not all(map(_is_size, shape)):
        _damaged(f"the array {fit(name)} has an impossible shape")
    # NumPy bounds the product of the non-zero dimensions even where another is zero.
    if math.prod(size for size in shape if size) * dtype.itemsize > sys.maxsize:
        _damaged(f"the array {fit(name)} is too large")
    if entry["begin"] != begin or not _is_size(entry["end"]):
        _damaged(f"the array {fit(name)} does not begin where the last one ended")
    if entry["end"] - begin != math.prod(shape) * dtype.itemsize:
        _damaged(f"the array {fit(name)} has another size than its shape")
    return name, dtype, tuple(shape), entry["end"]


def _is_size(value: object) -> bool:
    return type(value) is int and value >= 0
