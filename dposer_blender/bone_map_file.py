# SPDX-License-Identifier: GPL-3.0-or-later
"""Bone maps as files, to share and to keep: a table of joints and bones in JSON, for people to read.

::

    {"dposer_bone_map": 1, "rig": "Mixamo", "bones": {"left_elbow": "mixamorig:LeftForeArm", "left_foot": ""}}

An empty name leaves the joint out; a joint that is not there is found automatically.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..engine.errors import FileError
from ..engine.motion.joints import JOINTS

VERSION = 1
MAX_SIZE = 1 << 20  # bytes; a map of 22 bones takes two thousand


def write(path: Path, rig: str, bones: Mapping[str, str]) -> None:
    """Write a map, over a file of this name too; a disk that is full leaves that as it was.

    Raises:
        FileError: the file cannot be written.
    """
    content = {"dposer_bone_map": VERSION, "rig": rig, "bones": dict(bones)}
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    partial = path.with_name(f"{path.name}.part")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        why = error.strerror or error
        raise FileError(f"{path.name} cannot be written ({why}); choose another place.") from error


def read(path: Path) -> tuple[str, dict[str, str]]:
    """The rig's title and the bones of a map.

    Raises:
        FileError: the file cannot be read, or holds no map of this version.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SIZE + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise FileError(f"{path.name} cannot be read ({why}); choose another file.") from error
    if len(content) > MAX_SIZE:
        raise FileError(f"{path.name} is larger than 1 MB, so it is no bone map; choose another file.")
    try:
        table = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_unique)
    except _Twice as error:
        raise FileError(f"{path.name} names {few([str(error)])} twice; remove one of the two.") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path.name} is no JSON file; choose a bone map that DPoser exported.") from error
    return _understood(table, path.name)


class _Twice(Exception):
    """A key that an object of the file has twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise _Twice(key)
        table[key] = value
    return table


def _understood(table: Any, name: str) -> tuple[str, dict[str, str]]:
    if not isinstance(table, dict) or "dposer_bone_map" not in table:
        raise FileError(f"{name} holds no bone map; choose a file that DPoser exported.")
    version, bones = table["dposer_bone_map"], table.get("bones")
    if type(version) is not int or version != VERSION:
        raise FileError(f"{name} is a bone map of another version ({version!r:.20}); update DPoser to read it.")
    if not isinstance(bones, dict) or not all(isinstance(bone, str) for bone in bones.values()):
        raise FileError(f'{name} must give each joint the name of its bone under "bones"; correct it.')
    if not bones:
        raise FileError(f"{name} maps no bone; choose another file.")
    if unknown := [joint for joint in bones if joint not in JOINTS]:
        raise FileError(f"{name} names joints that the body does not have: {few(unknown)}; correct its names.")
    rig = table.get("rig")
    return rig if isinstance(rig, str) else "", bones


def few(names: list[str]) -> str:
    """The first three of some names, fit for a sentence, and how many more there are."""
    shown = ", ".join(_fit(name) for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _fit(name: str) -> str:
    plain = "".join(letter if letter.isprintable() else "?" for letter in name)
    return plain if len(plain) <= 64 else f"{plain[:60]}..."
