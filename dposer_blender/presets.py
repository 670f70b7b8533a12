# SPDX-License-Identifier: GPL-3.0-or-later
"""Bone maps kept for later on this machine, where Blender wants a user's data: one file each, as exported ones."""

from __future__ import annotations

from pathlib import Path

from ..engine.errors import FileError
from .user_folder import user_folder

_FOLDER = "bone_maps"
_FORBIDDEN = set('\\/:*?"<>|')  # in the file names of one system or another


def names() -> list[str]:
    """The presets there are, by name."""
    return sorted((path.stem for path in _folder(False).glob("*.json")), key=str.casefold)


def path(name: str, create: bool = False) -> Path:
    """The file of a preset; with ``create``, its folder is there too.

    Raises:
        FileError: no preset can have that name.
    """
    name = name.strip()
    if not 1 <= len(name) <= 60 or name.startswith(".") or not name.isprintable() or _FORBIDDEN & set(name):
        raise FileError('Name the preset in 1 to 60 characters, none of \\ / : * ? " < > | and no dot in front.')
    return _folder(create) / f"{name}.json"


def existing(name: str) -> Path:
    """The file of a preset that there is; raises FileError where there is none."""
    if name not in names():
        raise FileError(f"There is no preset called {name!r:.70}; choose another.")
    return path(name)


def _folder(create: bool) -> Path:
    return user_folder(_FOLDER, create)
