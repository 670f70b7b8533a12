# SPDX-License-Identifier: GPL-3.0-or-later
"""The button, what it did, and its options."""

from __future__ import annotations

from typing import ClassVar

from bpy.app.translations import pgettext_iface as iface_
from bpy.types import Context, Object, Panel, UILayout

from .. import armature, engine_state, jobs, last_run, outcomes, rig
from ..preferences import ROOT_PACKAGE
from ..properties.clean import clean_properties
from ..setting_presets import preset_classes
from .layout import Sidebar, bones, pair, wrap

# A seed is for one run, not for the next clip.
CleanPresets, AddCleanPreset = preset_classes(
    "clean", "Clean Motion", "dposer", (name for name in clean_properties() if name != "seed")
)


class DPOSER_PT_main(Sidebar, Panel):
    """The one button, and what it did."""

    bl_idname = "DPOSER_PT_main"
    bl_label = "DPoser"

    def draw_header_preset(self, context: Context) -> None:
        """The list of presets."""
        CleanPresets.draw_panel_header(self.layout)

    def draw(self, context: Context) -> None:
        layout = self.layout
        ob = armature.find(context)
        refusal = armature.refusal(ob) or armature.refusal_to_write(ob, context.scene.dposer.target)
        outcome = outcomes.recall(ob.session_uid) if ob is not None else None
        if refusal:
            wrap(layout, context, refusal, "INFO")
        else:
            _subject(layout, ob, outcome)
        if engine_state.lacks_torch(context):
            _without_torch(layout, context)
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
            row.progress(factor=job.fraction, text=job.heading, type="BAR")
            row.operator("dposer.cancel", text="", icon="CANCEL")
            if job.pace:
                pace = column.row()
                pace.alignment, pace.active = "CENTER", False
                pace.label(text=job.pace, translate=False)
        column.separator(factor=0.5)
        column.prop(context.scene.dposer, "strength", slider=True)
        if last_run.recall() is not None:
            column.operator("dposer.repeat_last", icon="LOOP_FORWARDS")

        if outcome is not None and job is None and not refusal:
            _result(layout, context, outcome)


class DPOSER_PT_options(Sidebar, Panel):
    """What seldom needs a change in cleaning."""

    bl_idname = "DPOSER_PT_options"
    bl_parent_id = "DPOSER_PT_main"
    bl_label = "Clean Options"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.dposer
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.prop(settings, "method")
        column.prop(settings, "feet")
        column.separator(factor=0.5)
        column.prop(settings, "actions")
        column.prop(settings, "frames")
        blend = column.column(align=True)
        blend.prop(settings, "blend_in")
        blend.prop(settings, "blend_out", text="Out")
        column.prop(settings, "lock_selected")
        column.prop(settings, "doubt")
        column.separator(factor=0.5)
        bones(column, settings, "Bones")
        column.prop(settings, "seed")


class DPOSER_PT_output(Sidebar, Panel):
    """Where the results of all tools go."""

    bl_idname = "DPOSER_PT_output"
    bl_parent_id = "DPOSER_PT_main"
    bl_label = "Output"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.dposer
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.prop(settings, "target")
        column.prop(settings, "keys")
        row = column.row()
        row.active = settings.keys == "REDUCED"
        row.prop(settings, "tolerance", text="Tolerance (mm)")


def _without_torch(layout: UILayout, context: Context) -> None:
    """What can be used all the same, and what to do about it."""
    box = layout.box()
    wrap(
        box,
        context,
        "The engine's Python lacks PyTorch, or what goes with it: only the Learned Smoother, the filters and Spline can be used",  # noqa: E501
        "INFO",
    )
    if context.scene.dposer.method == "prior":
        row = box.row()
        row.alert = True
        row.prop(context.scene.dposer, "method")
    box.operator("preferences.addon_show", text="Choose a Python", icon="PREFERENCES").module = ROOT_PACKAGE


def _subject(layout: UILayout, ob: Object, outcome: outcomes.Outcome | None) -> None:
    """What would be cleaned."""
    mapped = outcome.mapped if outcome is not None else 0
    action = ob.animation_data.action
    if action is not None:
        moved, symbol, (first, last) = action.name, "ACTION", action.frame_range
    else:
        strips = rig.strips(ob)
        count = len(strips)
        moved = iface_("1 NLA strip") if count == 1 else iface_("{count} NLA strips").format(count=count)
        symbol = "NLA"
        first, last = min(s.frame_start for s in strips), max(s.frame_end for s in strips)
    column = layout.column(align=True)
    joints = iface_("{count} of 22 joints").format(count=mapped)
    bones = iface_("{count} bones").format(count=len(ob.data.bones))
    for name, icon, detail in (
        (ob.name, "ARMATURE_DATA", joints if mapped else bones),
        (moved, symbol, f"{first:.0f}\N{EN DASH}{last:.0f}"),
    ):
        row = column.row()
        row.label(text=name, icon=icon, translate=False)
        right = row.row()
        right.alignment = "RIGHT"
        right.active = False
        right.label(text=detail, translate=False)


def _result(layout: UILayout, context: Context, outcome: outcomes.Outcome) -> None:
    if outcome.problem:
        wrap(layout, context, outcome.problem, "ERROR")
    elif outcome.figures:
        column = layout.box().column(align=True)
        for label, value in outcome.figures:
            pair(column, label, value)


CLASSES = (CleanPresets, AddCleanPreset, DPOSER_PT_main)
