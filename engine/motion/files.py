# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading and replacing files so that a failure never leaves a half-written one behind."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from engine.errors import FileError

MAX_BYTES = 4 << 30  # about ten hours of 60 bones at 120 fps; beyond that a file is not a clip


def read_bytes(path: Path) -> bytes:
    """Whole content of a file.

    Raises:
        FileError: the file is missing, unreadable, empty, or larger than `MAX_BYTES`.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise FileError(f"{path.name} has {size / 1e9:.1f} GB, more than a clip has; cut it into shorter clips.")
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"{path.name} cannot be read: {_reason(error)}.") from error
    if not content.strip(b"\x00\t\r\n "):
        raise FileError(f"{path.name} is empty; export the clip again.")
    return content


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary stream whose content becomes the file at `path` when the block ends without an error.

    The content goes to a temporary sibling that replaces the target in one step, so a full disk, a crash or an
    exception leaves the former file as it was.

    Raises:
        FileError: the target is read-only or a folder, its folder is missing or read-only, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        mode = path.stat().st_mode if path.exists() else None
        if mode is not None and not stat.S_ISREG(mode):
            raise FileError(f"{path.name} cannot be written: it is not a file; choose another name.")
        if mode is not None and not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
            raise FileError(f"{path.name} is read-only; choose another name or allow writing to it.")
        # Not tempfile: it makes files private to the user, where a clip should obey the umask like any other file.
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if mode is not None:
            os.chmod(temporary, stat.S_IMODE(mode))
        os.replace(temporary, path)
    except OSError as error:
        raise FileError(f"{path.name} cannot be written: {_reason(error)}.") from error
    finally:
        temporary.unlink(missing_ok=True)


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
