# SPDX-License-Identifier: GPL-3.0-or-later
"""The tools in the Pose and Object menus, where Blender's search finds them, too; and keypoints in File > Import."""

from __future__ import annotations

from bpy.types import Context, Menu, TOPBAR_MT_file_import, UILayout, VIEW3D_MT_object, VIEW3D_MT_pose

_TOOLS = (
    ("clean_motion", "BRUSH_DATA"),
    ("complete_limbs", "MOD_BUILD"),
    ("inbetween", "IPO_EASE_IN_OUT"),
    ("generate_poses", "OUTLINER_OB_ARMATURE"),
    ("generate_idle", "MOD_TIME"),
    ("add_targets", "EMPTY_DATA"),
    ("follow_live", "CON_FOLLOWPATH"),
    ("fit_range", "ACTION"),
    ("animate_from_keypoints", "OUTLINER_DATA_CAMERA"),
    ("refine_to_keypoints", "CON_CAMERASOLVER"),
    ("plausibility", "VIEWZOOM"),
)
_AFTERWARDS = ("compare", "blend_result", "more_variants", "apply_variant", "discard_result", "repeat_last")


class DPOSER_MT_tools(Menu):
    """Every tool."""

    bl_idname = "DPOSER_MT_tools"
    bl_label = "DPoser"
    bl_description = "Clean, complete, generate and in-between motion"

    def draw(self, context: Context) -> None:
        layout = self.layout
        for name, icon in _TOOLS:
            layout.operator(f"dposer.{name}", icon=icon)
        layout.separator()
        for name in _AFTERWARDS:
            layout.operator(f"dposer.{name}")


def _show(self: Menu, context: Context) -> None:
    layout: UILayout = self.layout
    layout.separator()
    layout.menu(DPOSER_MT_tools.bl_idname, icon="ARMATURE_DATA")


def _import(self: Menu, context: Context) -> None:
    self.layout.operator("dposer.import_keypoints", text="2D Keypoints (.json, .csv)")


def register() -> None:
    """Add the menu to Blender's."""
    TOPBAR_MT_file_import.append(_import)
    for menu in (VIEW3D_MT_pose, VIEW3D_MT_object):
        menu.append(_show)


def unregister() -> None:
    """Take it out again."""
    TOPBAR_MT_file_import.remove(_import)
    for menu in (VIEW3D_MT_pose, VIEW3D_MT_object):
        menu.remove(_show)


CLASSES = (DPOSER_MT_tools,)
