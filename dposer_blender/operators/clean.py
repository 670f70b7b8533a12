# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.clean_motion``: the active armature's noisy action to a clean one beside it."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import bpy
from bpy.types import Context, Object, Operator, Scene

from ...engine.errors import EngineError, MappingError
from .. import armature, bone_map, compat, jobs, outcomes, preferences, skeleton, vrm, writing
from ..armature import ArmatureError
from ..body_joints import in_words
from ..client import Message
from ..clip import Clip
from ..jobs import Done, JobOperator, Request, Task
from ..properties import ON_THE_BODY, clean_properties

_PADDING = 2.0  # seconds around the range that the engine sees and does not change
_SLICE = 0.15  # seconds of evaluation between two looks at the user's input
_NOTED = 0.1  # degrees by which a bone may miss its pose without a word


class CleanTask(Task):
    """A cleaning as `jobs.Job` drives it: ask for the map of a rig to evaluate, read, ask for the cleaning, write.

    Args:
        ob: the armature.
        context: with its scene.
        frames: first and last frame to clean.
        whole: first and last frame of its action.
        settings: fields of the engine's ``CleanSettings``.
        result: how the result is written.
        selected_only: whether only selected bones may change.
    """

    title = "Cleaning"

    def __init__(
        self,
        ob: Object,
        context: Context,
        frames: tuple[int, int],
        whole: tuple[int, int],
        settings: dict[str, Any],
        result: writing.Settings,
        selected_only: bool,
    ) -> None:
        scene = context.scene
        self._ob_uid, self._name, self._scene_uid = ob.session_uid, ob.name, scene.session_uid
        padding = round(_PADDING * scene.render.fps / scene.render.fps_base)
        self._read = max(whole[0], frames[0] - padding), min(whole[1], frames[1] + padding)
        self._settings, self._result, self._selected_only = settings, result, selected_only
        begin = self._read[0]
        if self._read != frames:
            settings["frames"] = [frames[0] - begin, frames[1] + 1 - begin]
        self._names = {"bone_map": bone_map.entries(ob.data), "human_bones": vrm.human_bones(ob.data)}
        self._clip: Clip | None = None
        self._writing: writing.Writing | None = None
        self._answer: Message | None = None
        if settings["method"] in ON_THE_BODY and armature.needs_evaluation(ob):
            params, self._rest = skeleton.read(ob, scene)
            self._asked = params | {key: value or None for key, value in self._names.items()}
        else:
            self._take(ob, scene, None)

    @property
    def frames(self) -> int:  # type: ignore[override]
        return self._read[1] + 1 - self._read[0]

    @property
    def fraction(self) -> float:  # type: ignore[override]
        if self._writing is not None:
            return self._writing.fraction
        return self._clip.evaluated / len(self._clip) if self._clip is not None else 0.0

    def prepare(self, context: Context) -> bool | Done:
        """Evaluate a slice of a rig that its f-curves alone do not describe; write a slice of the result."""
        if self._writing is not None:
            return self._done() if self._writing.advance(context, _SLICE) else False
        if self._clip is not None and not self._clip.complete:
            armature.evaluate(self._clip, context, _SLICE)
            return self._clip.complete
        return True

    def request(self, context: Context) -> Request:
        """The rest pose, whose map is needed; then the clip and the settings."""
        if self._clip is None:
            return "map", self._asked, self._rest
        params, arrays = self._clip.request()
        return "clean", params | {"settings": self._settings}, arrays

    def finish(self, context: Context, message: Message) -> None:
        """Read the bones that the map names; begin to write what was cleaned."""
        if self._clip is None:
            mapping = message.result["map"]
            if mapping is None:
                raise MappingError(in_words(message.result["problem"]))
            ob = next((ob for ob in bpy.data.objects if ob.session_uid == self._ob_uid), None)
            if ob is None or context.scene.session_uid != self._scene_uid:
                raise ArmatureError(f"{self._name} was removed while DPoser was at work; nothing was changed.")
            self._take(ob, context.scene, mapping)
            return
        arrays = message.arrays
        self._answer, self.stage = message, "Writing"
        self._clip.scale = message.result["scale"]  # in which its tolerance is meant: that of a human body
        change = writing.Change(
            arrays["rotations"],
            arrays["translations"],
            arrays["rotations_changed"],
            arrays["translations_changed"],
        )
        self._writing = writing.Writing(self._clip, change, self._result)

    def abandon(self) -> None:
        """Undo the writing."""
        if self._writing is not None:
            self._writing.abandon()

    def _take(self, ob: Object, scene: Scene, mapping: dict[str, Any] | None) -> None:
        """Begin to read."""
        self._clip = armature.read(ob, scene, *self._read, mapping)
        self._clip.bone_map, self._clip.human_bones = self._names["bone_map"], self._names["human_bones"]
        self._settings["bones"] = _chosen_bones(ob, self._clip, self._selected_only)

    def _done(self) -> Done:
        """Say how it went."""
        assert self._clip is not None and self._writing is not None and self._answer is not None
        clip, written, result = self._clip, self._writing.written, self._answer.result
        figures = outcomes.figures(result["report"])
        outcomes.remember(clip.armature_uid, outcomes.Outcome(figures, result.get("joints", 0)))
        if written is None:
            return Done(f"{clip.action or clip.armature} needs no cleaning; nothing was changed.", finished=False)
        details = ", ".join(f"{label.lower()} {value}" for label, value in figures)
        left = "".join(
            f"; bones left because they {why}: {count}" for why, count in clip.locked_by.items()
        )
        if written.switched:
            left += f"; switched to FK: {', '.join(written.switched)}"
        if written.missed > _NOTED:
            left += f"; {written.worst} stays {written.missed:.1f}° off, as something else moves it too"
        count = "1 bone" if written.bones == 1 else f"{written.bones} bones"
        sentence = f"Cleaned {count} of {clip.armature} to {written.action}"
        return Done(f"{sentence}{f' ({details})' if details else ''}{left}.")


