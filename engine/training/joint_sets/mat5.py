# SPDX-License-Identifier: GPL-3.0-or-later
"""MATLAB's files of version 5 to 7 (MAT-File Format, The MathWorks 2019): arrays of numbers, and cells of such.

SciPy reads these, too, and more, but takes memory and stack as a file asks; here sizes are checked first, and cells
hold no cells.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from engine import physical_memory
from engine.errors import FileError
from engine.motion import files

MAX_CELLS = 1000
MAX_DIMENSIONS = 8

_ADVICE = "download it again"
_HEADER = 128
_VERSION = 0x0100
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_SIDES, _MATRIX, _COMPRESSED = 5, 14, 15
_CELL, _FIRST_NUMERIC, _LAST_NUMERIC = 1, 6, 15  # MATLAB's classes
_COMPLEX = 0x08  # of the byte of flags
_NAME_WITHIN = 256  # bytes from a matrix's beginning; MATLAB's names have 63 letters


class _Damaged(Exception):
    """The file is cut, or not of this format."""


def read(path: Path, names: Collection[str]) -> dict[str, np.ndarray | list[np.ndarray]]:
    """The variables of a file that have one of the names; cells as a list, column by column.

    Raises:
        FileError: the file is missing, damaged, of another version, needs more memory than there is, or such a variable
            holds anything but real numbers, or cells of them.
    """
    content = files.read_bytes(path, advice=_ADVICE)
    if content[:10] == b"MATLAB 7.3" or len(content) < _HEADER or content[126:128] not in (b"IM", b"MI"):
        raise FileError(f"{path.name} is no MATLAB file of version 5 to 7; {_ADVICE}.")
    order = "<" if content[126:128] == b"IM" else ">"
    if struct.unpack_from(order + "H", content, 124)[0] != _VERSION:
        raise FileError(f"{path.name} is no MATLAB file of version 5 to 7; {_ADVICE}.")
    found = {}
    try:
        for kind, part in _elements(memoryview(content)[_HEADER:], order):
            inner = _unpacked(path.name, part, order, names) if kind == _COMPRESSED else part
            if inner is None or kind not in (_MATRIX, _COMPRESSED):
                continue
            name = _name(inner, order)
            if name in names:
                found[name] = _matrix(inner, order)
    except (_Damaged, zlib.error, struct.error, ValueError, StopIteration) as error:
        raise FileError(f"{path.name} is damaged, or holds more than numbers and cells of them; {_ADVICE}.") from error
    return found


def _elements(content: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Kind and content of each element in a row; small ones have both in eight bytes."""
    place = 0
    while place < len(content):
        kind, size = struct.unpack_from(order + "II", content, place)
        begin = place + 8
        if kind >> 16:
            kind, size, begin = kind & 0xFFFF, kind >> 16, place + 4
            if size > 4:
                raise _Damaged
            place += 8
        else:
            place = begin + size
            place += 0 if kind == _COMPRESSED else -place % 8
        if begin + size > len(content):
            raise _Damaged
        yield kind, content[begin : begin + size]


def _unpacked(name: str, part: memoryview, order: str, names: Collection[str]) -> memoryview | None:
    """The matrix that a compressed element holds, if it is of one of the names; nothing else is unpacked whole."""
    head = zlib.decompressobj().decompress(part, _NAME_WITHIN)
    kind, size = struct.unpack_from(order + "II", head)
    if kind != _MATRIX:
        raise _Damaged
    if _name(memoryview(head)[8:], order) not in names:
        return None
    physical_memory.check(name, 2 * size)
    whole = zlib.decompressobj().decompress(part, 8 + size)
    if len(whole) < 8 + size:
        raise _Damaged
    return memoryview(whole)[8:]


def _name(matrix: memoryview, order: str) -> str:
    """Of a matrix of which at least the beginning is there."""
    place = 0
    for _ in range(2):  # flags and sides
        place += 8 + _padded(matrix, order, place)
    kind, size = struct.unpack_from(order + "II", matrix, place)
    if kind >> 16:
        return str(matrix[place + 4 : place + 4 + (kind >> 16)], "latin-1")
    return str(matrix[place + 8 : place + 8 + size], "latin-1")


def _padded(content: memoryview, order: str, place: int) -> int:
    """Bytes after the first eight of an element."""
    kind, size = struct.unpack_from(order + "II", content, place)
    return 0 if kind >> 16 else size + -size % 8


def _matrix(content: memoryview, order: str) -> np.ndarray | list[np.ndarray]:
    kind, shape, parts = _begin(content, order)
    if kind != _CELL:
        return _numbers(kind, shape, parts, order)
    count = math.prod(shape)
    if count > MAX_CELLS:
        raise _Damaged
    return [_numbers(*_begin(next(parts)[1], order), order) for _ in range(count)]


def _begin(content: memoryview, order: str) -> tuple[int, tuple[int, ...], Iterator[tuple[int, memoryview]]]:
    """Class and sides of a matrix, and the elements that follow its name."""
    parts = _elements(content, order)
    (flags,) = struct.unpack_from(order + "I", next(parts)[1])
    kind, sides = next(parts)
    if kind != _SIDES or not 2 <= len(sides) // 4 <= MAX_DIMENSIONS or (flags >> 8) & _COMPLEX:
        raise _Damaged
    shape = struct.unpack(f"{order}{len(sides) // 4}i", sides)
    if min(shape) < 0:
        raise _Damaged
    next(parts)  # its name
    return flags & 0xFF, shape, parts


def _numbers(kind: int, shape: tuple[int, ...], parts: Iterator[tuple[int, memoryview]], order: str) -> np.ndarray:
    if not _FIRST_NUMERIC <= kind <= _LAST_NUMERIC:
        raise _Damaged
    stored, numbers = next(parts)
    if stored not in _NUMBERS:
        raise _Damaged
    dtype = np.dtype(order + _NUMBERS[stored])  # often smaller than the class: what the numbers need
    if len(numbers) != math.prod(shape) * dtype.itemsize:
        raise _Damaged
    flat = np.frombuffer(numbers, dtype) if len(numbers) else np.zeros(0, dtype)
    return flat.reshape(shape, order="F")
