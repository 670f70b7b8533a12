# SPDX-License-Identifier: GPL-3.0-or-later
"""From poses that a puppet's bones should have to the channel values that give them.

A bone's pose is ``base @ basis``: its channels say the basis, all else that moves it the base. The base of new poses is
predicted by letting it follow the bone of the joint above rigidly; where Blender then shows another pose, the base that
it shows is taken, until the poses are reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from bpy.types import Object

from . import compat, curves, rig, rotations
from .clip import Clip, Seen

REACHED = 2e-4  # radians; what single precision leaves of a rotation down a chain of bones
REACHED_PLACE = 2e-5  # metres, alike
_SWITCHED = 0.5  # of a custom property that is 0 or 1
PASSES = 6  # corrections of a puppet before it is left as it is


@dataclass
class Change:
    """New local transforms or channel values for a clip.

    Attributes:
        rotations: (T, J, 4) unit quaternions WXYZ.
        translations: (T, J, 3).
        turned, moved: (T, J) bool where they count.
    """

    rotations: np.ndarray
    translations: np.ndarray
    turned: np.ndarray
    moved: np.ndarray

    def throughout(self, clip: Clip) -> Change:
        """The same, with what the clip does wherever a bone that changes does not."""
        turned, moved = (np.broadcast_to(part.any(axis=0), part.shape).copy() for part in (self.turned, self.moved))
        return Change(
            np.where(self.turned[..., None], self.rotations, clip.rotations),
            np.where(self.moved[..., None], self.translations, clip.translations),
            turned,
            moved,
        )


class Settling:
    """Channel values for a puppet's changed poses, corrected by what Blender makes of them.

    Args:
        ob: the clip's armature.
        clip: complete, with a puppet.
        wish: new local transforms, as the engine returns them.

    Attributes:
        change: the channel values so far.
        rows: indices of the frames that change.
        switches: those of the engine's mapping that must be thrown for the rig to obey.
        frames: for each of them, when: from the first to the last frame that changes.
        missed: radians by which the worst bone misses its pose, as last seen.
        worst: its name.
    """

    def __init__(self, ob: Object, clip: Clip, wish: Change) -> None:
        assert clip.puppet is not None and clip.poses is not None
        self._clip, self._puppet = clip, clip.puppet
        turns = np.where(wish.turned[..., None], wish.rotations, clip.rotations)
        places = np.where(wish.moved[..., None], wish.translations, clip.translations)
        wanted = clip.posed(turns, places)
        touched = wish.turned | wish.moved
        idle, thrown = self._switched(ob, touched)
        touched = (self._with_below(touched) & ~idle) | thrown
        self.rows = np.flatnonzero(touched.any(axis=1))
        self.missed, self.worst = 0.0, ""
        self._wanted, self._touched, self._wish = wanted[self.rows], touched[self.rows], wish
        free = self._puppet.turned & ~clip.rotations_locked
        self._free = free | np.array([name == clip.object_name for name in clip.names])
        # A limit answers to no correction, so what is limited gets the prediction and no more.
        self._unlimited = np.array(
            [
                name == clip.object_name or not any(not c.mute for c in ob.pose.bones[name].constraints)
                for name in clip.names
            ]
        )
        # A constrained or driven bone goes its own way: what hangs from it starts where Blender shows it.
        constrained, driven = rig.constrained_bones(ob), rig.driven_paths(ob)
        self._obeys = self._unlimited & ~np.array(
            [name in constrained or _is_driven(ob, clip, name, driven) for name in clip.names]
        )
        basis = self._puppet.seen.basis.astype(np.float64)
        self.change = Change(
            rotations.from_matrices(basis[..., :3, :3]),
            basis[..., :3, 3].copy(),
            np.zeros_like(wish.turned),
            np.zeros_like(wish.moved),
        )
        must = wish.turned[self.rows] | thrown[self.rows]
        self._solve(clip.puppet.seen.at(self.rows), self._touched, must)

    def correct(self, poses: np.ndarray, seen: Seen) -> bool:
        """Put right the channels of bones that are off.

        Args:
            poses: (R, J, 4, 4) of the rows, as Blender shows them.
            seen: of the same frames.

        Returns:
            Whether none was off.
        """
        judged = self._touched & self._free & self._unlimited
        error = rotations.angle(self._wanted[..., :3, :3], poses[..., :3, :3]) * judged
        self.missed = float(error.max(initial=0.0))
        self.worst = self._clip.names[int(error.max(axis=0, initial=0.0).argmax())]
        gap = np.linalg.norm((self._wanted - seen.own)[..., :3, 3], axis=-1) * self._clip.scale
        off = (error > REACHED) | ((gap > REACHED_PLACE) & judged & self._wish.moved[self.rows])
        if not off.any():
            return True
        self._solve(seen, self._with_below(off) & self._touched & self._unlimited, off)
        return False

    def bones_of(self, switch: Mapping[str, Any]) -> tuple[str, ...]:
        """The clip's bones that a switch makes obey."""
        bones = self._puppet.mapping["bones"]
        names = {bone for joint in switch["joints"] for bone in bones.get(joint, ())}
        return tuple(name for name in self._clip.names if name in names)

    def _with_below(self, bones: np.ndarray) -> np.ndarray:
        """Bones on frames (T, J), and all that hang from them."""
        below = bones.copy()
        for j, parent in enumerate(self._clip.parents):
            if parent >= 0:
                below[:, j] |= below[:, parent]
        return below

    def _solve(self, seen: Seen, asked: np.ndarray, must: np.ndarray) -> None:
        """Find the channels of the bones asked for (R, J); those that need no change get none unless they must."""
        own, basis, axes = (array.astype(np.float64) for array in (seen.own, seen.basis, seen.axes))
        change, rows = self.change, self.rows
        for j in np.flatnonzero(asked.any(axis=0) & self._free).tolist():
            parent = self._clip.parents[j]
            at = np.flatnonzero(asked[:, j])
            above = np.tile(np.eye(4), (len(at), 1, 1))
            if parent >= 0 and self._obeys[parent]:
                above = self._wanted[at, parent] @ np.linalg.inv(own[at, parent])
            base = above @ own[at, j] @ np.linalg.inv(basis[at, j])
            needed = np.linalg.solve(base, self._wanted[at, j])
            turns = rotations.from_matrices(needed[:, :3, :3])
            before = change.rotations[rows[at], j]
            same = np.abs((turns * before).sum(axis=-1)) > np.cos(REACHED / 4)
            news = ~same | must[at, j] | change.turned[rows[at], j]
            change.rotations[rows[at[news]], j] = turns[news]
            change.turned[rows[at[news]], j] = True
            moved = self._wish.moved[rows[at], j]
            carried = above @ own[at, j]
            places = np.linalg.solve(
                above[:, :3, :3] @ axes[at, j], (self._wanted[at, j] - carried)[:, :3, 3, None]
            )[..., 0]
            change.translations[rows[at[moved]], j] = (basis[at, j, :3, 3] + places)[moved]
            change.moved[rows[at[moved]], j] = True

    def _switched(self, ob: Object, touched: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where bones do not move what they stand for (T, J), and where they shall from now on."""
        clip, mapping = self._clip, self._puppet.mapping
        assert clip.poses is not None
        idle = rotations.angle(clip.poses[..., :3, :3], self._puppet.seen.own[..., :3, :3]) > REACHED
        thrown = np.zeros_like(idle)
        self.switches: list[dict[str, Any]] = []
        self.frames: list[slice] = []
        for switch in mapping["switches"]:
            names = self.bones_of(switch)
            bones = [j for j, name in enumerate(clip.names) if name in names]
            # A limb may stand as its other controls would have it, and yet not obey them.
            idle[:, bones] |= (np.abs(_values(ob, clip, switch) - switch["value"]) > _SWITCHED)[:, None]
            rows = np.flatnonzero(touched[:, bones].any(axis=1))
            if len(rows) and idle[rows[0] : rows[-1] + 1, bones].any():
                self.switches.append(switch)
                self.frames.append(slice(rows[0], rows[-1] + 1))
                thrown[rows[0] : rows[-1] + 1, bones] = True
        return idle & ~thrown, thrown


def _values(ob: Object, clip: Clip, switch: dict[str, Any]) -> np.ndarray:
    """(T,) the custom property of a switch; its value counts where the rig lacks it."""
    bone = ob.pose.bones.get(switch["bone"])
    if bone is None or switch["property"] not in bone:
        return np.full(len(clip), float(switch["value"]))
    path = rig.property_path(bone, switch["property"])
    curve = next((c for c in compat.curves(ob.animation_data) if c.data_path == path), None)
    if curve is None or not curves.has_values(curve):
        return np.full(len(clip), float(bone[switch["property"]]))
    return curves.sample(curve, clip.frames)


def _is_driven(ob: Object, clip: Clip, name: str, driven: set[str]) -> bool:
    if name == clip.object_name:
        return False
    bone = ob.pose.bones[name]
    mode = clip.modes[clip.names.index(name)]
    return any(rig.path(bone, channel) in driven for channel in (rotations.channels(mode)[0], "location"))
