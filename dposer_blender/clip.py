# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature's animation as plain arrays: what a job keeps between two ticks, and sends to the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from . import rotations

_BLOCK = 64  # frames taken at once: what they need in passing stays in the processor's cache


@dataclass
class Seen:
    """What Blender evaluates of J bones on T frames.

    Attributes:
        own: (T, J, 4, 4) float32 pose matrices.
        basis: (T, J, 4, 4) float32 what their channels say, from NLA strips too.
        axes: (T, J, 3, 3) float32 the directions that their location channels move them in, in armature space.
    """

    own: np.ndarray
    basis: np.ndarray
    axes: np.ndarray

    @classmethod
    def room(cls, frames: int, bones: int) -> Seen:
        """Arrays yet to be filled."""
        shapes = (frames, bones, 4, 4), (frames, bones, 4, 4), (frames, bones, 3, 3)
        return cls(*(np.empty(shape, np.float32) for shape in shapes))

    def at(self, rows: np.ndarray) -> Seen:
        """Some of the frames."""
        return Seen(self.own[rows], self.basis[rows], self.axes[rows])

    def alone(self) -> Seen:
        """A frame, of arrays without T, as the only one of some."""
        return Seen(self.own[None], self.basis[None], self.axes[None])

    def put(self, row: int, one: Seen) -> None:
        """Fill in a frame, of arrays without T."""
        self.own[row], self.basis[row], self.axes[row] = one.own, one.basis, one.axes


@dataclass
class Puppet:
    """Bones of a rig that other bones, constraints or drivers move.

    Attributes:
        turned: (J,) the bones that a change of the body may turn.
        shown: (J,) names of the bones that show where each bone's part of the body is: the bone itself, but for a
            control that only moves it while a switch says so, such as Rigify's FK controls.
        seen: the bones themselves, on all frames.
        mapping: the engine's, as its request ``map`` gave it.
    """

    turned: np.ndarray
    shown: tuple[str, ...]
    seen: Seen
    mapping: Mapping[str, Any]


