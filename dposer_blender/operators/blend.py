# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.blend_result``: more or less of the last result, on some bones and frames, without computing it anew."""

from __future__ import annotations

from typing import ClassVar

from bpy.types import Context, Object, Operator

from ...engine.motion.joints import JOINTS, PARTS
from .. import armature, blending, bone_choice, frame_range, results, tool_operator
from ..edit_task import ramp
from ..errors import ArmatureError
from ..late import np
from ..polled import Polled
from ..properties.blend import blend_properties


class DPOSER_OT_blend_result(Polled, Operator):
    """Mix the result with the original, on chosen bones and frames; the full result stays at hand for another mix"""

    bl_idname = "dposer.blend_result"
    bl_label = "Blend Result"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    __annotations__ = blend_properties(options={"SKIP_SAVE"})

    @classmethod
    def refusal(cls, context: Context) -> str:
        """Why not, in a few words; empty where there is a result."""
        ob = armature.find(context)
        if ob is None or results.of(ob) is None:
            return "There is no result: run a tool first"
        return results.lost_slot(ob)

    def execute(self, context: Context) -> set[str]:
        """Mix."""
        tool_operator.take_settings(self, context, "blend")
        ob = armature.find(context)
        record = results.of(ob)
        assert ob is not None and record is not None  # as poll has seen
        try:
            limits = self._limits(context, ob, record)
            frames = np.arange(limits[0], limits[1] + 1)
            weights = ramp(frames, limits, (self.blend_in, self.blend_out))
            how = blending.Blend(self.influence, self._bones(ob, record), weights, frames)
            count = blending.blend(ob, record, how)
        except ArmatureError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        bones = "1 bone" if count == 1 else f"{count} bones"
        self.report(
            {"INFO"}, f"{self.influence:.0%} of the result on {bones}, frames {limits[0]} to {limits[1]}."
        )
        return {"FINISHED"}

    def _limits(self, context: Context, ob: Object, record: results.DPoserResult) -> tuple[int, int]:
        whole = blending.extent(ob, record)
        return whole if self.frames == "ALL" else frame_range.chosen(ob, context.scene, self.frames, whole)

    def _bones(self, ob: Object, record: results.DPoserResult) -> set[str] | None:
        if self.bones == bone_choice.ALL:
            return None
        if self.bones == bone_choice.SELECTED:
            return set(bone_choice.selected(ob))
        names = bone_choice.names(self.parts)
        joints = {joint for name in names for joint in PARTS.get(name, (name,)) if joint in JOINTS}
        return results.bones_of(record, joints)


CLASSES = (DPOSER_OT_blend_result,)
