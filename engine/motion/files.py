# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading files that may be anything, and replacing them so that a failure never leaves a half-written one behind.

Blender's side reads bone maps by this, too, so imports are relative.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import FileError
from ..wording import few

MAX_BYTES = 4 << 30  # about ten hours of 60 bones at 120 fps; beyond that a file is not a clip
MAX_JSON_GROUPS = 5_000_000  # lists and objects of a JSON file; an empty one of three bytes takes eighty in memory
MAX_JSON_VALUES = 20_000_000  # of a JSON file, by its commas; a text of two letters takes sixty bytes in memory

_BLANK = b"\x00\t\r\n "
_TOKEN_BYTES = 4  # of the names of temporary siblings
_LONGEST = 200  # bytes of a name that a temporary sibling takes over whole; systems allow 255
_FULL = (errno.ENOSPC, errno.EDQUOT)
_HEAD = 1 << 16  # bytes in which a file that is not empty shows it


@contextmanager
def opened(
    path: Path, most: int = MAX_BYTES, advice: str = "cut it into shorter clips"
) -> Iterator[tuple[BinaryIO, int]]:
    """A file's stream and its size in bytes, and of nothing else: pipes and devices have no end.

    Args:
        path: the file; a link to one will do.
        most: bytes that it may have.
        advice: what to do about a larger one.

    Raises:
        FileError: the file is missing, unreadable, no file, or larger than that; also where the block's reading fails.
    """
    try:
        # Opened without waiting for the other end of what may be a pipe.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        try:
            descriptor = os.open(path, flags)
        except ValueError as error:  # a zero byte in the path
            raise FileError(f"{path.name!r} cannot be read: no file has such a name; choose another.") from error
        try:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(status.st_mode):
                raise FileError(f"{path.name} cannot be read: it is a pipe or a device; choose a file.")
            if status.st_size > most:
                size = f"{status.st_size / 1e9:.1f} GB" if most >= 1e9 else f"{status.st_size / 1e6:.1f} MB"
                limit = f"{most / 1e9:.1f} GB" if most >= 1e9 else f"{most / 1e6:.0f} MB"
                raise FileError(f"{path.name} has {size}, and {limit} is the most that is read; {advice}.")
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                yield stream, status.st_size
        finally:
            os.close(descriptor)
    except OSError as error:
        raise FileError(f"{path.name} cannot be read: {_reason(error)}.") from error


def read_bytes(path: Path, most: int = MAX_BYTES, advice: str = "cut it into shorter clips") -> bytes:
    """Whole content of a file.

    Args: as of `opened`.

    Raises:
        FileError: as `opened`, or the file is empty.
    """
    with opened(path, most, advice) as (stream, size):
        content = stream.read(size)  # of a file that grows meanwhile, what was there
    if not content[:_HEAD].strip(_BLANK) and not content.strip(_BLANK):
        raise FileError(f"{path.name} is empty; export it again.")
    return content


def read_json(path: Path, most: int, advice: str) -> Any:
    """What a JSON file holds: null, bool, int, float (NaN and infinite, too), str, list and dict.

    Args:
        path: the file.
        most: bytes that it may have.
        advice: what to do about one that is too large or no JSON.

    Raises:
        FileError: as `read_bytes`; it is no JSON, nested too deep, holds more than `MAX_JSON_GROUPS` lists and objects
            or `MAX_JSON_VALUES` values, or names something twice.
    """
    content = read_bytes(path, most, advice)
    if content.count(b"[") + content.count(b"{") > MAX_JSON_GROUPS:
        raise FileError(f"{path.name} holds more than {MAX_JSON_GROUPS} lists and objects; {advice}.")
    if content.count(b",") > MAX_JSON_VALUES:
        raise FileError(f"{path.name} holds more than {MAX_JSON_VALUES} values; {advice}.")
    try:
        return json.loads(content, object_pairs_hook=_unique)
    except _Twice as error:
        raise FileError(f"{path.name} names {few([str(error)])} twice; remove one of the two.") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path.name} is no JSON file; {advice}.") from error


class _Twice(Exception):
    """A name that an object of the file has twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, value in pairs:
        if name in table:
            raise _Twice(name)
        table[name] = value
    return table


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary stream whose content becomes the file at `path` when the block ends without an error.

    The content goes to a temporary sibling that replaces the target in one step, so a full disk, a crash or an
    exception leaves the former file as it was.

    Raises:
        FileError: the target is read-only or a folder, its folder is missing or read-only, or the disk is full.
    """
    temporary = sibling(path)
    try:
        mode_of(path)  # What cannot be replaced is refused before anything is written.
        # Not tempfile: it makes files private to the user, where a clip should obey the umask like any other file.
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        put(temporary, path)
    except OSError as error:
        raise FileError(f"{path.name} cannot be written: {_reason(error)}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def sibling(path: Path) -> Path:
    """A name beside a file for what is to take its place, which `remove_leftovers` knows."""
    return path.with_name(f"{_prefix(path)}{secrets.token_hex(_TOKEN_BYTES)}.tmp")


def put(made: Path, path: Path) -> None:
    """Put a file, one beside `path`, in its place in one step, with the former file's permissions.

    Raises:
        FileError: the target is read-only or a folder, or the file is gone.
    """
    try:
        mode = mode_of(path)
        if mode is not None:
            os.chmod(made, stat.S_IMODE(mode))
        os.replace(made, path)
    except OSError as error:
        raise FileError(f"{path.name} cannot be written: {_reason(error)}.") from error


def mode_of(path: Path) -> int | None:
    """Kind and permissions of a file that may be written over; None where there is none.

    Raises:
        FileError: it is read-only, or no file. OSError: it cannot be looked at.
    """
    if not path.exists():
        return None
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise FileError(f"{path.name} cannot be written: it is not a file; choose another name.")
    if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise FileError(f"{path.name} is read-only; choose another name or allow writing to it.")
    return mode


def _prefix(path: Path) -> str:
    """How the names of a file's temporary siblings begin; they are no longer than systems let names be."""
    name = path.name
    if len(os.fsencode(name)) > _LONGEST:
        name = f"{name[: _LONGEST // 8]}~{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"
    return f".{name}."


def remove_leftovers(path: Path) -> None:
    """Remove what killed writers of `path` have left beside it; for those who know that nobody writes it now."""
    token = "[0-9a-f]" * 2 * _TOKEN_BYTES
    name = f"{glob.escape(_prefix(path))}{token}.tmp"
    for pattern in (name, f".{name}.{token}.tmp"):  # the second is of a sibling's own writing
        for left in path.parent.glob(pattern):
            with suppress(OSError):
                left.unlink()


def no_more_can_be_written(error: BaseException) -> bool:
    """Whether `error` comes of a disk that is full or read-only, so that other files there would fare no better."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (*_FULL, errno.EROFS)


def _reason(error: OSError) -> str:
    match error.errno:
        case errno.ENOENT:
            return "there is no such file or folder"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "permission denied"
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return "the disk is full"
        case errno.EISDIR | errno.ENOTDIR:
            return "the path is not a file in a folder"
        case _:
            return (error.strerror or str(error)).lower()