@dataclass
class Clip:
    """What an armature's action does on consecutive frames. Holds no reference to Blender's data.

    One of its bones may be the armature object itself, the parent of all others, where it is the object that
    carries the root motion.

    Attributes:
        armature, armature_uid: the object's name and its ``session_uid``.
        action, action_uid, slot: the action, and the slot of it that animates the armature; empty and 0 where NLA
            strips alone do.
        bones: every bone of the armature, so that edits are noticed.
        names: J bones, parents first.
        object_name: which of them stands for the object; empty where none does.
        object_turn: (4,) WXYZ rotation of the object that counts as none: its up axis is the world's there.
        object_scale: of the object.
        parents: (J,) int32, -1 for roots.
        rest: (J, 4, 4) float64 in armature space.
        tails: (J, 3) float64 in armature space.
        scale: metres per unit of armature space.
        fps: frames per second.
        frames: (T,) consecutive whole frames of the action.
        scene_frames: (T,) float64, when they are shown; other than ``frames`` in tweak mode.
        modes: J rotation modes.
        raw_rotations: (T, J, 4) the rotation channels as they are, in the bone's own mode (Eulers: three).
        raw_locations: (T, J, 3) likewise.
        rotations_keyed: (J, 4) which of those channels have an f-curve; locations_keyed: (J, 3).
        rotations_locked, translations_locked: (J,) bones whose keys must stay.
        rotations: (T, J, 4) float64 unit quaternions WXYZ, each bone's rotation from rest.
        translations: (T, J, 3) float64, each bone's displacement in its rest frame, in armature units.
        locked_by: how many bones are locked, for each reason in words that follow "they".
        poses: (T, J, 4, 4) float32 evaluated pose matrices, or None where the f-curves say it all.
        evaluated: how many frames of ``poses`` are filled in.
        puppet: more of what is evaluated, where only the body's bones are read; their parents here are the bones of
            the body's parent joints, as the rig's own parents may be driven in any way.
        bone_map: body joint -> bone where the user mapped it, "" for a joint that is left out.
        human_bones: VRM human bone -> bone, where the VRM add-on names them.
    """

    armature: str
    armature_uid: int
    action: str
    action_uid: int
    slot: str
    bones: tuple[str, ...]
    names: tuple[str, ...]
    object_name: str
    object_turn: np.ndarray
    object_scale: float
    parents: np.ndarray
    rest: np.ndarray
    tails: np.ndarray
    scale: float
    fps: float
    frames: np.ndarray
    scene_frames: np.ndarray
    modes: tuple[str, ...]
    raw_rotations: np.ndarray
    raw_locations: np.ndarray
    rotations_keyed: np.ndarray
    locations_keyed: np.ndarray
    rotations_locked: np.ndarray
    translations_locked: np.ndarray
    rotations: np.ndarray
    translations: np.ndarray
    locked_by: dict[str, int] = field(default_factory=dict)
    poses: np.ndarray | None = None
    evaluated: int = 0
    puppet: Puppet | None = None
    bone_map: dict[str, str] = field(default_factory=dict)
    human_bones: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def complete(self) -> bool:
        """Whether every frame has been read."""
        return self.poses is None or self.evaluated == len(self)

    def held(self) -> Clip:
        """The clip with the pose of its first frame on all of them."""

        def still(values: np.ndarray) -> np.ndarray:
            return np.broadcast_to(values[:1], values.shape).copy()

        puppet = self.puppet
        if puppet is not None:
            seen = Seen(still(puppet.seen.own), still(puppet.seen.basis), still(puppet.seen.axes))
            puppet = replace(puppet, seen=seen)
        return replace(
            self,
            raw_rotations=still(self.raw_rotations),
            raw_locations=still(self.raw_locations),
            rotations=still(self.rotations),
            translations=still(self.translations),
            poses=still(self.poses) if self.poses is not None else None,
            puppet=puppet,
        )

    def take_poses(self) -> None:
        """Derive the local transforms from the evaluated poses, and raw channels for bones without keys."""
        assert self.poses is not None
        for start in range(0, len(self), _BLOCK):
            block = slice(start, start + _BLOCK)
            poses = self.poses[block].astype(np.float64)
            basis = np.linalg.solve(self._base(poses), poses)
            self.rotations[block] = rotations.from_matrices(basis[..., :3, :3])
            self.translations[block] = basis[..., :3, 3]
        channels, places = self.rotations, self.translations
        if self.puppet is None:
            places[:, self.translations_locked] = 0.0
        else:
            own = self.puppet.seen.basis.astype(np.float64)
            channels, places = rotations.from_matrices(own[..., :3, :3]), own[..., :3, 3]
        everywhere = np.ones((len(self), 1), bool)
        for j, mode in enumerate(self.modes):
            if self.names[j] == self.object_name:
                continue
            if not self.rotations_keyed[j].any():
                count = rotations.channels(mode)[1]
                raw = self.raw_rotations[:, [j], :count]
                self.raw_rotations[:, [j], :count] = rotations.to_channels(
                    channels[:, [j]], mode, raw, everywhere
                )
            if not self.locations_keyed[j].any():
                self.raw_locations[:, j] = places[:, j]

    def from_object(self, turns: np.ndarray, places: np.ndarray) -> None:
        """Make the object's rotations (T, 4) and locations (T, 3) the local transforms of a bone, in place."""
        back = self.object_turn * [1.0, -1.0, -1.0, -1.0]
        turns[:] = rotations.multiply(back, turns)
        places[:] = places @ rotations.to_matrices(self.object_turn) / self.object_scale

    def to_object(self, turns: np.ndarray, places: np.ndarray) -> None:
        """The way back of `from_object`, in place."""
        turns[:] = rotations.multiply(self.object_turn, turns)
        places[:] = places @ rotations.to_matrices(self.object_turn).T * self.object_scale

    def posed(self, new_rotations: np.ndarray, new_translations: np.ndarray) -> np.ndarray:
        """Pose matrices (T, J, 4, 4) with other local transforms, every bone keeping its evaluated scale."""
        assert self.poses is not None
        basis = np.linalg.solve(self._base(self.poses.astype(np.float64)), self.poses)
        turn = rotations.to_matrices(new_rotations) @ np.swapaxes(
            rotations.to_matrices(self.rotations), -1, -2
        )
        basis[..., :3, :3] = turn @ basis[..., :3, :3]
        basis[..., :3, 3] = new_translations
        poses = np.empty_like(basis)
        for j, parent in enumerate(self.parents):
            above = np.eye(4) if parent < 0 else poses[:, parent] @ np.linalg.inv(self.rest[parent])
            poses[:, j] = above @ self.rest[j] @ basis[:, j]
        return poses

    def request(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The parameters and arrays that describe this clip to the engine."""
        params = {
            "fps": self.fps,
            "names": list(self.names),
            "scale": self.scale,
            "bone_map": self.bone_map or None,
            "human_bones": self.human_bones or None,
            "mapping": self.puppet.mapping if self.puppet is not None else None,
        }
        arrays = {
            "parents": self.parents,
            "rest": self.rest,
            "tails": self.tails,
            "rotations": self.rotations,
            "translations": self.translations,
        }
        return params, arrays

    def _base(self, poses: np.ndarray) -> np.ndarray:
        """Where each bone's local transform starts from (T, J, 4, 4), with Blender's default inheritance."""
        base = np.broadcast_to(self.rest, poses.shape).copy()
        child = np.flatnonzero(self.parents >= 0)
        parent = self.parents[child]
        base[:, child] = poses[:, parent] @ (np.linalg.inv(self.rest[parent]) @ self.rest[child])
        return base
