# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.complete_limbs``: limbs whose pose is missing, filled in several ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, Object, Operator

from .. import armature, bone_choice, frame_range, wording, writing
from ..edit_task import EditTask, Variant
from ..errors import ArmatureError
from ..jobs import Request
from ..properties import common
from ..properties.complete import complete_properties
from ..tool_operator import ToolOperator

if TYPE_CHECKING:
    from ..client import Message
    from ..clip import Clip

_PADDING = 2.0  # seconds around the range, which tell how the body moves there


class CompleteTask(EditTask):
    """A completion as `jobs.Job` drives it.

    Args:
        ob: the armature.
        context: with its scene.
        frames: first and last frame on which limbs are missing.
        read: first and last frame that the engine sees.
        missing: which bones are missing, and the parts of the body where it is those.
        settings: ``hypotheses``, ``seed``, ``device``.
        result: how the result is written.
    """

    title = tool = "Completing"

    def __init__(
        self,
        ob: Object,
        context: Context,
        frames: tuple[int, int],
        read: tuple[int, int],
        missing: tuple[str, set[str]],
        settings: dict[str, Any],
        result: writing.Settings,
    ) -> None:
        self._missing, self._complete = missing, settings
        super().__init__(ob, context, frames, read, result, still=frames == read)

    def opened(self, ob: Object, clip: Clip) -> None:
        """Choose the bones that are missing."""
        choice, parts = self._missing
        if choice == bone_choice.PARTS:
            self._names_missing = bone_choice.names(parts)
        elif choice == bone_choice.SELECTED:
            self._names_missing = bone_choice.selected(ob)
        else:
            keyed = clip.rotations_keyed.any(axis=1)
            self._names_missing = [name for name, own in zip(clip.names, keyed, strict=True) if not own]
            if not self._names_missing:
                raise ArmatureError(f"Every bone of {clip.armature} has keys: choose which are missing.")

    @property
    def has_more(self) -> bool:
        """Every seed gives others."""
        return True

    def reseed(self, seed: int) -> None:
        """Ask with another seed."""
        self._complete = self._complete | {"seed": seed}

    def ask(self, clip: Clip) -> Request:
        """To fill in what is missing."""
        params, arrays = clip.request()
        first, last = (frame - int(clip.frames[0]) for frame in self._range)
        asked = {
            "missing": self._names_missing,
            "keep_root": self._missing[0] == "UNKEYED",
            "frames": [first, last + 1],
            "settings": self._complete,
        }
        return "complete", params | asked, arrays

    def variants(self, message: Message) -> list[Variant]:
        """One of each hypothesis."""
        return [Variant(self._complete["seed"], share) for share in message.result["share"]]

    def sentence(self, written: writing.Written, message: Message, clip: Clip) -> str:
        """What was completed."""
        count = len(message.result["share"])
        return rpt_("Completed {bones} of {armature}{ways} to {action}, seed {seed}").format(
            bones=wording.bones(len(written.names)), armature=clip.armature, ways=wording.in_ways(count),
            action=written.action, seed=self._complete["seed"],
        )  # fmt: skip


class DPOSER_OT_complete_limbs(ToolOperator, Operator):
    """Fill in limbs whose pose is missing, in several ways to choose from; the rest of the body stays as it is"""

    bl_idname = "dposer.complete_limbs"
    bl_label = "Complete Limbs"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}
    settings_of = "complete"
    still = True

    __annotations__ = {
        **complete_properties(options={"SKIP_SAVE"}),
        **common.writing(options={"SKIP_SAVE"}),
    }

    def make(self, context: Context, ob: Object) -> CompleteTask:
        """The completion of an armature's pose or motion."""
        scene = context.scene
        if self.frames == "FRAME":
            frame = frame_range.in_action(ob, (scene.frame_current, scene.frame_current))[0]
            frames = read = frame, frame
        else:
            if reason := armature.refusal(ob):
                raise ArmatureError(f"{reason}.")
            whole = armature.action_range(ob)
            if whole is None:
                raise ArmatureError(f"The action of {ob.name} moves no bone; complete this frame alone.")
            frames = frame_range.chosen(ob, scene, self.frames, whole)
            read = frame_range.around(scene, frames, whole, _PADDING)
        settings = {"hypotheses": self.variants, "seed": self.seed, "device": self.device(context)}
        return CompleteTask(
            ob, context, frames, read, (self.bones, set(self.parts)), settings, self.result_settings("_complete")
        )


CLASSES = (DPOSER_OT_complete_limbs,)
