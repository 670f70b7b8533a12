# SPDX-License-Identifier: GPL-3.0-or-later
"""Empties that the body follows: add, follow while dragging, bake."""

from __future__ import annotations

from typing import ClassVar

from bpy.types import Context, Panel

from .. import armature, targets
from ..body_joints import TITLES
from ..operators import fit_targets
from .layout import Sidebar, pair, wrap


class DPOSER_PT_fit_targets(Sidebar, Panel):
    """Bones that follow empties."""

    bl_idname = "DPOSER_PT_fit_targets"
    bl_parent_id = "DPOSER_PT_main"
    bl_label = "Fit to Targets"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.dposer.fit_targets
        ob, live = armature.find(context), fit_targets.following()
        found = targets.of(ob, context.scene) if ob is not None and ob.type == "ARMATURE" else []
        column = layout.column(align=True)
        column.prop(settings, "bones", text="")
        if settings.bones == "JOINTS":
            column.column_flow(columns=2, align=True).prop(settings, "joints")
        row = column.row(align=True)
        row.operator("dposer.add_targets", icon="EMPTY_DATA")
        row.operator("dposer.remove_targets", text="", icon="TRASH")
        if found:
            box = layout.box().column(align=True)
            for target in found:
                row = box.row(align=True)
                row.label(text=TITLES.get(target.joint, target.joint))
                row.prop(target, "turn", text="", icon="ORIENTATION_GIMBAL", toggle=True)
        else:
            wrap(layout, context, "Add targets, then drag them: the body follows", "INFO")

        column = layout.column()
        if live is None:
            row = column.row()
            row.scale_y = 1.4
            row.operator("dposer.follow_live", icon="CON_FOLLOWPATH")
        else:
            row = column.row(align=True)
            row.scale_y = 1.4
            row.operator("dposer.end_live", text="Key Pose", icon="KEY_HLT").keep = True
            row.operator("dposer.end_live", text="Put Back", icon="LOOP_BACK").keep = False
            for joint, away in live.missed.items():
                pair(column, TITLES[joint], f"{1e3 * away:.1f} mm off")
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(settings, "keep", slider=True)
        column.prop(settings, "free_root")
        row = column.row()
        row.active = settings.free_root
        row.prop(settings, "keep_feet")

        column.separator(factor=0.5)
        column.prop(settings, "frames")
        column.prop(settings, "smooth", text="Smoothness (s)")
        column.prop(settings, "ease")
        column.operator("dposer.fit_range", icon="ACTION")


CLASSES = (DPOSER_PT_fit_targets,)
