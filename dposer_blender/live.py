# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature that follows its targets while they are dragged: a job that goes on until it is told to end.

One question is with the engine at a time, and the next one is about where the targets are then: nothing lags behind.
Every pose begins at the one before the job, so that a target which is put back brings the pose back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from bpy.app.translations import pgettext_iface as iface_
from bpy.types import Context, Object

from . import armature, map_request, posing, targets
from .body_joints import TITLES
from .client import Message
from .clip import Clip
from .errors import ArmatureError
from .jobs import Done, Request, Task
from .settling import Change

_SAME = 1e-6  # in the armature's space and as a quaternion; a target that moves by less has not moved
_CLOSE = 5e-4  # metres, near enough for the bones of a control rig
_ROUNDS = 4  # of aiming off for it, for each move of a target
_NOTED = 2e-3  # metres by which a target may be missed without a word


class LiveTask(Task):
    """Following as `jobs.Job` drives it.

    Args:
        ob: the armature.
        context: with its scene.
        settings: fields of the engine's ``FollowSettings``.
        once: whether to end, and key the pose, as soon as it has been fitted once.

    Attributes:
        missed: joint -> metres from its target, as last heard.
    """

    title, stage = "Following", "Following targets"
    frames = 0
    endless = True

    def __init__(self, ob: Object, context: Context, settings: dict[str, Any], once: bool = False) -> None:
        self._uid, self._scene_uid, self._name = ob.session_uid, context.scene.session_uid, ob.name
        self._settings, self._once = settings, once
        self._confirmed = False
        self._asked = map_request.asked(ob, context.scene)
        self._mapping: dict[str, Any] | None = None
        self._clip: Clip | None = None
        self._shown: posing.Shown | None = None
        self._frame = (0, 0.0)
        self._joints: tuple[str, ...] = ()
        self._places = self._turns = self._gap = np.empty(0)
        self._rounds = 0
        self._bones: list[str] = []
        self._reached = np.empty(0, bool)
        self.missed: dict[str, float] = {}
        self._find(ob, context)  # refuses before the engine is asked

    def confirm(self) -> None:
        """Key the pose and end, when the engine has answered what it is asked now."""
        self._confirmed = True

    def prepare(self, context: Context) -> bool | Done:
        """Look where the targets are; ask where they have moved."""
        ob = self._resolve(context)
        if self._mapping is None:
            return True
        frame = context.scene.frame_current, context.scene.frame_subframe
        if self._clip is None or frame != self._frame:
            self._begin(ob, context, frame)
        if self._find(ob, context):
            self._rounds = _ROUNDS
            return True
        if self._rounds and self._is_off(ob, context):
            self._rounds -= 1
            return True
        if self._confirmed or self._once:
            return self._keyed(ob)
        return False

    def request(self, context: Context) -> Request:
        """The map of the body's bones at first; then the pose."""
        if self._clip is None:
            return self._asked
        params, arrays = self._clip.request()
        locked = [
            name for name, held in zip(self._clip.names, self._clip.rotations_locked, strict=True) if held
        ]
        asked = {
            "mapping": self._mapping,
            "targets": list(self._joints),
            "locked": locked,
            "settings": self._settings,
        }
        arrays = arrays | {"places": (self._places - self._gap)[None], "turns": self._turns[None]}
        return "targets", params | asked, arrays

    def finish(self, context: Context, message: Message) -> None:
        """Show the pose that the engine has found."""
        ob = self._resolve(context)
        if self._mapping is None:
            self._mapping = map_request.told(message)
            return
        assert self._shown is not None
        names = ("rotations", "translations", "rotations_changed", "translations_changed")
        frame = context.scene.frame_current, context.scene.frame_subframe
        if frame == self._frame:  # else the answer is about another pose
            self._shown.show(ob, context, Change(*(message.arrays[name][0] for name in names)))
            self.missed = {j: far for j, far in message.result["missed"].items() if far is not None}
            self._bones = [message.result["bones"][joint][0] for joint in message.result["missed"]]
            self._reached = message.arrays["missed"][0] < _NOTED
            self.stage = f"{iface_('Following targets')}{_words(self.missed)}"

    def abandon(self) -> None:
        """Put the pose back."""
        ob = armature.of_uid(self._uid)
        if ob is not None and self._shown is not None and _has_bones(ob, self._clip):
            self._shown.restore(ob)
        self._shown = None

    def _resolve(self, context: Context) -> Object:
        ob = armature.of_uid(self._uid)
        if ob is None or ob.type != "ARMATURE" or context.scene.session_uid != self._scene_uid:
            raise ArmatureError(f"{self._name} was removed while it followed its targets; nothing was changed.")
        if self._clip is not None and not _has_bones(ob, self._clip):
            raise ArmatureError(f"The bones of {self._name} were edited while it followed its targets.")
        return ob

    def _begin(self, ob: Object, context: Context, frame: tuple[int, float]) -> None:
        """Read the pose of this frame."""
        if self._shown is not None:
            self._shown.restore(ob, unkeyed_only=True)
        if ob.data.pose_position == "REST":
            raise ArmatureError(f"{ob.name} shows its rest position: switch it to Pose Position first.")
        mapping = self._mapping if armature.needs_evaluation(ob) else None
        self._clip = posing.read(ob, context, mapping)
        self._shown, self._frame = posing.Shown(self._clip), frame
        self._places = self._gap = np.empty(0)

    def _find(self, ob: Object, context: Context) -> bool:
        """Find the targets, those that were deleted no more; whether they are elsewhere than when last looked at."""
        found = targets.of(ob, context.scene)
        if not found:
            raise ArmatureError(f"{ob.name} has no target: add some first.")
        depsgraph = context.evaluated_depsgraph_get()
        empties = [target.empty.evaluated_get(depsgraph) for target in found]
        places, turns = targets.places(ob.evaluated_get(depsgraph), empties)
        if not (np.isfinite(places).all() and np.isfinite(turns).all()):
            raise ArmatureError(f"A target of {ob.name} has no finite place: move it back.")
        turns[[not target.turn for target in found]] = np.nan
        joints = tuple(target.joint for target in found)
        same = (
            joints == self._joints
            and self._places.shape == places.shape
            and np.allclose(self._places, places, rtol=1e-6, atol=_SAME)
            and np.allclose(self._turns, turns, rtol=0.0, atol=_SAME, equal_nan=True)
        )
        if not same and self._clip is not None:
            if joints != self._joints or len(self._gap) != len(places):
                self._gap = np.zeros_like(places)
            self._joints, self._places, self._turns = joints, places, turns
        return not same

    def _is_off(self, ob: Object, context: Context) -> bool:
        """Whether bones of a control rig are elsewhere than its body's model says; then the targets are aimed off."""
        assert self._clip is not None and self._shown is not None
        if self._clip.puppet is None or len(self._reached) != len(self._places):
            self._rounds = 0
            return False
        off = (self._shown.heads(ob, context, self._bones) - self._places) * self._reached[:, None]
        if float(np.linalg.norm(off, axis=-1).max()) * self._clip.scale < _CLOSE:
            self._rounds = 0
            return False
        self._gap = self._gap + off
        return True

    def _keyed(self, ob: Object) -> Done:
        assert self._shown is not None
        count = self._shown.key(ob, self._frame[0] + self._frame[1])
        if not count:
            return Done(f"{ob.name} is at its targets; nothing was changed.", finished=False)
        bones = "1 bone" if count == 1 else f"{count} bones"
        switched = f"; switched to FK: {', '.join(self._shown.switched)}" if self._shown.switched else ""
        return Done(f"Keyed {bones} of {ob.name} on frame {self._frame[0]}{_words(self.missed)}{switched}.")


def _words(missed: dict[str, float]) -> str:
    """The targets that are out of reach, after a comma."""
    far = [f"{TITLES[joint]} {1e3 * away:.0f} mm off" for joint, away in missed.items() if away > _NOTED]
    return f", {', '.join(far)}" if far else ""


def _has_bones(ob: Object, clip: Clip | None) -> bool:
    return clip is not None and all(bone.name == name for bone, name in zip(ob.data.bones, clip.bones, strict=False))
