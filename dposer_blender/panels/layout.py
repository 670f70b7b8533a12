# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels of the DPoser tab share."""

from __future__ import annotations

from bpy.types import Context, UILayout


class Sidebar:
    """Base of the panels in the DPoser tab of the 3D view's sidebar."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "DPoser"


def pair(column: UILayout, label: str, value: str) -> None:
    """A label and its value on a line."""
    row = column.split(factor=0.5)
    left = row.row()
    left.active = False
    left.label(text=label)
    right = row.row()
    right.alignment = "RIGHT"
    right.label(text=value)


def wrap(layout: UILayout, context: Context, text: str, icon: str, alert: bool = False) -> None:
    """A sentence over as many lines as the sidebar's width asks for; Blender does not break labels."""
    width = max(12, int(context.region.width / context.preferences.system.ui_scale / 7.2) - 6)
    column = layout.column(align=True)
    column.scale_y = 0.8
    column.alert = alert
    line = ""
    lines: list[str] = []
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    for number, content in enumerate([*lines, line]):
        column.label(text=content, icon=icon if number == 0 else "BLANK1")
