# SPDX-License-Identifier: GPL-3.0-or-later
"""One clip from file to body and back, for commands that work on the body alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.errors import FileError
from engine.motion import amass, bvh
from engine.motion.joints import JOINTS, PARTS
from engine.motion.motion import BodyMotion

FORMATS: dict[str, Any] = {".bvh": bvh, ".npz": amass}
"""Reader and writer of each kind of clip."""


class ClipFile:
    """A .bvh or AMASS .npz clip and the body it moves.

    Args:
        path: the file.
        bone_map: body joint to bone, where the user chose; else found by name.

    Raises:
        FileError: no such file, or not of its format. MappingError: its bones cannot be matched to the body.
    """

    def __init__(self, path: Path, bone_map: dict[str, str] | None = None) -> None:
        if not path.exists():
            raise FileError(f"{path} does not exist; check its name.")
        if path.suffix.lower() not in FORMATS:
            raise FileError(f"{path.name} is neither a .bvh nor an .npz file; convert it to one of them.")
        self._format = FORMATS[path.suffix.lower()]
        self._content = self._format.read(path)
        motion = self._content.motion
        self._rig_map = None
        if isinstance(motion, BodyMotion):
            self.body = motion
        else:
            from engine.motion.retarget import to_body
            from engine.motion.rigs import find_map

            self._rig_map = find_map(motion.skeleton, bone_map)
            self.body = to_body(motion, self._rig_map)

    def joints_of(self, name: str) -> set[str]:
        """The body's joints that a joint's, a part's or a bone's name stands for, the pelvis apart; maybe none."""
        followers = self._rig_map.joints_of(name) if self._rig_map else set()
        return (followers | set(PARTS.get(name, ())) | ({name} & set(JOINTS))) - {JOINTS[0]}

    def write(self, path: Path, after: BodyMotion) -> None:
        """Write the clip with its body moved as ``after``; what did not change stays bit-equal.

        Raises:
            FileError: the file cannot be written.
        """
        if self._rig_map is None:
            self._format.write(path, self._content, after)
            return
        from engine.motion.retarget import to_rig

        edit = to_rig(self._content.motion, self._rig_map, self.body, after)
        self._format.write(path, self._content, edit.motion)


def check_target(source: Path, target: Path) -> None:
    """Raise FileError where ``target`` is no name for a changed copy of ``source``."""
    if target.suffix.lower() != source.suffix.lower():
        raise FileError(f"{target.name} must end in {source.suffix}, as {source.name} does; rename it.")
    if not target.parent.is_dir():
        raise FileError(f"The folder {target.parent} does not exist; create it first.")
    if target.exists() and source.exists() and source.samefile(target):
        raise FileError(f"{source.name} would be written over; name another file.")
