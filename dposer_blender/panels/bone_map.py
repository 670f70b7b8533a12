# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of the body's joints and the rig's bones."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bpy.app.translations import pgettext_iface as iface_
from bpy.types import Context, Menu, Object, Panel, UILayout

from .. import armature, bone_checks, bone_map, presets
from ..body_joints import GROUPS, TITLES, in_words
from .layout import Sidebar, wrap

if TYPE_CHECKING:
    from ..bone_checks import Checked
    from ..found_bones import Found, Search

_REASONS = 8  # sentences shown; the names of a rig of no known convention give one for each joint


class DPOSER_PT_bone_map(Sidebar, Panel):
    """Which bone is which joint: found automatically, and overruled by hand."""

    bl_idname = "DPOSER_PT_bone_map"
    bl_parent_id = "DPOSER_PT_main"
    bl_label = "Bone Map"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context: Context) -> None:
        """Tell of a problem where the panel is closed, too."""
        ob = armature.find(context)
        if ob is not None and bone_map.checked(ob.data)[2].problems:
            self.layout.label(text="", icon="ERROR")

    def draw(self, context: Context) -> None:
        layout, ob = self.layout, armature.find(context)
        if ob is None:
            wrap(layout, context, "Select an armature first", "INFO")
            return
        by_hand, search, checked = bone_map.checked(ob.data)
        found = search.found if search is not None else None
        _tools(layout)
        _status(layout, context, by_hand, search, checked)
        if found is not None:
            _reasons(layout, context, ob, found)
        if refusal := bone_map.refusal(ob):
            wrap(layout, context, refusal, "LOCKED")
        for title, joints in GROUPS:
            column = layout.column(align=True)
            column.label(text=title)
            for joint in joints:
                # The group says which side it is, and the sidebar is narrow.
                label = TITLES[joint].removeprefix("Left ").removeprefix("Right ")
                _row(column, context, ob, joint, label, search, checked)


class DPOSER_MT_bone_map_presets(Menu):
    """Bone maps kept on this machine."""

    bl_idname = "DPOSER_MT_bone_map_presets"
    bl_label = "Presets"
    bl_description = "Bone maps kept on this machine: save this rig's, load one, remove one"

    def draw(self, context: Context) -> None:
        layout = self.layout
        layout.operator_context = "INVOKE_DEFAULT"
        layout.operator("dposer.save_bone_map_preset", text="Save Preset...", icon="ADD")
        names = presets.names()
        if names:
            layout.menu("DPOSER_MT_bone_map_presets_remove", icon="REMOVE")
            layout.separator()
        for name in names:
            layout.operator("dposer.load_bone_map_preset", text=name, translate=False).preset = name


class DPOSER_MT_bone_map_presets_remove(Menu):
    """Bone maps to delete from this machine."""

    bl_idname = "DPOSER_MT_bone_map_presets_remove"
    bl_label = "Remove Preset"
    bl_description = "Delete a preset from this machine"

    def draw(self, context: Context) -> None:
        layout = self.layout
        layout.operator_context = "INVOKE_DEFAULT"
        for name in presets.names():
            layout.operator("dposer.remove_bone_map_preset", text=name, translate=False).preset = name


def _tools(layout: UILayout) -> None:
    column = layout.column(align=True)
    row = column.row(align=True)
    row.scale_y = 1.3
    row.operator("dposer.find_bones", icon="VIEWZOOM")
    row = column.row(align=True)
    row.operator("dposer.mirror_bone_map", text="Mirror L to R", icon="MOD_MIRROR")
    row.operator("dposer.clear_bone_map", icon="X")
    row = column.row(align=True)
    row.menu("DPOSER_MT_bone_map_presets", icon="PRESET")
    row.operator("dposer.load_bone_map", text="", icon="IMPORT")
    row.operator("dposer.save_bone_map", text="", icon="EXPORT")


def _status(
    layout: UILayout, context: Context, by_hand: dict[str, str], search: Search | None, checked: Checked
) -> None:
    """One line for the whole map: the problems, or how it was found."""
    found = search.found if search is not None else None
    if checked.problems and (search is None or found is not None or by_hand):
        wrap(layout, context, bone_checks.in_one_line(checked.problems), "ERROR", alert=True)
    elif search is not None and search.problem and search.entries == by_hand:
        wrap(layout, context, in_words(search.problem), "ERROR", alert=True)
    elif summary := bone_checks.summary(by_hand, found, checked):
        wrap(layout, context, summary, "CHECKMARK")
    else:
        wrap(layout, context, "Bones are found automatically; Find Bones shows which", "INFO")


def _reasons(layout: UILayout, context: Context, ob: Object, found: Found) -> None:
    """Folded away: what was found, why, and which switches of a control rig will be thrown."""
    unset = [
        f"{bone}: {name} = {value:g}"
        for bone, name, value in found.switches
        if (control := ob.pose.bones.get(bone)) is not None and control.get(name, value) != value
    ]
    header, body = layout.panel("DPOSER_PT_bone_map_reasons", default_closed=True)
    header.label(text="Reasons")
    if body is None:
        return
    for reason in found.reasons[:_REASONS]:
        wrap(body, context, in_words(reason), "DOT")
    if len(found.reasons) > _REASONS:
        more = iface_("and {count} more").format(count=len(found.reasons) - _REASONS)
        body.label(text=more, icon="BLANK1", translate=False)
    if unset:
        wrap(body, context, "Switched in the result, where the limb changes:", "INFO")
        column = body.column(align=True)
        column.scale_y = 0.8
        for setting in unset:
            column.label(text=setting, icon="BLANK1", translate=False)


def _row(
    column: UILayout,
    context: Context,
    ob: Object,
    joint: str,
    label: str,
    search: Search | None,
    checked: Checked,
) -> None:
    """A joint: its name, the bone's search field, the eyedropper, and the way back."""
    data, problem = ob.data.dposer_bone_map, checked.problems.get(joint, "")
    absent = bone_map.absent_property(joint)
    is_absent, by_hand = getattr(data, absent), bool(getattr(data, joint))
    split = column.split(factor=0.32, align=True)
    name = split.row()
    name.alignment = "RIGHT"
    name.alert = bool(problem)
    name.label(text=label)
    row = split.row(align=True)
    field = row.row(align=True)
    field.alert = bool(problem)
    if is_absent:
        field.active = False
        field.prop(data, absent, text="No bone", toggle=True)
    else:
        field.prop(data, joint, text="", placeholder=_found(joint, search, checked))
    row.operator("dposer.pick_bone", text="", icon="EYEDROPPER").joint = joint
    if is_absent or by_hand:
        row.operator("dposer.clear_bone", text="", icon="LOOP_BACK").joint = joint
    else:
        row.prop(data, absent, text="", icon="REMOVE", toggle=True)
    if problem and problem != bone_checks.NOT_FOUND:  # that the field says itself
        wrap(column, context, problem, "ERROR", alert=True)


def _found(joint: str, search: Search | None, checked: Checked) -> str:
    """What an empty field stands for."""
    if search is None:
        return "Automatic"
    bones = checked.bones.get(joint)
    if bones is None:
        return "Choose a bone" if joint in checked.problems else "None found"
    if not bones:
        return "In between"
    return bones[0] if len(bones) == 1 else f"{bones[0]} + {len(bones) - 1}"


CLASSES = (DPOSER_PT_bone_map, DPOSER_MT_bone_map_presets, DPOSER_MT_bone_map_presets_remove)
