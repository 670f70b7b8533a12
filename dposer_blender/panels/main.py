# SPDX-License-Identifier: GPL-3.0-or-later
"""The button, what it did, its options, and the engine behind it."""

from __future__ import annotations

from typing import ClassVar

from bpy.types import Context, Object, Panel, UILayout

from .. import armature, jobs, outcomes, rig, session
from .layout import Sidebar, pair, wrap


class DPOSER_PT_main(Sidebar, Panel):
    """The one button, and what it did."""

    bl_idname = "DPOSER_PT_main"
    bl_label = "DPoser"

    def draw(self, context: Context) -> None:
        layout = self.layout
        ob = armature.find(context)
        refusal = armature.refusal(ob) or armature.refusal_to_write(ob, context.scene.dposer.target)
        outcome = outcomes.recall(ob.session_uid) if ob is not None else None
        if refusal:
            wrap(layout, context, refusal, "INFO")
        else:
            _subject(layout, ob, outcome)
        layout.separator(factor=0.5)

        job = jobs.current()
        column = layout.column()
        if job is None:
            row = column.row()
            row.scale_y = 1.8
            row.operator("dposer.clean_motion", icon="BRUSH_DATA")
        else:
            row = column.row(align=True)
            row.scale_y = 1.8
            row.progress(factor=job.fraction, text=job.text, type="BAR")
            row.operator("dposer.cancel", text="", icon="CANCEL")
        column.separator(factor=0.5)
        column.prop(context.scene.dposer, "strength", slider=True)

        if outcome is not None and job is None and not refusal:
            _result(layout, context, outcome)


class DPOSER_PT_options(Sidebar, Panel):
    """What seldom needs a change."""

    bl_idname = "DPOSER_PT_options"
    bl_parent_id = "DPOSER_PT_main"
    bl_label = "Options"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.dposer
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.prop(settings, "method")
        column.prop(settings, "feet")
        column.prop(settings, "frames")
        column.separator(factor=0.5)
        column.prop(settings, "target")
        column.prop(settings, "keys")
        row = column.row()
        row.active = settings.keys == "REDUCED"
        row.prop(settings, "tolerance", text="Tolerance (mm)")
        column.separator(factor=0.5)
        column.prop(settings, "selected_only", text="Selected Bones")
        column.prop(settings, "seed")


class DPOSER_PT_engine(Sidebar, Panel):
    """The process behind the button."""

    bl_idname = "DPOSER_PT_engine"
    bl_parent_id = "DPOSER_PT_main"
    bl_label = "Engine"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout = self.layout
        process, info = session.running(), session.checked
        column = layout.column(align=True)
        column.label(
            text="Running" if process is not None else "Starts when it is needed",
            icon="CHECKMARK" if process is not None else "PAUSE",
        )
        if process is not None and info is not None:
            for label, value in (
                ("Python", info["python"]),
                ("PyTorch", info["torch"] or "missing"),
                ("Devices", ", ".join(info["devices"])),
                ("Weights", ", ".join(info["weights"]) or "missing"),
            ):
                pair(column, label, value)
        column.separator()
        column.operator("dposer.check_engine", icon="VIEWZOOM")
        column.operator("dposer.restart_engine", icon="FILE_REFRESH")


def _subject(layout: UILayout, ob: Object, outcome: outcomes.Outcome | None) -> None:
    """What would be cleaned."""
    mapped = outcome.mapped if outcome is not None else 0
    action = ob.animation_data.action
    if action is not None:
        moved, symbol, (first, last) = action.name, "ACTION", action.frame_range
    else:
        strips = rig.strips(ob)
        moved, symbol = f"{len(strips)} NLA strip{'s' if len(strips) > 1 else ''}", "NLA"
        first, last = min(s.frame_start for s in strips), max(s.frame_end for s in strips)
    column = layout.column(align=True)
    for name, icon, detail in (
        (ob.name, "ARMATURE_DATA", f"{mapped} of 22 joints" if mapped else f"{len(ob.data.bones)} bones"),
        (moved, symbol, f"{first:.0f}\N{EN DASH}{last:.0f}"),
    ):
        row = column.row()
        row.label(text=name, icon=icon)
        right = row.row()
        right.alignment = "RIGHT"
        right.active = False
        right.label(text=detail)


def _result(layout: UILayout, context: Context, outcome: outcomes.Outcome) -> None:
    if outcome.problem:
        wrap(layout, context, outcome.problem, "ERROR")
    elif outcome.figures:
        column = layout.box().column(align=True)
        for label, value in outcome.figures:
            pair(column, label, value)
