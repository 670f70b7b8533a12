# SPDX-License-Identifier: GPL-3.0-or-later
"""One clip from file to body and back, for commands that work on the body alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import FileError, MotionError
from engine.motion import amass, bvh
from engine.motion.joints import HALVES, JOINTS, PARTS
from engine.motion.motion import BodyMotion, Motion

FORMATS: dict[str, Any] = {".bvh": bvh, ".npz": amass}
"""Reader and writer of each kind of clip."""


class ClipFile:
    """A .bvh or AMASS .npz clip and the body it moves.

    Args:
        path: the file.
        bone_map: body joint to bone, where the user chose; else found by name.

    Attributes:
        body: the clip on the body.
        told: (22,) bool, joints that it says something about.
        axes: (3, 3) from the file's axes (of an AMASS clip, those with Y up) to the body's.
        betas: (B,) shape coefficients that the file tells, maybe none; None where it has a rig of its own.

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
            self.body, self.told = motion, np.ones(len(JOINTS), bool)
            self.axes, self.betas = np.eye(3), self._content.betas
        else:
            from engine.motion.retarget import Alignment, to_body, told
            from engine.motion.rigs import find_map

            self._rig_map = find_map(motion.skeleton, bone_map)
            alignment = Alignment(motion, self._rig_map)
            self.body = to_body(motion, self._rig_map, alignment)
            self.axes, self.betas = alignment.axes, None
            self.told = told(self.body, self._rig_map)

    def pose(self, frame: int) -> BodyMotion:
        """The body at one frame, counted from 0.

        Raises:
            MotionError: the clip has no such frame.
        """
        if not 0 <= frame < len(self.body):
            raise MotionError(f"There is no frame {frame} in the clip, whose frames are 0 to {len(self.body) - 1}.")
        return replace(self.body, poses=self.body.poses[[frame]], transl=self.body.transl[[frame]])

    def leg_offsets(self, frame: int) -> np.ndarray | None:
        """(1, 22, 3) metres, where the joints of the rig's legs are at a frame; None where they are the body's."""
        if self._rig_map is None:
            return None
        from engine.motion.rig_joints import rig_offsets

        return rig_offsets(self._at(frame, 1), self._rig_map, self.pose(frame))

    def joints_of(self, name: str) -> set[str]:
        """The body's joints that a joint's, a part's or a bone's name stands for, the pelvis apart; maybe none."""
        followers = self._rig_map.joints_of(name) if self._rig_map else set()
        return (followers | set((PARTS | HALVES).get(name, ())) | ({name} & set(JOINTS))) - {JOINTS[0]}

    def write(self, path: Path, after: BodyMotion, betas: np.ndarray | None = None) -> None:
        """Write the clip with its body moved as ``after``; what did not change stays bit-equal.

        Args:
            path: the file.
            after: of as many frames.
            betas: (B,) shape coefficients in place of the file's, which only AMASS clips have.

        Raises:
            FileError: the file cannot be written.
        """
        if self._rig_map is None:
            content = self._content if betas is None else amass.shaped(self._content, betas)
            self._format.write(path, content, after)
            return
        from engine.motion.retarget import to_rig

        edit = to_rig(self._content.motion, self._rig_map, self.body, after)
        self._format.write(path, self._content, edit.motion)

    def write_made(self, path: Path, made: BodyMotion, frame: int) -> None:
        """Write a clip of its own, made of the pose at one frame of this one.

        Raises:
            FileError: the file cannot be written.
        """
        if self._rig_map is None:
            amass.create(path, made, self._content.betas if len(self._content.betas) else None)
            return
        from engine.motion.retarget import to_rig

        start, frames = self.pose(frame), len(made)
        held = replace(
            start, poses=np.repeat(start.poses, frames, axis=0), transl=np.repeat(start.transl, frames, axis=0)
        )
        edit = to_rig(self._at(frame, frames), self._rig_map, held, made, collars=True)
        self._format.write(path, self._content, edit.motion)

    def write_poses(self, path: Path, made: BodyMotion, kept: np.ndarray, frame: int) -> None:
        """Write poses as a clip of its own, made of the pose at one frame of this one, of which joints stay.

        Args:
            path: the file.
            made: the poses.
            kept: (22,) bool, joints that stay.
            frame: counted from 0.

        Raises:
            FileError: the file cannot be written.
        """
        if self._rig_map is None:
            self.write_made(path, made, frame)
            return
        from engine.motion.new_poses import put_on

        edit = put_on(self._at(frame, len(made)), self._rig_map, made, kept)
        self._format.write(path, self._content, edit.motion)

    def _at(self, frame: int, frames: int) -> Motion:
        """The rig's pose at one frame, held for so many."""
        motion = self._content.motion
        rotations, translations = (
            np.repeat(array[[frame]], frames, axis=0) for array in (motion.rotations, motion.translations)
        )
        return replace(motion, rotations=rotations, translations=translations)


def check_target(source: Path, target: Path, overwrite: bool | None = None) -> None:
    """Raise FileError where ``target`` is no name for a changed copy of ``source``.

    ``overwrite`` allows them to be one file; None where the command has no such option.
    """
    if target.suffix.lower() != source.suffix.lower():
        raise FileError(f"{target.name} must end in {source.suffix}, as {source.name} does; rename it.")
    if not target.parent.is_dir():
        raise FileError(f"The folder {target.parent} does not exist; create it first.")
    if not overwrite and target.exists() and source.exists() and source.samefile(target):
        way_out = "name another file" if overwrite is None else "name another OUT or pass --overwrite"
        raise FileError(f"{source.name} would be written over; {way_out}.")
