# SPDX-License-Identifier: GPL-3.0-or-later
"""Bone maps as files, to share and to keep: a table of joints and bones in JSON, for people to read.

::

    {"dposer_bone_map": 1, "rig": "Mixamo", "bones": {"left_elbow": "mixamorig:LeftForeArm", "left_foot": ""}}

An empty name leaves the joint out; a joint that is not there is found automatically. Blender's side reads and writes
them by this, too, so imports are relative.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import FileError
from ..wording import few
from .files import read_json, replacing
from .joints import JOINTS

VERSION = 1
MAX_BYTES = 1_000_000  # a map of 22 bones takes two thousand


def write(path: Path, rig: str, bones: Mapping[str, str]) -> None:
    """Write a map, over a file of this name too; a disk that is full leaves that as it was.

    Raises:
        FileError: the file cannot be written.
    """
    content = {"dposer_bone_map": VERSION, "rig": rig, "bones": dict(bones)}
    with replacing(path) as stream:
        stream.write((json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace"))


def read(path: Path) -> tuple[str, dict[str, str]]:
    """The rig's title and the bones of a map.

    Raises:
        FileError: the file cannot be read, or holds no map of this version.
    """
    table = read_json(path, MAX_BYTES, "choose a bone map that DPoser exported")
    if not isinstance(table, dict) or "dposer_bone_map" not in table:
        raise FileError(f"{path.name} holds no bone map; choose a file that DPoser exported.")
    version, rig = table["dposer_bone_map"], table.get("rig")
    if type(version) is not int or version != VERSION:
        raise FileError(f"{path.name} is a bone map of another version ({version!r:.20}); update DPoser to read it.")
    return rig if isinstance(rig, str) else "", _checked(table.get("bones"), path.name, ' under "bones"')


def read_plain(path: Path) -> dict[str, str]:
    """The bones of a map, or of a file that holds the table of bones alone, as one writes it by hand.

    Raises:
        FileError: as `read`.
    """
    table = read_json(path, MAX_BYTES, "write a bone map as joint: bone")
    if isinstance(table, dict) and "dposer_bone_map" in table:
        return read(path)[1]
    return _checked(table, path.name, "")


def _checked(bones: Any, name: str, where: str) -> dict[str, str]:
    if not isinstance(bones, dict) or not all(isinstance(bone, str) for bone in bones.values()):
        raise FileError(f"{name} must give each joint the name of its bone{where}; correct it.")
    if not bones:
        raise FileError(f"{name} maps no bone; choose another file.")
    if unknown := [joint for joint in bones if joint not in JOINTS]:
        raise FileError(f"{name} names joints that the body does not have: {few(unknown)}; correct its names.")
    return bones
