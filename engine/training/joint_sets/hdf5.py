# SPDX-License-Identifier: GPL-3.0-or-later
"""HDF5 files, among them MATLAB's of version 7.3: arrays of numbers, by the package h5py where it is installed.

The HDF5 library itself reads the file's structure; what is asked for here is checked before it is read: its size, its
kind, and that it is in this file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from engine import physical_memory
from engine.errors import FileError, PackageError
from engine.motion import files

_ADVICE = "download it again"
_FAILURES = (OSError, RuntimeError, KeyError, ValueError, TypeError)  # of h5py, for damaged files


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The open file, for `array` and `keys`.

    Raises:
        PackageError: h5py is not installed. FileError: the file is missing, no HDF5 file or damaged.
    """
    if find_spec("h5py") is None:
        raise PackageError(
            f"{path.name} is an HDF5 file, which needs the package h5py: install it in the engine's Python "
            f"({sys.executable})."
        )
    import h5py

    if not path.is_file():
        raise FileError(f"{path.name} cannot be read: there is no such file.")
    try:
        file = h5py.File(path, "r")
    except _FAILURES as error:
        raise FileError(f"{path.name} is no intact HDF5 file; {_ADVICE}.") from error
    with file:
        yield file


def names(path: Path, file: Any, group: str) -> list[str]:
    """What a group of the file holds, by name; nothing where there is no such group.

    Raises:
        FileError: the file is damaged.
    """
    import h5py

    try:
        found = file[group] if _is_here(file, group) else None
        return list(found) if isinstance(found, h5py.Group) else []
    except _FAILURES as error:
        raise FileError(f"{path.name} is no intact HDF5 file; {_ADVICE}.") from error


def array(path: Path, file: Any, key: str) -> np.ndarray:
    """An array of numbers.

    Raises:
        FileError: the file has no such array, is damaged, or needs more memory than there is.
    """
    import h5py

    try:
        found = file[key] if _is_here(file, key) else None
        if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "fiu" or found.external or found.is_virtual:
            raise FileError(f"{path.name} has no array of numbers {key!r}; {_ADVICE}.")
        size = found.size * found.dtype.itemsize
        if size > files.MAX_BYTES:
            raise FileError(
                f"{path.name} has {size / 1e9:.1f} GB in {key}, and {files.MAX_BYTES / 1e9:.1f} GB is the most that is "
                f"read; {_ADVICE}."
            )
        physical_memory.check(path.name, size)
        return found[()]
    except _FAILURES as error:
        raise FileError(f"{path.name} is no intact HDF5 file; {_ADVICE}.") from error


def _is_here(file: Any, key: str) -> bool:
    """Whether a name leads to something by hard links alone: others may lead to other files."""
    import h5py

    place = file
    for part in key.split("/"):
        if not isinstance(place, h5py.Group) or not isinstance(place.get(part, getlink=True), h5py.HardLink):
            return False
        place = place[part]
    return True
