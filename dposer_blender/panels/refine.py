# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion that is nearly right, and what cameras saw of it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from bpy.types import Context, Panel, PropertyGroup, UILayout

from .. import footage, pinhole
from ..operators import keypoints
from .layout import Sidebar, bones, pair, wrap


class DPOSER_PT_refine(Sidebar, Panel):
    """Motion that is pulled onto keypoints."""

    bl_idname = "DPOSER_PT_refine"
    bl_parent_id = "DPOSER_PT_main"
    bl_label = "Refine to Keypoints"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.dposer.refine
        layout.prop(settings, "only_smooth")
        if not settings.only_smooth:
            _first(layout, context)
            for index, more in enumerate(settings.cameras):
                _more(layout, index, more)
            layout.operator("dposer.add_refine_camera", icon="ADD")
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.prop(settings, "smoothness", slider=True)
        column.prop(settings, "rounds")
        column.separator(factor=0.5)
        column.prop(settings, "frames")
        if not settings.only_smooth:
            column.prop(settings, "ease")
        bones(column, settings, "Bones")
        row = layout.row()
        row.scale_y = 1.3
        row.operator("dposer.refine_to_keypoints", icon="CON_CAMERASOLVER")


def _first(layout: UILayout, context: Context) -> None:
    """The camera and file of *Animate from Keypoints*, with whose skeleton is shown."""
    settings = context.scene.dposer.keypoints
    box = layout.box().column(align=True)
    box.prop(settings, "filepath", text="")
    box.operator("dposer.read_keypoints", icon="FILE_REFRESH")
    camera, found = keypoints.chosen_camera(context.scene), footage.recall(context.scene.session_uid)
    if reason := pinhole.refusal(camera):
        wrap(box, context, reason, "ERROR")
    elif camera is not None:
        pair(box, "Camera", camera.name)
    if found is not None and settings.filepath.strip() and Path(found.path).name == Path(settings.filepath).name:
        pair(box, "Person", found.person)
        pair(box, "Frames", f"{len(found)}")
    if not settings.filepath.strip():
        wrap(box, context, "Camera, person and start are those of Animate from Keypoints", "INFO")


def _more(layout: UILayout, index: int, settings: PropertyGroup) -> None:
    """A further camera, its file and what that does not tell."""
    box = layout.box().column(align=True)
    row = box.row(align=True)
    row.prop(settings, "camera", text="")
    row.operator("dposer.remove_refine_camera", text="", icon="X").index = index
    box.prop(settings, "filepath", text="")
    box.prop(settings, "person")
    row = box.row(align=True)
    row.prop(settings, "start")
    row.prop(settings, "fps")
    row = box.row(align=True)
    row.prop(settings, "width")
    row.prop(settings, "height")


CLASSES = (DPOSER_PT_refine,)
