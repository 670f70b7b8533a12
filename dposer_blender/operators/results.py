# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.show_variant``, ``dposer.apply_variant``, ``dposer.discard_result``, ``dposer.compare``: after a run."""

from __future__ import annotations

from typing import ClassVar

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.props import IntProperty
from bpy.types import Context, Object, Operator

from .. import armature, compat, results, rig
from ..polled import Polled


def _subject(context: Context) -> tuple[Object, results.DPoserResult]:
    """The armature and its result, which poll has seen."""
    ob = armature.find(context)
    record = results.of(ob)
    assert ob is not None and record is not None
    return ob, record


class _AfterRun(Polled):
    """Base of what can be done with a result."""

    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def refusal(cls, context: Context) -> str:
        """Why not, in a few words; empty where it can be done."""
        ob = armature.find(context)
        if ob is None or results.of(ob) is None:
            return "There is no result: run a tool first"
        return armature.refusal_to_write(ob) or results.lost_slot(ob)


class _OfVariants(_AfterRun):
    """Base of what can be done with one of several results."""

    @classmethod
    def refusal(cls, context: Context) -> str:
        record = results.of(armature.find(context))
        if record is not None and not record.variants:
            return "The last run gave one result: ask for several variants"
        return super().refusal(context)


class DPOSER_OT_show_variant(_OfVariants, Operator):
    """Let the armature show another of the results of the last run"""

    bl_idname = "dposer.show_variant"
    bl_label = "Show Variant"

    step: IntProperty(
        name="Step", description="How many variants further on; negative goes back", default=1, min=-100, max=100,
        options={"SKIP_SAVE"},
    )  # fmt: skip

    @classmethod
    def description(cls, context: Context, properties: Operator) -> str:
        """Which way the arrow goes."""
        return "Show the next variant" if properties.step > 0 else "Show the variant before"

    def execute(self, context: Context) -> set[str]:
        """Show it; after the last comes the first."""
        ob, record = _subject(context)
        count, way = len(record.variants), 1 if self.step > 0 else -1
        ahead = [(record.index + self.step + way * n) % count for n in range(count)]
        there = [index for index in ahead if record.variants[index].action is not None]
        if not there:
            self.report({"ERROR"}, rpt_("The actions of all variants were deleted: run the tool again."))
            return {"CANCELLED"}
        index = there[0]  # the user may have deleted some
        results.show_variant(ob, index)
        variant = record.variants[index]
        said = rpt_("Variant {number} of {count}, seed {seed}.")
        self.report({"INFO"}, said.format(number=index + 1, count=len(record.variants), seed=variant.seed))
        return {"FINISHED"}


class DPOSER_OT_apply_variant(_OfVariants, Operator):
    """Keep the variant that is shown, and forget the others"""

    bl_idname = "dposer.apply_variant"
    bl_label = "Apply Variant"

    def execute(self, context: Context) -> set[str]:
        """Keep it."""
        ob, record = _subject(context)
        number, count = record.index + 1, len(record.variants)
        results.assign(ob, record, original=False)
        results.drop_variants(ob)
        said = rpt_("Kept variant {number} of {count} in {action}.")
        self.report({"INFO"}, said.format(number=number, count=count, action=record.result.name))
        return {"FINISHED"}


class DPOSER_OT_discard_result(_AfterRun, Operator):
    """Remove the result of the last run with all its variants, and go back to the original"""

    bl_idname = "dposer.discard_result"
    bl_label = "Discard Result"

    def execute(self, context: Context) -> set[str]:
        """Go back."""
        ob, record = _subject(context)
        name, result = record.result.name, record.result
        if results.track_of(ob, record) is not None:
            results.remove_layer(ob, record)
        else:
            results.assign(ob, record, original=True)
        results.forget(ob)
        if results.is_used(result):
            self.report({"INFO"}, rpt_("Left {action}, which something else uses.").format(action=name))
            return {"FINISHED"}
        bpy.data.actions.remove(result)
        self.report({"INFO"}, rpt_("Removed {action}.").format(action=name))
        return {"FINISHED"}


class DPOSER_OT_compare(_AfterRun, Operator):
    """Show the original in place of the result, or the result again"""

    bl_idname = "dposer.compare"
    bl_label = "Compare"

    def execute(self, context: Context) -> set[str]:
        """Toggle."""
        ob, record = _subject(context)
        track = results.track_of(ob, record)
        if track is not None:
            shown = not track.mute
            track.mute = shown
        else:
            shown = compat.action_of(ob.animation_data)[0] == record.result
            results.assign(ob, record, original=shown)
        before = rpt_("the NLA strips") if rig.strips(ob) else rpt_("the pose before")
        original = record.original.name if record.original is not None else before
        self.report({"INFO"}, rpt_("Shown: {action}.").format(action=original if shown else record.result.name))
        return {"FINISHED"}


CLASSES = (DPOSER_OT_show_variant, DPOSER_OT_apply_variant, DPOSER_OT_discard_result, DPOSER_OT_compare)
