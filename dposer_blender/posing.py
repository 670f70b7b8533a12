# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose that an armature shows now, keyed or not: read, shown changed without a key, put back, and keyed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from bpy.types import Context, Object

from . import armature, frame_range, limbs, rig, rotations, writing
from .armature import Camera
from .clip import Clip
from .errors import ArmatureError
from .settling import PASSES, Change, Settling

_SECONDS = 0.05  # that a rig whose bones other bones move may take to settle, while the user waits


def read(ob: Object, context: Context, mapping: Mapping[str, Any] | None) -> Clip:
    """The pose of this moment as a clip of one frame.

    Args:
        ob: the armature.
        context: with its scene.
        mapping: the engine's, for a rig that `armature.needs_evaluation`.

    Raises:
        ArmatureError: as `armature.read`.
    """
    scene = context.scene
    frame = frame_range.in_action(ob, (scene.frame_current, scene.frame_current))[0]
    clip = armature.read(ob, scene, frame, frame, mapping, still=True)
    for _, owner, channel, raw, _ in armature.channels(ob, clip):
        raw[0] = getattr(owner, channel)
    armature.take_channels(ob, clip)
    if clip.poses is not None:
        clip.poses[0], seen = Camera(ob, clip).take(ob.evaluated_get(context.evaluated_depsgraph_get()))
        if clip.puppet is not None and seen is not None:
            clip.puppet.seen.put(0, seen)
        clip.evaluated = 1
        if clip.puppet is not None:
            limbs.unstretch(clip)
        clip.take_poses()
    return clip


class Shown:
    """A pose that an armature shows without a key.

    Args:
        clip: the pose before, as `read` gave it.

    Attributes:
        switched: the limbs of a control rig that were switched to the controls that pose them.
    """

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._turned: set[int] = set()
        self._moved: set[int] = set()
        self._properties: dict[tuple[str, str], float] = {}
        self.switched: tuple[str, ...] = ()

    def show(self, ob: Object, context: Context, change: Change) -> None:
        """Show the pose changed, and what was changed before but is not now as it was.

        A control rig gets a moment to settle; what it still misses then, it may make up for the next time.
        """
        clip = self._clip
        change = replace(
            change,
            turned=change.turned.astype(bool) & ~clip.rotations_locked,
            moved=change.moved.astype(bool) & ~clip.translations_locked,
        )
        if clip.puppet is None:
            self._put(ob, writing.local(ob, clip, change))
            return
        for (bone, name), value in self._properties.items():
            ob.pose.bones[bone][name] = value  # as it was when the pose was read
        settling = Settling(ob, clip, change)
        self._throw(ob, settling)
        self._put(ob, settling.change)
        camera, deadline = Camera(ob, clip), time.monotonic() + _SECONDS
        for _ in range(PASSES):
            poses, seen = camera.take(ob.evaluated_get(context.evaluated_depsgraph_get()))
            assert seen is not None  # of a puppet
            if not len(settling.rows) or settling.correct(poses[None], seen.alone()):
                return
            self._put(ob, settling.change)
            if time.monotonic() > deadline:
                return

    def heads(self, ob: Object, context: Context, bones: Sequence[str]) -> np.ndarray:
        """(K, 3) where bones of the clip begin now, in its space."""
        poses, _ = Camera(ob, self._clip).take(ob.evaluated_get(context.evaluated_depsgraph_get()))
        return np.array(poses[[self._clip.names.index(bone) for bone in bones], :3, 3], np.float64)

    def restore(self, ob: Object, unkeyed_only: bool = False) -> None:
        """Put the pose back exactly; or only what no curve says, after the frame has changed."""
        clip = self._clip
        for j, owner, channel, raw, keyed in armature.channels(ob, clip):
            if j in (self._moved if channel == "location" else self._turned):
                value = np.array(getattr(owner, channel))
                setattr(owner, channel, np.where(keyed & unkeyed_only, value, raw[0]).tolist())
        for (bone, name), before in self._properties.items():
            ob.pose.bones[bone][name] = before
        self._turned, self._moved, self._properties = set(), set(), {}
        ob.update_tag(refresh={"OBJECT", "DATA"})

    def key(self, ob: Object, frame: float) -> int:
        """Key what was changed, on a frame of the scene; counts the bones.

        Raises:
            ArmatureError: the armature's action cannot be written to; nothing is keyed.
        """
        animated = ob.animation_data is not None and ob.animation_data.action is not None
        if reason := armature.refusal_to_write(ob, "OVERWRITE" if animated else "NEW"):
            raise ArmatureError(f"{reason}; nothing was keyed.")
        for j, owner, channel, _, _ in armature.channels(ob, self._clip):
            if j in (self._moved if channel == "location" else self._turned):
                group = self._clip.names[j]
                try:
                    owner.keyframe_insert(channel, frame=frame, group=group)
                except (RuntimeError, TypeError) as error:
                    raise ArmatureError(f"{group} cannot be keyed: unlock its curves and try again.") from error
        for bone, name in self._properties:
            owner = ob.pose.bones[bone]
            ob.keyframe_insert(rig.property_path(owner, name), frame=frame, group=bone)
        return len(self._turned | self._moved)

    def _throw(self, ob: Object, settling: Settling) -> None:
        """Set custom properties so that a control rig obeys, and those back that need not be set any more."""
        driven = rig.driven_paths(ob)
        needed = {(switch["bone"], switch["property"]) for switch in settling.switches}
        for bone_name, name in self._properties.keys() - needed:
            ob.pose.bones[bone_name][name] = self._properties.pop((bone_name, name))
        for switch in settling.switches:
            bone, name, value = ob.pose.bones[switch["bone"]], switch["property"], float(switch["value"])
            if rig.property_path(bone, name) in driven:
                raise ArmatureError(
                    f"{switch['bone']} has a driver on its {name}: set it to {value:g} yourself, then try again."
                )
            self._properties.setdefault((switch["bone"], name), bone[name])
            bone[name] = value
            bone.id_data.update_tag(refresh={"OBJECT", "DATA"})
        names = tuple(writing.limb(switch["joints"][0]) for switch in settling.switches)
        self.switched = tuple(dict.fromkeys(names))

    def _put(self, ob: Object, change: Change) -> None:
        """Set the channels of bones that change, and of those that changed before."""
        clip = self._clip
        turned, moved = (set(np.flatnonzero(mask[0]).tolist()) for mask in (change.turned, change.moved))
        for j, owner, channel, raw, _ in armature.channels(ob, clip):
            now, before = (moved, self._moved) if channel == "location" else (turned, self._turned)
            if j not in now and j not in before:
                continue
            value = raw[0]
            if j in now and channel == "location":
                value = change.translations[0, j]
            elif j in now:
                quaternion, everywhere = change.rotations[:, [j]], np.ones((1, 1), bool)
                value = rotations.to_channels(quaternion, clip.modes[j], raw[:, None], everywhere)[0, 0]
            setattr(owner, channel, value.tolist())
        self._turned |= turned
        self._moved |= moved
