# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.clean_motion``: the active armature's noisy action to a clean one beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from bpy.types import Context, Object, Operator, Scene

from ...engine.errors import EngineError
from .. import armature, bone_map, compat, jobs, outcomes, preferences, vrm
from ..armature import ArmatureError
from ..client import Message
from ..clip import Clip
from ..jobs import Done, JobOperator
from ..properties import clean_properties

_PADDING = 2.0  # seconds around the range that the engine sees and does not change
_SLICE = 0.05  # seconds of evaluation between two looks at the user's input


@dataclass
class CleanTask:
    """A cleaning as `jobs.Job` drives it.

    Attributes:
        clip: what to clean.
        settings: fields of the engine's ``CleanSettings``.
        frames: how many frames the engine is sent.
    """

    clip: Clip
    settings: dict[str, Any]
    title: str = "Cleaning"

    @property
    def frames(self) -> int:
        return len(self.clip)

    def prepare(self, context: Context) -> bool:
        """Evaluate a slice of a rig that its f-curves alone do not describe."""
        if not self.clip.complete:
            armature.evaluate(self.clip, context, _SLICE)
        return self.clip.complete

    def request(self, context: Context) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """The clip and the settings."""
        params, arrays = self.clip.request()
        return "clean", params | {"settings": self.settings}, arrays

    def finish(self, context: Context, message: Message) -> Done:
        """Write the new action and say how it went."""
        arrays = message.arrays
        written = armature.write(
            self.clip,
            arrays["rotations"],
            arrays["translations"],
            arrays["rotations_changed"],
            arrays["translations_changed"],
        )
        figures = outcomes.figures(message.result["report"])
        mapped = len(message.result.get("map") or {})
        outcomes.remember(self.clip.armature_uid, outcomes.Outcome(figures, mapped))
        if written is None:
            return Done(f"{self.clip.action} needs no cleaning; nothing was changed.", finished=False)
        details = ", ".join(f"{label.lower()} {value}" for label, value in figures)
        left = "".join(
            f"; bones left because they {why}: {count}" for why, count in self.clip.locked_by.items()
        )
        sentence = f"Cleaned {written.bones} bones of {self.clip.armature} to {written.action}"
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
        reason = armature.refusal(armature.find(context))
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
        first, last = _chosen_range(scene, self.frames, whole)
        padding = round(_PADDING * scene.render.fps / scene.render.fps_base)
        begin, end = max(whole[0], first - padding), min(whole[1], last + padding)
        clip = armature.read(ob, scene, begin, end)
        clip.bone_map, clip.human_bones = bone_map.entries(ob.data), vrm.human_bones(ob.data)
        settings = {
            "method": self.method,
            "strength": self.strength,
            "feet": self.feet,
            "frames": [first - begin, last + 1 - begin] if (begin, end) != (first, last) else None,
            "bones": _chosen_bones(ob, clip, self.selected_only),
            "seed": self.seed,
            "device": preferences.of(context)[1],
        }
        return CleanTask(clip, settings)

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


def _chosen_range(scene: Scene, choice: str, whole: tuple[int, int]) -> tuple[int, int]:
    """First and last frame to clean.

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
    if not chosen & free:
        why = max(clip.locked_by, key=clip.locked_by.__getitem__)
        raise ArmatureError(f"No bone can be cleaned, since they {why}: bake the action to plain keys first.")
    if chosen & free == set(clip.names):
        return None
    return [name for name in clip.names if name in chosen & free]


CLASSES = (DPOSER_OT_clean_motion,)
