# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays of untrusted archives (``.npz``) that are larger than memory ought to be: some rows at a time.

As `engine.motion.npz` does, nothing is unpickled, and sizes are checked before memory is taken. Members are unpacked as
they are asked for, stored or compressed, so that a file takes no more memory than the rows at hand.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from engine.errors import FileError
from engine.motion import files, npz

MOST_BESIDE = 64_000_000  # bytes of the members that are read whole
_PIECE = 1 << 20  # bytes that are read at once, at most
_DIRECTORY = 1 << 20  # bytes, of a directory of some thousand members


class _Sparing:
    """A stream that is not asked for much at once: zipfile reads a directory as large as the file says it is."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable
        self._read = stream.read

    def read(self, size: int = -1) -> bytes:
        if size > max(_PIECE, _DIRECTORY):
            raise ValueError("a directory that no archive of arrays has")
        return self._read(size)


@dataclass(frozen=True)
class Archive:
    """An archive that is open.

    Attributes:
        name: of the file, for errors.
        advice: what to do where it is damaged.
        keys: of its arrays.
    """

    name: str
    advice: str
    keys: Collection[str]
    _zip: zipfile.ZipFile
    _entries: dict[str, zipfile.ZipInfo]

    def members(self, keys: Collection[str]) -> dict[str, bytes]:
        """Small members whole, those that there are, as `engine.motion.npz.array` takes them.

        Raises:
            FileError: together they hold more than `MOST_BESIDE` bytes.
        """
        found = {key: entry for key, entry in self._entries.items() if key in keys}
        if sum(entry.file_size for entry in found.values()) > MOST_BESIDE:
            raise FileError(
                f"{self.name} holds more than {MOST_BESIDE / 1e6:.0f} MB of {', '.join(found)}; {self.advice}."
            )
        contents = {}
        for key, entry in found.items():
            with npz.member(self._zip, entry) as stream:
                contents[key] = _read(stream, entry.file_size)
        return contents

    def rows(self, key: str, kinds: str = "fiu") -> Rows:
        """An array whose first axis is gone along.

        Args:
            key: the array's name.
            kinds: NumPy's letters of what it may hold: f, i, u.

        Raises:
            FileError: there is none of that name, or it is damaged, a pickle, of another kind, or in another order.
        """
        if key not in self._entries:
            raise FileError(f"{self.name} has no array {key!r}; choose another file.")
        entry = self._entries[key]
        with npz.member(self._zip, entry) as stream:
            head = _read(stream, min(entry.file_size, npz.MAX_HEADER + 100))
        dtype, fortran, shape, begin = npz.header(head)
        npz.refuse_pickles(self.name, key, dtype)
        if (
            dtype is None
            or dtype.kind not in kinds
            or not shape
            or math.prod(shape) * dtype.itemsize != entry.file_size - begin
        ):
            raise FileError(f"{self.name} holds a damaged array {key!r}; {self.advice}.")
        if fortran and len(shape) > 1:
            raise FileError(
                f"{self.name} holds {key} in Fortran's order; save numpy.ascontiguousarray of it instead."
            )
        return Rows(self, key, dtype, shape, begin)

    def _blocks(self, key: str, begin: int, count: int, size: int, at_once: int) -> Iterator[bytes]:
        """The bytes of ``count`` rows of ``size`` bytes that begin at a place, ``at_once`` rows after the other."""
        with npz.member(self._zip, self._entries[key]) as stream:
            _read(stream, begin)
            for first in range(0, count, at_once):
                wanted = size * min(at_once, count - first)
                content = _read(stream, wanted)
                if len(content) < wanted:
                    raise EOFError(key)
                yield content


@dataclass(frozen=True)
class Rows:
    """An array of an open archive that is read along its first axis.

    Attributes:
        archive: which holds it.
        key: its name.
        dtype: of its numbers.
        shape: of all of it.
        begin: byte of the member at which the numbers begin.
    """

    archive: Archive
    key: str
    dtype: np.dtype
    shape: tuple[int, ...]
    begin: int

    def blocks(self, at_once: int) -> Iterator[tuple[int, np.ndarray]]:
        """The number of the first row, and ``at_once`` rows or, at the end, fewer, which must not be written to."""
        row = math.prod(self.shape[1:]) * self.dtype.itemsize
        contents = self.archive._blocks(self.key, self.begin, self.shape[0], row, at_once)
        for number, content in enumerate(contents):
            yield number * at_once, np.frombuffer(content, self.dtype).reshape(-1, *self.shape[1:])


@contextmanager
def opened(path: Path, most: int = files.MAX_BYTES, advice: str = "export it again") -> Iterator[Archive]:
    """An archive, open in the block; damage that shows only there is told like any other.

    Args:
        path: the archive.
        most: bytes that it may have, and that its members may have together.
        advice: what to do about one that is damaged.

    Raises:
        FileError: it cannot be read, is no archive, or holds too much.
    """
    with files.opened(path, most) as (stream, size):
        if not size:
            raise FileError(f"{path.name} is empty; export it again.")
        with npz.entries(path.name, cast(IO[bytes], _Sparing(stream)), advice) as (archive, found):
            if len(archive.infolist()) > npz.MAX_MEMBERS:
                raise FileError(f"{path.name} holds more than {npz.MAX_MEMBERS} arrays; choose another file.")
            npz.unpacked_size(path.name, found, most, "cut it into shorter clips")
            yield Archive(path.name, advice, found.keys(), archive, found)


def _read(stream: IO[bytes], size: int) -> bytes:
    """Up to ``size`` bytes, in pieces: what is asked for at once is taken at once, be it there or not."""
    pieces = []
    while size > 0 and (piece := stream.read(min(size, _PIECE))):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
