# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of NumPy arrays (``.npz``) whose makers are not trusted.

Nothing is unpickled, no text of the file is evaluated, and every size is checked before memory is taken: NumPy's own
reader takes what a header asks for, and the archive's reader as many entries as its directory lists. Members are known
by name and never become files.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from engine import physical_memory
from engine.errors import FileError
from engine.motion import files

MAX_MEMBERS = 1000
MAX_DIMENSIONS = 8
MAX_TEXTS = 10_000
COPIES = 3
"""Times that its unpacked size is in memory while an archive is read: packed, unpacked, and as numbers."""

_DIRECTORY_ENTRY = b"PK\x01\x02"
_MAGIC = re.compile(rb"\x93NUMPY([\x01-\x03])\x00", re.S)
MAX_HEADER = 10_000  # bytes, as in NumPy
_FIELD = re.compile(
    r"['\"](descr|fortran_order|shape)['\"]\s*:\s*(?:['\"]([^'\"]{1,20})['\"]|(True|False)|\(([\d\sL,]{0,200})\))"
)
_SIDE = re.compile(r"[0-9]{1,18}")
_DTYPE = re.compile(r"[<>|=]?(?:f[248]|[iu][1248]|b1|[SU]\d{1,6}|O)")


def read(
    path: Path,
    most: int = files.MAX_BYTES,
    keys: Collection[str] | None = None,
    advice: str = "download or export it again",
) -> dict[str, bytes]:
    """The members of an archive, each as the bytes of its ``.npy``.

    Args:
        path: the archive.
        most: bytes that it may have, and that the members may have together.
        keys: the members to unpack; None for all.
        advice: what to do about an archive that is damaged.

    Raises:
        FileError: it cannot be read, is no archive, holds too much, or needs more memory than there is.
    """
    content = files.read_bytes(path, most)
    if content.count(_DIRECTORY_ENTRY) > MAX_MEMBERS:  # before the directory is read, entry by entry
        raise FileError(f"{path.name} holds more than {MAX_MEMBERS} arrays; choose another file.")
    with entries(path.name, io.BytesIO(content), advice) as (archive, found):
        if keys is not None:
            found = {key: entry for key, entry in found.items() if key in keys}
        size = unpacked_size(path.name, found, most, "choose another file")
        physical_memory.check(path.name, COPIES * size)
        return {key: unpacked(archive, entry) for key, entry in found.items()}


@contextmanager
def entries(
    name: str, stream: IO[bytes], advice: str
) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    """An archive, and its arrays by name; what goes wrong in the block, too, is told as damage.

    Args:
        name: of the file, for errors.
        stream: of the archive, at its begin.
        advice: what to do about one that is damaged.

    Raises:
        FileError: it is no archive, or damaged.
    """
    if stream.read(2) != b"PK":
        raise FileError(f"{name} is no .npz archive; {advice}.")
    try:
        with zipfile.ZipFile(stream) as archive:
            yield archive, {
                entry.filename.removesuffix(".npy"): entry
                for entry in archive.infolist()
                if entry.filename.endswith(".npy")
            }
    except (
        zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError,
    ) as error:  # fmt: skip
        raise FileError(f"{name} is not an intact .npz archive; {advice}.") from error


def unpacked_size(name: str, found: Mapping[str, zipfile.ZipInfo], most: int, advice: str) -> int:
    """Bytes of members together; FileError with ``advice`` where they are more than ``most``."""
    size = sum(entry.file_size for entry in found.values())
    if size > most:
        raise FileError(
            f"{name} unpacks to {size / 1e9:.1f} GB, and {most / 1e9:.1f} GB is the most that is read; {advice}."
        )
    return size


@contextmanager
def member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    """The stream of a member's bytes."""
    # Other compressions take memory as their headers ask for, and no .npz has them.
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotImplementedError("compression")
    with archive.open(entry) as stream:
        yield stream


def unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The bytes of a member, no more than its entry tells, whatever the compressed stream would unpack to."""
    with member(archive, entry) as stream:
        return stream.read(entry.file_size)


def array(
    name: str, members: Mapping[str, bytes], key: str, kinds: str = "fiu", advice: str = "download or export it again"
) -> np.ndarray:
    """One array of an archive, which must not be written to.

    Args:
        name: of the file, for errors.
        members: as `read` gives them.
        key: the array's name.
        kinds: NumPy's letters of what it may hold: f, i, u, b, S, U.
        advice: what to do where it is damaged.

    Raises:
        FileError: there is none of that name, or it is damaged, a pickle, or of another kind.
    """
    if key not in members:
        raise FileError(f"{name} has no array {key!r}; choose another file.")
    content = members[key]
    dtype, fortran, shape, begin = header(content)
    refuse_pickles(name, key, dtype)
    if dtype is None or dtype.kind not in kinds or math.prod(shape) * dtype.itemsize != len(content) - begin:
        raise FileError(f"{name} holds a damaged array {key!r}; {advice}.")
    flat = np.frombuffer(content, dtype, offset=begin) if begin < len(content) else np.zeros(0, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def refuse_pickles(name: str, key: str, dtype: np.dtype | None) -> None:
    """Raise FileError for an array of Python objects."""
    if dtype is not None and dtype.kind == "O":
        raise FileError(
            f"{name} holds {key} as a pickled Python object, which may run code when opened; convert it to an .npz of "
            "plain arrays."
        )


def pickled(
    name: str, members: Mapping[str, bytes], key: str, advice: str = "download or export it again"
) -> memoryview:
    """The pickle of an object array of an archive, unopened.

    Args: as of `array`.

    Raises:
        FileError: there is no array of that name, it is damaged, or holds no objects.
    """
    if key not in members:
        raise FileError(f"{name} has no array {key!r}; choose another file.")
    dtype, _, _, begin = header(members[key])
    if dtype is None or dtype.kind != "O":
        raise FileError(f"{name} holds no dictionary in {key!r}; {advice}.")
    return memoryview(members[key])[begin:]


def texts(found: np.ndarray) -> list[str]:
    """The texts of an array of them, whatever they hold; raises ValueError for more than `MAX_TEXTS`."""
    if found.size > MAX_TEXTS:
        raise ValueError(f"more than {MAX_TEXTS} texts")
    wide = found.dtype.kind == "U"
    coding = ("utf-32-be" if found.dtype.byteorder == ">" else "utf-32-le") if wide else "latin-1"
    # Not str() of an element: NumPy refuses letters that are none.
    flat = np.ascontiguousarray(found).reshape(-1)
    return [flat[n : n + 1].tobytes().decode(coding, "replace").rstrip("\0") for n in range(flat.size)]


def header(content: bytes) -> tuple[np.dtype | None, bool, tuple[int, ...], int]:
    """Type, order and shape of a ``.npy``, and where its numbers begin; no type where it is damaged or of no use."""
    nothing = (None, False, (), 0)
    magic = _MAGIC.match(content)
    if magic is None:
        return nothing
    size = struct.Struct("<H" if magic[1] == b"\1" else "<I")
    if len(content) < magic.end() + size.size:
        return nothing
    begin = magic.end() + size.size
    (length,) = size.unpack_from(content, magic.end())
    text = content[begin : begin + length].decode("latin-1")
    if length > MAX_HEADER or len(text) < length:
        return nothing
    fields = {match[1]: match for match in _FIELD.finditer(text)}
    if len(fields) < 3:
        return nothing
    descr, order, numbers = fields["descr"][2], fields["fortran_order"][3], fields["shape"][4]
    if descr is None or order is None or numbers is None or not _DTYPE.fullmatch(descr):
        return nothing
    sides = [side.strip().removesuffix("L") for side in numbers.split(",") if side.strip()]
    if len(sides) > MAX_DIMENSIONS or not all(_SIDE.fullmatch(side) for side in sides):
        return nothing
    return np.dtype(descr), order == "True", tuple(map(int, sides)), begin + length
