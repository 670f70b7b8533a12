# SPDX-License-Identifier: GPL-3.0-or-later
"""How plausible the motion is: the button, what it found, and the way to the worst frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bpy.app.translations import pgettext_iface as iface_
from bpy.types import Context, Panel, UILayout

from .. import armature, plausibility
from ..body_joints import TITLES
from ..drawing import scale, swatches
from .layout import Sidebar, pair, wrap

if TYPE_CHECKING:
    from ..plausibility import Scores


class DPOSER_PT_plausibility(Sidebar, Panel):
    """Which frames and joints are odd."""

    bl_idname = "DPOSER_PT_plausibility"
    bl_parent_id = "DPOSER_PT_main"
    bl_label = "Plausibility"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.dposer.plausibility
        ob = armature.find(context)
        scores = plausibility.recall(ob.session_uid) if ob is not None else None
        row = layout.row()
        row.scale_y = 1.3
        row.operator("dposer.plausibility", text="Score Again" if scores else "Score Motion", icon="VIEWZOOM")
        row = layout.row()
        row.use_property_split, row.use_property_decorate = True, False
        row.prop(settings, "frames")
        if scores is None:
            return
        if scores.stale:
            wrap(layout, context, "The motion has changed since it was scored", "ERROR")
        _figures(layout, context, scores)
        _jumps(layout, scores)
        row = layout.row(align=True)
        row.prop(settings, "show_graph", toggle=True, icon="FCURVE")
        row.prop(settings, "show_bones", toggle=True, icon="BONE_DATA")
        row.operator("dposer.clear_plausibility", text="", icon="X")
        _legend(layout)


def _figures(layout: UILayout, context: Context, scores: Scores) -> None:
    column = layout.box().column(align=True)
    row = scores.row(context.scene.frame_current_final)
    if row is not None:
        joint = scores.oddest(row)[0]
        pair(column, "This frame", scale.figure(float(scores.pose[row])))
        if scores.pose[row] < scale.RARE:
            pair(column, "Oddest joint", iface_(TITLES[joint]))
    pair(column, "Median", scale.figure(scores.median))
    odd = 100 * float((scores.pose < scale.RARE).mean())
    pair(column, "Rare or odd", iface_("{share:.0f} % of frames").format(share=odd))
    if scores.damage:
        pair(column, "Damaged samples", f"{100 * scores.damage:.1f} %")
    if scores.noise:
        pair(column, "Noise", f"{scores.noise:.1f}°")


def _jumps(layout: UILayout, scores: Scores) -> None:
    """The worst moments, and arrows through them."""
    column = layout.column(align=True)
    row = column.row(align=True)
    row.operator("dposer.jump_to_worst_frame", text="", icon="TRIA_LEFT").which = "PREVIOUS"
    row.operator("dposer.jump_to_worst_frame", text="Worst Frame").which = "WORST"
    row.operator("dposer.jump_to_worst_frame", text="", icon="TRIA_RIGHT").which = "NEXT"
    moment = scores.worst[scores.place or 0]
    told = column.row()
    told.active = scores.place is not None
    said = iface_("{number} of {count}: frame {frame:g}, {joint}").format(
        number=(scores.place or 0) + 1,
        count=len(scores.worst),
        frame=scores.frames[moment.row],
        joint=iface_(TITLES[moment.joint]),
    )
    told.label(text=said, translate=False)


def _legend(layout: UILayout) -> None:
    """What the colours mean."""
    row = layout.row(align=True)
    row.scale_y = 0.8
    rare, odd = (f"< {100 * limit:g} %" for limit in (scale.RARE, scale.ODD))
    for name, text in (("usual", iface_("Usual")), ("rare", rare), ("odd", odd)):
        row.label(text=text, icon_value=swatches.icon(name), translate=False)
    row = layout.row(align=True)
    row.scale_y = 0.8
    row.label(text="Damaged capture", icon_value=swatches.icon("damage"))


CLASSES = (DPOSER_PT_plausibility,)
