# SPDX-License-Identifier: GPL-3.0-or-later
"""Icons of the graph's colours, for the legend."""

from __future__ import annotations

from typing import Any

import bpy.utils.previews
import numpy as np

from . import scale

_SIZE, _BORDER = 32, 6  # pixels
_COLOURS = {
    "usual": scale.USUAL_COLOUR,
    "rare": scale.RARE_COLOUR,
    "odd": scale.ODD_COLOUR,
    "damage": scale.DAMAGE_COLOUR,
}

_icons: Any = None


def icon(name: str) -> int:
    """The icon of a colour: usual, rare, odd or damage."""
    if _icons is None:
        _paint()
    return int(_icons[name].icon_id)


def _paint() -> None:
    global _icons
    _icons = bpy.utils.previews.new()
    for name, colour in _COLOURS.items():
        pixels = np.zeros((_SIZE, _SIZE, 4), np.float32)
        pixels[_BORDER:-_BORDER, _BORDER:-_BORDER] = (*colour, 1.0)
        preview = _icons.new(name)
        preview.icon_size = _SIZE, _SIZE
        preview.icon_pixels_float.foreach_set(pixels.ravel())


def unregister() -> None:
    """Let the icons go."""
    global _icons
    if _icons is not None:
        bpy.utils.previews.remove(_icons)
        _icons = None
