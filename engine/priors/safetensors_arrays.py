# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading arrays in the safetensors format with NumPy alone, for interpreters that lack that package.

The format: the header's size in bytes (u64, little-endian); the header, JSON, which names each tensor's ``dtype``,
``shape`` and ``data_offsets`` (begin and end, in bytes after the header), and under ``__metadata__`` texts by name; the
tensors, in C order, little-endian, without gaps.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

DTYPES: dict[str, np.dtype[Any]] = {"F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "F16": np.dtype("<f2")}
"""The dtypes that are read."""

_SIZE = struct.Struct("<Q")


def read_arrays(path: Path, most_bytes: int) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays of a file in the dtypes that they have there, and its metadata.

    Args:
        path: the file.
        most_bytes: size of the largest file that is read.

    Raises:
        ValueError: it is larger, no such file, or holds another dtype. OSError: it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise ValueError("too large")
    if len(data) < _SIZE.size or _SIZE.unpack_from(data)[0] > len(data) - _SIZE.size:
        raise ValueError("cut short")
    begin = _SIZE.size + _SIZE.unpack_from(data)[0]
    try:
        header = json.loads(data[_SIZE.size : begin].decode("utf-8"))
    except RecursionError as error:
        raise ValueError("a header of too many levels") from error
    if not isinstance(header, dict):
        raise ValueError("a header that is no table")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("metadata that are no texts")
    body = memoryview(data)[begin:]
    arrays = {name: _array(entry, body) for name, entry in header.items()}
    if sum(array.nbytes for array in arrays.values()) != len(body):
        raise ValueError("gaps between its tensors")
    return arrays, metadata


def _array(entry: Any, body: memoryview[int]) -> np.ndarray:
    """A tensor of the header, as a view of the file's bytes."""
    if not isinstance(entry, dict):
        raise ValueError("a tensor without description")
    name, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
    dtype = DTYPES.get(name) if isinstance(name, str) else None
    if dtype is None:
        raise ValueError("a dtype that is not read")
    if not _sizes(shape) or not _sizes(offsets) or len(offsets) != 2:
        raise ValueError("an impossible shape or place")
    begin, end = offsets
    if not begin <= end <= len(body) or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError("a shape of another size than its place")
    return np.frombuffer(body[begin:end], dtype).reshape(shape)


def _sizes(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(size) is int and size >= 0 for size in value)
