# SPDX-License-Identifier: GPL-3.0-or-later
"""The keypoint file that a request names, and how it is to be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import FileError, ProtocolError
from engine.protocol import Header
from engine.requests.parameters import required


@dataclass(frozen=True)
class KeypointFile:
    """A file, or a folder of files.

    Attributes:
        path: its.
        size: (width, height) of the images in pixels; None for what the file says.
        layout: see `engine.motion.keypoints`; None for what the file says.
        state: what changes when it does: its bytes, and when it was written in nanoseconds.
    """

    path: Path
    size: tuple[int, int] | None
    layout: str | None
    state: tuple[int, int]

    @classmethod
    def named(cls, params: Header) -> KeypointFile:
        """By ``path``, ``size`` and ``layout`` of a request, of which the last two may be null.

        Raises:
            ProtocolError: one of them is missing or of another type. FileError: there is no such file.
        """
        path, layout = required(params, "path"), params.get("layout")
        if not isinstance(path, str) or not isinstance(layout, str | None):
            raise ProtocolError("A request to the engine names no keypoint file or layout; reinstall DPoser.")
        size = size_of(params, "size")
        try:
            found = Path(path).stat()
        except (OSError, ValueError) as error:  # no file has a name with a zero byte
            raise FileError("The keypoint file is not there any more; choose it again.") from error
        return cls(Path(path), size, layout, (found.st_size, found.st_mtime_ns))


def size_of(params: Header, key: str) -> tuple[int, int] | None:
    """(width, height) in pixels that a request gives, or null; raises ProtocolError for anything else."""
    value = params.get(key)
    if value is None:
        return None
    if not (isinstance(value, list) and len(value) == 2 and all(type(side) is int and side > 0 for side in value)):
        raise ProtocolError("A request to the engine has a size that is no width and height; reinstall DPoser.")
    return value[0], value[1]
