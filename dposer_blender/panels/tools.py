# SPDX-License-Identifier: GPL-3.0-or-later
"""The tools beside *Clean Motion*: a button and what it needs to know, each in a panel of its own."""

from __future__ import annotations

from typing import ClassVar

from bpy.types import Context, Panel, PropertyGroup, UILayout

from ..properties.complete import complete_properties
from ..properties.generate import generate_properties
from ..properties.idle import idle_properties
from ..properties.inbetween import inbetween_properties
from ..setting_presets import preset_classes
from .layout import Sidebar, bones

_PRESETS = {
    tool: preset_classes(tool, title, f"dposer.{tool}", (name for name in properties if name != "seed"))
    for tool, title, properties in (
        ("complete", "Complete Limbs", complete_properties()),
        ("inbetween", "In-between", inbetween_properties()),
        ("generate", "Generate Poses", generate_properties()),
        ("idle", "Generate Idle", idle_properties()),
    )
}


class _ToolPanel(Sidebar):
    """Base of the tools' panels."""

    bl_parent_id = "DPOSER_PT_main"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}
    tool = ""
    operator = ""
    icon = ""

    def draw_header_preset(self, context: Context) -> None:
        """The list of presets."""
        _PRESETS[self.tool][0].draw_panel_header(self.layout)  # type: ignore[attr-defined]

    def draw(self, context: Context) -> None:
        layout: UILayout = self.layout  # type: ignore[attr-defined]
        layout.use_property_split = True
        layout.use_property_decorate = False
        self.fields(layout.column(), getattr(context.scene.dposer, self.tool))
        row = layout.row()
        row.scale_y = 1.3
        row.operator(self.operator, icon=self.icon)

    def fields(self, column: UILayout, settings: PropertyGroup) -> None:
        """The settings."""
        raise NotImplementedError


class DPOSER_PT_complete(_ToolPanel, Panel):
    """Limbs that are missing."""

    bl_idname = "DPOSER_PT_complete"
    bl_label = "Complete Limbs"
    tool, operator, icon = "complete", "dposer.complete_limbs", "MOD_BUILD"

    def fields(self, column: UILayout, settings: PropertyGroup) -> None:
        """What is missing, and where."""
        bones(column, settings, "Missing")
        column.prop(settings, "frames")
        column.prop(settings, "variants")
        column.prop(settings, "seed")


class DPOSER_PT_inbetween(_ToolPanel, Panel):
    """Frames between keys."""

    bl_idname = "DPOSER_PT_inbetween"
    bl_label = "In-between"
    tool, operator, icon = "inbetween", "dposer.inbetween", "IPO_EASE_IN_OUT"

    def fields(self, column: UILayout, settings: PropertyGroup) -> None:
        """How the gaps are filled."""
        column.label(text="Between the selected keys", icon="KEYFRAME_HLT")
        column.prop(settings, "method")
        column.prop(settings, "variation", slider=True)
        row = column.row()
        row.active = settings.variation > 0
        row.prop(settings, "variants")
        row = column.row()
        row.active = settings.variation > 0
        row.prop(settings, "seed")


class DPOSER_PT_generate(_ToolPanel, Panel):
    """New poses."""

    bl_idname = "DPOSER_PT_generate"
    bl_label = "Generate Poses"
    tool, operator, icon = "generate", "dposer.generate_poses", "OUTLINER_OB_ARMATURE"

    def fields(self, column: UILayout, settings: PropertyGroup) -> None:
        """How many, and what becomes of them."""
        column.prop(settings, "count")
        column.prop(settings, "output")
        if settings.output == "KEYS":
            column.prop(settings, "step")
        elif settings.output == "ASSETS":
            column.prop(settings, "catalog")
        bones(column, settings, "Keep")
        column.prop(settings, "temperature", slider=True)
        column.prop(settings, "seed")


class DPOSER_PT_idle(_ToolPanel, Panel):
    """A loop of standing still."""

    bl_idname = "DPOSER_PT_idle"
    bl_label = "Generate Idle"
    tool, operator, icon = "idle", "dposer.generate_idle", "MOD_TIME"

    def fields(self, column: UILayout, settings: PropertyGroup) -> None:
        """How long, and how lively."""
        column.prop(settings, "seconds")
        for name in ("breathing", "sway", "amount"):
            column.prop(settings, name, slider=True)
        column.prop(settings, "variants")
        column.prop(settings, "seed")


CLASSES = (
    *(cls for classes in _PRESETS.values() for cls in classes),
    DPOSER_PT_complete,
    DPOSER_PT_inbetween,
    DPOSER_PT_generate,
    DPOSER_PT_idle,
)
