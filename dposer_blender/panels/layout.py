# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels of the DPoser tab share."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bpy.app.translations import pgettext_iface as iface_
from bpy.types import Context, PropertyGroup, UILayout

from ..translations import CONTEXT

# A word with the space behind it, or a wide character with the punctuation that must not begin a line.
_WIDE = "\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef"
_CLOSING = "\u3001\u3002\uff0c\uff1a\uff1b\uff01\uff1f\uff09\u300d\u300f\u30fc"
_PIECES = rf"[{_WIDE}][{_CLOSING}]*\s*|[^\s{_WIDE}]+[{_CLOSING}]*\s*|\s+"


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
    left.label(text=iface_(label, CONTEXT), translate=False)
    right = row.row()
    right.alignment = "RIGHT"
    right.label(text=value, translate=False)


def bones(column: UILayout, settings: PropertyGroup, title: str) -> None:
    """A choice of bones, with the parts of the body where it is those."""
    column.prop(settings, "bones", text=title)
    if settings.bones == "PARTS":
        grid = column.column()
        grid.use_property_split = False
        grid.grid_flow(columns=2, align=True, even_columns=True).prop(settings, "parts")


def wrap(layout: UILayout, context: Context, text: str, icon: str, alert: bool = False) -> None:
    """A sentence, translated, over as many lines as the region's width asks for; Blender does not break labels."""
    width = max(12, int(context.region.width / context.preferences.system.ui_scale / 7.2) - 6)
    column = layout.column(align=True)
    column.scale_y = 0.8
    column.alert = alert
    for number, content in enumerate(lines(iface_(text), width)):
        column.label(text=content, icon=icon if number == 0 else "BLANK1", translate=False)


def lines(text: str, width: int) -> list[str]:
    """Break a text into lines at most so many columns wide: at spaces, and between Chinese or Japanese characters.

    Such a character takes two columns. What is longer than a line, as a path may be, is cut.
    """
    found = [""]
    taken = 0  # columns of the last line
    for piece in re.findall(_PIECES, text):
        for part in _cut(piece, width):
            if taken + columns(part.rstrip()) > width:
                found[-1] = found[-1].rstrip()
                found.append("")
                taken = 0
                part = part.lstrip()
            found[-1] += part
            taken += columns(part)
    return [*found[:-1], found[-1].rstrip()]


def columns(text: str) -> int:
    """How wide a text is, in columns of a narrow letter."""
    import unicodedata  # here, as Blender's start has no use for it

    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _cut(piece: str, width: int) -> Iterator[str]:
    while columns(piece) > max(width, 2):
        head = piece[: next(i for i in range(1, len(piece) + 1) if columns(piece[: i + 1]) > width)]
        yield head
        piece = piece[len(head) :]
    yield piece
