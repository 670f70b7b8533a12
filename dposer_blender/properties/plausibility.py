# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of *Plausibility*."""

from __future__ import annotations

from typing import Any

from bpy.props import BoolProperty, EnumProperty
from bpy.types import Context, PropertyGroup

from ..drawing import handlers
from . import common


def plausibility_properties(**options: Any) -> common.Annotations:
    """Annotations of the operator's settings; ``options`` go to every one of them."""
    ranges = (*common.RANGES, common.FRAME)
    return {
        "frames": EnumProperty(
            name="Range", description="Frames that are scored", items=ranges, default=ranges[0][0], **options
        )
    }


def _redraw(_: PropertyGroup, context: Context) -> None:
    handlers.redraw()


class DPoserPlausibilitySettings(PropertyGroup):
    """Settings of *Plausibility* in the panel, and what of the scores is shown."""

    __annotations__ = {
        **plausibility_properties(),
        "show_graph": BoolProperty(
            name="Graph",
            description="Show in the timeline and the dope sheet how odd each frame is: taller is odder",
            default=True,
            update=_redraw,
        ),
        "show_bones": BoolProperty(
            name="Bones",
            description="Show in the 3D viewport how odd each joint is on the current frame",
            default=True,
            update=_redraw,
        ),
    }


CLASSES = (DPoserPlausibilitySettings,)
