# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.repeat_last``, ``dposer.more_variants``: the last tool once more."""

from __future__ import annotations

from typing import ClassVar

import bpy
from bpy.types import Context, Event, Operator

from .. import armature, compat, last_run, results
from ..edit_task import EditTask
from ..jobs import JobOperator
from ..polled import Polled


class DPOSER_OT_repeat_last(Polled, Operator):
    """Run the last tool again with the same settings, on the armatures that are selected now"""

    bl_idname = "dposer.repeat_last"
    bl_label = "Repeat Last Tool"

    @classmethod
    def description(cls, context: Context, properties: Operator) -> str:
        """What it would repeat."""
        run, ob = last_run.recall(), armature.find(context)
        if run is None or ob is None:
            return "Run the last tool again with the same settings"
        return f"Run {run.label} again with the same settings on {ob.name}"

    @classmethod
    def refusal(cls, context: Context) -> str:
        """Why not, in a few words; empty where it can be repeated."""
        run, ob = last_run.recall(), armature.find(context)
        if run is None:
            return "There is nothing to repeat: run a tool first"
        reason = armature.refusal(ob, still=True) or armature.refusal_to_write(ob, run.settings.get("target", "NEW"))
        return f"{run.label} cannot be repeated. {reason}" if reason else ""

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Start it, and let the user go on working."""
        return self._run("INVOKE_DEFAULT")

    def execute(self, context: Context) -> set[str]:
        """Do it, and return when it is over."""
        return self._run("EXEC_DEFAULT")

    def _run(self, how: str) -> set[str]:
        run = last_run.recall()
        assert run is not None  # as poll has seen
        package, _, name = run.operator.partition(".")
        try:
            # The tool makes the undo step.
            ended = getattr(getattr(bpy.ops, package), name)(how, True, **run.settings)
        except RuntimeError as error:
            self.report({"ERROR"}, str(error).removeprefix("Error: ").strip())
            return {"CANCELLED"}
        return {"CANCELLED"} if ended == {"CANCELLED"} else {"FINISHED"}


class DPOSER_OT_more_variants(Polled, JobOperator, Operator):
    """Run the last tool again on the original with the next seed, and add what it gives to the variants"""

    bl_idname = "dposer.more_variants"
    bl_label = "More Variants"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def refusal(cls, context: Context) -> str:
        """Why not, in a few words; empty where there can be more."""
        ob = armature.find(context)
        record = results.of(ob)
        if ob is None or record is None:
            return "There is no result: run a tool first"
        task, run = last_run.task_of(record.run), last_run.recall()
        if task is None or run is None:
            return f"The last run did not make what {ob.name} shows: run the tool again, with more variants"
        if not task.has_more:
            return f"{run.label} as it was run gives one result: there are no variants of it"
        if results.track_of(ob, record) is not None:
            return "The result is an NLA layer: run the tool with a new action as its result"
        if compat.action_of(ob.animation_data)[0] not in (record.original, record.result):
            return f"{ob.name} shows another action: press Compare first"
        return armature.refusal_to_write(ob) or results.lost_slot(ob)

    def task(self, context: Context) -> EditTask:
        """The last task, with the next seed."""
        ob = armature.find(context)
        record = results.of(ob)
        assert ob is not None and record is not None  # as poll has seen
        task = last_run.task_of(record.run)
        assert task is not None
        seeds = [variant.seed for variant in record.variants] or [record.seed]
        return task.again(max(seeds) + 1)


CLASSES = (DPOSER_OT_repeat_last, DPOSER_OT_more_variants)
