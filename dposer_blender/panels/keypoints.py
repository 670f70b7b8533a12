# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion from 2D keypoints: which file, who in it, through which camera."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bpy.app.translations import pgettext_iface as iface_
from bpy.types import Context, Panel, PropertyGroup, UILayout

from .. import footage, pinhole
from ..operators import keypoints
from .layout import Sidebar, pair, wrap

if TYPE_CHECKING:
    from ..footage import Footage

_MOST_LISTED = 12


class DPOSER_PT_keypoints(Sidebar, Panel):
    """Motion of a person whose joints were seen in images."""

    bl_idname = "DPOSER_PT_keypoints"
    bl_parent_id = "DPOSER_PT_main"
    bl_label = "Animate from Keypoints"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.dposer.keypoints
        found = footage.recall(context.scene.session_uid)
        column = layout.column(align=True)
        row = column.row(align=True)
        row.prop(settings, "filepath", text="")
        column.operator("dposer.read_keypoints", icon="FILE_REFRESH")
        if found is None:
            wrap(layout, context, "Choose a file of 2D keypoints and read it, to see who is in it", "INFO")
        else:
            _people(layout, found)
            _images(layout, context, settings, found)
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        _camera(column, context, settings, found)
        column.prop(settings, "start")
        column.separator(factor=0.5)
        for name in ("prior", "hypotheses", "variants", "seed"):
            column.prop(settings, name)
        row = layout.row()
        row.scale_y = 1.3
        row.operator("dposer.animate_from_keypoints", icon="OUTLINER_DATA_CAMERA")


def _people(layout: UILayout, found: Footage) -> None:
    """Everybody in the file, to choose from, the most certain first."""
    box = layout.box().column(align=True)
    for person in found.people[:_MOST_LISTED]:
        row = box.row(align=True)
        icon = "RADIOBUT_ON" if person.id == found.person else "RADIOBUT_OFF"
        row.operator("dposer.read_keypoints", text=person.id, icon=icon, emboss=False).person = person.id
        told = row.row()
        told.alignment, told.active = "RIGHT", False
        figures = f"{person.first}\N{EN DASH}{person.last}", f"{person.frames}", f"{person.confidence:.0%}"
        told.label(text="  \N{MIDDLE DOT}  ".join(figures), translate=False)
    if len(found.people) > _MOST_LISTED:
        more = iface_("and {count} more").format(count=len(found.people) - _MOST_LISTED)
        box.label(text=more, translate=False)


def _images(layout: UILayout, context: Context, settings: PropertyGroup, found: Footage) -> None:
    """Size and frame rate, to be given where the file does not say; and whether the keypoints are shown."""
    column = layout.column(align=True)
    if all(found.size):
        pair(column, "Images", "{} \N{MULTIPLICATION SIGN} {} px".format(*found.size))
    else:
        row = column.row(align=True)
        row.prop(settings, "width")
        row.prop(settings, "height")
    if found.fps:
        pair(column, "Frames", f"{len(found)}  \N{MIDDLE DOT}  {found.fps:g} fps")
    else:
        pair(column, "Frames", f"{len(found)}")
        column.prop(settings, "fps")
    row = layout.row(align=True)
    row.prop(settings, "show", toggle=True, icon="OVERLAY")
    row.operator("dposer.clear_keypoints", text="", icon="X")


def _camera(column: UILayout, context: Context, settings: PropertyGroup, found: Footage | None) -> None:
    """Through which camera, and whether it can be it."""
    column.prop(settings, "camera")
    if reason := pinhole.refusal(keypoints.chosen_camera(context.scene)):
        wrap(column, context, reason, "ERROR")
    elif found is not None and all(size := keypoints.image_size(settings, found)):
        if not pinhole.Frame.of(context.scene).shows(size):
            wrap(column, context, "The render has not the images' proportions", "ERROR")
        column.operator("dposer.match_camera", icon="CAMERA_DATA")


CLASSES = (DPOSER_PT_keypoints,)
