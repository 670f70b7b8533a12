# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.clean_motion``: noisy actions to clean ones beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, Object, Operator

from .. import armature, bone_choice, compat, confidences, frame_range, outcomes, wording, writing
from ..edit_task import EditTask
from ..errors import ArmatureError
from ..in_turn import Item
from ..jobs import Request
from ..properties.clean import ON_THE_BODY, clean_properties
from ..tool_operator import ToolOperator

if TYPE_CHECKING:
    from ..client import Message
    from ..clip import Clip

_PADDING = 2.0  # seconds around the range that the engine sees and does not change


class CleanTask(EditTask):
    """A cleaning as `jobs.Job` drives it.

    Args:
        ob: the armature.
        context: with its scene.
        frames: first and last frame to clean.
        whole: first and last frame of its action.
        settings: fields of the engine's ``CleanSettings``.
        result: how the result is written.
        bones: which bones may change, and the parts of the body where it is those; see `bone_choice`.
        blend: over how many frames the result comes in and goes out.
        doubts: whether what was not seen, see `confidences`, is made anew.
    """

    title = tool = "Cleaning"

    def __init__(
        self,
        ob: Object,
        context: Context,
        frames: tuple[int, int],
        whole: tuple[int, int],
        settings: dict[str, Any],
        result: writing.Settings,
        bones: tuple[str, set[str]],
        blend: tuple[int, int],
        doubts: bool = False,
    ) -> None:
        read = frame_range.around(context.scene, frames, whole, _PADDING)
        self._clean, self._bones, self._doubts = settings, bones, doubts
        if read != frames:
            settings["frames"] = [frames[0] - read[0], frames[1] + 1 - read[0]]
        settings["lock_frames"] = [
            frame - read[0] for frame in settings.get("lock_frames", []) if read[0] <= frame <= read[1]
        ]
        super().__init__(ob, context, frames, read, result, blend, body=settings["method"] in ON_THE_BODY)

    def opened(self, ob: Object, clip: Clip) -> None:
        """Choose the bones that may change."""
        self._clean["bones"] = bone_choice.changeable(ob, clip, *self._bones)

    def ask(self, clip: Clip) -> Request:
        """To clean the clip."""
        params, arrays = clip.request()
        if self._doubts:
            seen = confidences.of(writing.action_of_uid(clip.action_uid), clip.frames)
            if seen is None:
                raise ArmatureError(
                    f"{clip.action or clip.armature} was not made from keypoints: switch Redo the Unseen off."
                )
            arrays = arrays | {"confidence": seen}
        return "clean", params | {"settings": self._clean}, arrays

    def answered(self, context: Context, message: Message) -> None:
        """Let the panel show the figures, and write."""
        assert self.clip is not None
        result = message.result
        outcome = outcomes.Outcome(outcomes.figures(result["report"]), result.get("joints", 0))
        outcomes.remember(self.clip.armature_uid, outcome)
        super().answered(context, message)

    def sentence(self, written: writing.Written, message: Message, clip: Clip) -> str:
        """What was cleaned, with the figures."""
        figures = outcomes.figures(message.result["report"])
        details = ", ".join(f"{rpt_(label).lower()} {value}" for label, value in figures)
        said = rpt_("Cleaned {bones} of {armature} to {action}").format(
            bones=wording.bones(len(written.names)), armature=clip.armature, action=written.action
        )
        return said + (f" ({details})" if details else "")

    def unchanged(self, clip: Clip) -> str:
        """That nothing was to be cleaned."""
        if self._clean["strength"] == 0:
            return "The strength is 0, so nothing was changed."
        return rpt_("{name} needs no cleaning; nothing was changed.").format(name=clip.action or clip.armature)


class DPOSER_OT_clean_motion(ToolOperator, Operator):
    """Clean the motion of the selected armatures and write it to a new action; the original action is kept"""

    bl_idname = "dposer.clean_motion"
    bl_label = "Clean Motion"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    __annotations__ = clean_properties(options={"SKIP_SAVE"})

    def make(self, context: Context, ob: Object) -> CleanTask:
        """The cleaning of an armature's active action."""
        whole = armature.action_range(ob)
        if whole is None:
            raise ArmatureError(f"The action of {ob.name} moves no bone; choose another action.")
        first, last = frame_range.chosen(ob, context.scene, self.frames, whole)
        settings = {
            "method": self.method,
            "strength": self.strength,
            "feet": self.feet,
            "seed": self.seed,
            "device": self.device(context),
        }
        if self.lock_selected:
            locked = frame_range.selected_keys(ob).tolist()
            if not set(range(first, last + 1)) - set(locked):
                raise ArmatureError(
                    "Every frame has a selected key, and those stay as they are: deselect some or clean all frames."
                )
            settings["lock_frames"] = locked
        return CleanTask(
            ob,
            context,
            (first, last),
            whole,
            settings,
            self.result_settings("_clean"),
            (self.bones, set(self.parts)),
            (self.blend_in, self.blend_out),
            self.doubt and self.method in ON_THE_BODY,
        )

    def items(self, context: Context, ob: Object) -> list[Item]:
        """The armature's action; or each that moves its bones, the active one last, so that its result is seen."""
        (own,) = ToolOperator.items(self, context, ob)
        if self.actions == "ACTIVE" or ob.animation_data is None:
            return [own]
        uid, active = ob.session_uid, compat.action_of(ob.animation_data)
        found = [(action, slot) for action, slot in armature.actions_for(ob) if action != active[0]]
        return [*(self._item(uid, action.session_uid, action.name, slot) for action, slot in found), own]

    def _item(self, uid: int, action_uid: int, name: str, slot: str) -> Item:
        """The cleaning of an action that is assigned for as long as it takes."""
        before: list[tuple[int, str]] = []

        def begin(context: Context) -> CleanTask:
            ob, action = armature.of_uid(uid), writing.action_of_uid(action_uid)
            if ob is None or action is None:
                raise ArmatureError("it was removed while DPoser was at work.")
            now, own = compat.action_of(ob.animation_data)
            before.append((now.session_uid if now is not None else 0, own))
            writing.assign(ob, action, slot)
            return self.make(context, ob)

        def end() -> None:
            ob = armature.of_uid(uid)
            if ob is not None and before:
                was, own = before.pop()
                writing.assign(ob, writing.action_of_uid(was), own)

        return Item(name, begin, end, unsettled=True)


CLASSES = (DPOSER_OT_clean_motion,)
