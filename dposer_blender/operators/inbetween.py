# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.inbetween``: the frames between selected keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, Object, Operator

from .. import armature, frame_range, wording, writing
from ..edit_task import EditTask, Variant
from ..errors import ArmatureError
from ..jobs import Request
from ..late import np
from ..properties import common
from ..properties.inbetween import inbetween_properties
from ..tool_operator import ToolOperator

if TYPE_CHECKING:
    from ..client import Message
    from ..clip import Clip

_PADDING = 2.0  # seconds around the keys, which tell how the body moves there


class InbetweenTask(EditTask):
    """An in-betweening as `jobs.Job` drives it.

    Args:
        ob: the armature.
        context: with its scene.
        keys: bone -> frames of its selected keys, "" for the object's; those of the body stay as they are.
        read: first and last frame that the engine sees.
        settings: fields of the engine's ``InbetweenSettings``.
        variants: how many ways.
        result: how the result is written.
    """

    title = tool = "In-betweening"

    def __init__(
        self,
        ob: Object,
        context: Context,
        keys: dict[str, np.ndarray],
        read: tuple[int, int],
        settings: dict[str, Any],
        variants: int,
        result: writing.Settings,
    ) -> None:
        self._keys, self._inbetween, self._variants = keys, settings, variants
        frames = _union(keys)
        super().__init__(ob, context, (int(frames[0]), int(frames[-1])), read, result)

    @property
    def has_more(self) -> bool:
        """The likeliest motion is one."""
        return bool(self._inbetween["variation"] > 0)

    def reseed(self, seed: int) -> None:
        """Ask with another seed."""
        self._inbetween = self._inbetween | {"seed": seed}

    def ask(self, clip: Clip) -> Request:
        """To fill the frames between the keys."""
        params, arrays = clip.request()
        first = clip.frames[0]
        keys: Any = {bone: (frames - first).tolist() for bone, frames in self._keys.items()}
        if clip.puppet is not None:  # a body's controls are many, and any of them may give a pose
            keys = (_union(self._keys) - first).tolist()
        asked = {"keys": keys, "variants": self._variants, "settings": self._inbetween}
        return "inbetween", params | asked, arrays

    def variants(self, message: Message) -> list[Variant]:
        """One of each seed."""
        return [Variant(seed) for seed in message.result["seeds"]]

    def sentence(self, written: writing.Written, message: Message, clip: Clip) -> str:
        """What was filled."""
        keys = message.result["keys"]
        between = keys[-1] - keys[0] + 1 - len(keys)
        template = rpt_("Filled {frames} frames between {keys} keys of {armature}{ways} to {action}, seed {seed}")
        return template.format(
            frames=between, keys=len(keys), armature=clip.armature, action=written.action,
            ways=wording.in_ways(len(message.result["seeds"])), seed=self._inbetween["seed"],
        )  # fmt: skip


class DPOSER_OT_inbetween(ToolOperator, Operator):
    """Fill the frames between the selected keys as a body moves; the keys stay exactly as they are"""

    bl_idname = "dposer.inbetween"
    bl_label = "In-between"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}
    settings_of = "inbetween"

    __annotations__ = {
        **inbetween_properties(options={"SKIP_SAVE"}),
        **common.writing(options={"SKIP_SAVE"}),
    }

    def make(self, context: Context, ob: Object) -> InbetweenTask:
        """The in-betweening of an armature's selected keys."""
        if self.keys == "ORIGINAL":
            raise ArmatureError("Between keys there are none to move: set Keys to Every Frame or Reduced.")
        whole = armature.action_range(ob)
        if whole is None:
            raise ArmatureError(f"The action of {ob.name} moves no bone; choose another action.")
        of_bones = frame_range.selected_keys_of_bones(ob)
        keys = _union(of_bones)
        if len(keys) < 2:
            raise ArmatureError(f"Only frame {keys[0]} has a selected key: select two or more.")
        if keys[-1] - keys[0] + 1 == len(keys):
            raise ArmatureError("No frame lies between the selected keys: select some that are further apart.")
        read = frame_range.around(context.scene, (int(keys[0]), int(keys[-1])), whole, _PADDING)
        settings = {
            "method": self.method,
            "variation": self.variation,
            "seed": self.seed,
            "device": self.device(context),
        }
        result = self.result_settings("_inbetween")
        return InbetweenTask(ob, context, of_bones, read, settings, self.variants, result)


def _union(keys: dict[str, np.ndarray]) -> np.ndarray:
    """(K,) frames of the keys of any bone, ascending."""
    return np.unique(np.concatenate(list(keys.values())))


CLASSES = (DPOSER_OT_inbetween,)
