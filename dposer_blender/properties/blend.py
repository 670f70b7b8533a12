# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of *Blend Result*."""

from __future__ import annotations

from typing import Any

from bpy.props import EnumProperty, FloatProperty
from bpy.types import PropertyGroup

from . import common

RANGES = (
    ("ALL", "Whole Result", "Every frame that the result changes"),
    ("SCENE", "Scene", "The scene's frame range"),
    ("PREVIEW", "Preview", "The preview range"),
    ("SELECTED", "Selected Keys", "From the first to the last key that is selected"),
)


def blend_properties(**options: Any) -> common.Annotations:
    """Annotations of the settings; ``options`` go to every one of them."""
    return {
        "influence": FloatProperty(
            name="Influence",
            description="How much of the result is seen: 0 is the original, 1 the result",
            min=0.0,
            max=1.0,
            default=0.5,
            precision=2,
            step=5,
            subtype="FACTOR",
            **options,
        ),
        **common.bones("Bones whose result is blended", **options),
        "frames": EnumProperty(
            name="Range", description="Frames on which the result is blended", items=RANGES, default="ALL", **options
        ),
        **common.blend(**options),
    }  # fmt: skip


class DPoserBlendSettings(PropertyGroup):
    """Settings of *Blend Result* in the panel."""

    __annotations__ = blend_properties()


CLASSES = (DPoserBlendSettings,)
