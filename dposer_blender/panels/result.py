# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last run made: variants to step through, comparing and blending with the original."""

from __future__ import annotations

from typing import ClassVar

from bpy.app.translations import pgettext_iface as iface_
from bpy.types import Context, Panel

from .. import armature, compat, results
from .layout import Sidebar, bones


class DPOSER_PT_result(Sidebar, Panel):
    """Shown where there is a result."""

    bl_idname = "DPOSER_PT_result"
    bl_parent_id = "DPOSER_PT_main"
    bl_label = "Result"
    bl_options: ClassVar[set[str]] = set()

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether the armature has a result."""
        return results.of(armature.find(context)) is not None

    def draw(self, context: Context) -> None:
        layout, ob = self.layout, armature.find(context)
        record = results.of(ob)
        assert ob is not None and record is not None  # as poll has seen
        if record.variants:
            variant = record.variants[min(record.index, len(record.variants) - 1)]
            row = layout.row(align=True)
            row.operator("dposer.show_variant", text="", icon="TRIA_LEFT").step = -1
            middle = row.row(align=True)
            middle.alignment = "CENTER"
            said = iface_("{number} of {count}  ·  seed {seed}").format(
                number=record.index + 1, count=len(record.variants), seed=variant.seed
            )
            middle.label(text=said + (f"  ·  {variant.share:.0%}" if variant.share > 0 else ""), translate=False)
            row.operator("dposer.show_variant", text="", icon="TRIA_RIGHT").step = 1
            row = layout.row(align=True)
            row.operator("dposer.apply_variant", text="Apply", icon="CHECKMARK")
            row.operator("dposer.more_variants", text="", icon="ADD")
        track = results.track_of(ob, record)
        shown = not track.mute if track is not None else compat.action_of(ob.animation_data)[0] == record.result
        row = layout.row(align=True)
        row.operator(
            "dposer.compare", text="Show Original" if shown else "Show Result", icon="UV_SYNC_SELECT", depress=not shown
        )
        row.operator("dposer.discard_result", text="", icon="TRASH")


class DPOSER_PT_blend(Sidebar, Panel):
    """More or less of the result."""

    bl_idname = "DPOSER_PT_blend"
    bl_parent_id = "DPOSER_PT_result"
    bl_label = "Blend with Original"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.dposer.blend
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "influence", slider=True)
        bones(layout.column(), settings, "Bones")
        layout.prop(settings, "frames")
        column = layout.column(align=True)
        column.prop(settings, "blend_in")
        column.prop(settings, "blend_out", text="Out")
        layout.operator("dposer.blend_result", icon="MOD_VERTEX_WEIGHT")


CLASSES = (DPOSER_PT_result, DPOSER_PT_blend)