class DPOSER_OT_clean_motion(JobOperator, Operator):
    """Clean the active armature's motion and write it to a new action; the original action is kept"""

    bl_idname = "dposer.clean_motion"
    bl_label = "Clean Motion"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    __annotations__ = clean_properties(options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there is an action to clean; the tooltip gives the reason where not."""
        ob = armature.find(context)
        reason = armature.refusal(ob) or armature.refusal_to_write(ob, context.scene.dposer.target)
        if jobs.current() is not None:
            reason = "DPoser is at work: wait, or press Esc to cancel"
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def task(self, context: Context) -> CleanTask:
        """Read the armature; a setting that was not given is the panel's."""
        ob, scene = armature.find(context), context.scene
        assert ob is not None  # as poll has seen
        self._armature_uid = ob.session_uid
        for name in clean_properties():
            if not self.properties.is_property_set(name):
                setattr(self, name, getattr(scene.dposer, name))
        whole = armature.action_range(ob)
        if whole is None:
            raise ArmatureError(f"The action of {ob.name} moves no bone; choose another action.")
        first, last = _chosen_range(ob, scene, self.frames, whole)
        settings = {
            "method": self.method,
            "strength": self.strength,
            "feet": self.feet,
            "seed": self.seed,
            "device": preferences.of(context)[1],
        }
        result = writing.Settings(self.target, self.keys, self.tolerance)
        return CleanTask(ob, context, (first, last), whole, settings, result, self.selected_only)

    def failed(self, error: EngineError) -> None:
        """Let the panel say why, too."""
        outcomes.remember(self._armature_uid, outcomes.Outcome(problem=str(error)))

    def draw(self, context: Context) -> None:
        """Show the result; changing a setting here would compute it all again while Blender stands still."""
        ob = armature.find(context)
        outcome = outcomes.recall(ob.session_uid) if ob is not None else None
        for label, value in outcome.figures if outcome is not None else ():
            row = self.layout.row()
            row.label(text=label)
            row.label(text=value)


def _chosen_range(ob: Object, scene: Scene, choice: str, whole: tuple[int, int]) -> tuple[int, int]:
    """First and last frame of the action to clean.

    Raises:
        ArmatureError: the action has no frame there, or no preview range is set.
    """
    limits = whole
    if choice == "SCENE":
        limits = scene.frame_start, scene.frame_end
    elif choice == "PREVIEW":
        if not scene.use_preview_range:
            raise ArmatureError("No preview range is set: set one in the timeline or choose another range.")
        limits = scene.frame_preview_start, scene.frame_preview_end
    if choice != "ACTION" and ob.animation_data.use_tweak_mode:
        first, last = (ob.animation_data.nla_tweak_strip_time_to_scene(t, invert=True) for t in limits)
        limits = math.ceil(first - 1e-3), math.floor(last + 1e-3)
    first, last = max(whole[0], limits[0]), min(whole[1], limits[1])
    if first > last:
        raise ArmatureError(
            f"The action's frames {whole[0]} to {whole[1]} lie outside the chosen range "
            f"{limits[0]} to {limits[1]}; choose another range."
        )
    return first, last


def _chosen_bones(ob: Object, clip: Clip, selected_only: bool) -> list[str] | None:
    """Bones that may change; None for all.

    Raises:
        ArmatureError: there is none.
    """
    chosen = set(clip.names)
    if selected_only:
        chosen = {bone.name for bone in ob.pose.bones if compat.is_selected(bone)}
        if not chosen:
            raise ArmatureError("No bone is selected: select some in Pose Mode or clean all bones.")
    free = {name for name, locked in zip(clip.names, clip.rotations_locked, strict=True) if not locked}
    if not chosen & set(clip.names):
        moving = next(name for name in reversed(clip.names) if name in free)
        raise ArmatureError(f"None of the selected bones moves the body: select some that do, such as {moving}.")
    if not chosen & free:
        why = max(clip.locked_by, key=clip.locked_by.__getitem__)
        raise ArmatureError(f"No bone can be cleaned, since they {why}: bake the action to plain keys first.")
    if chosen & free == set(clip.names):
        return None
    return [name for name in clip.names if name in chosen & free]


CLASSES = (DPOSER_OT_clean_motion,)
