# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of *In-between*."""

from __future__ import annotations

from typing import Any

from bpy.props import EnumProperty, FloatProperty
from bpy.types import PropertyGroup

from . import common

METHODS = (
    ("prior", "Motion Prior", "Learned from real motion: how bodies move from one pose to another"),
    ("motion", "Spline", "A smooth curve with the timing of real motion, in no time"),
    ("linear", "Linear", "Every bone turns evenly from key to key"),
)


def inbetween_properties(**options: Any) -> common.Annotations:
    """Annotations of the settings; ``options`` go to every one of them."""
    return {
        "method": EnumProperty(
            name="Method", description="How the frames between keys are found", items=METHODS, default="prior",
            **options,
        ),
        "variation": FloatProperty(
            name="Variation",
            description="How far the way may stray: 0 is the most likely, 1 as lively as captured motion",
            min=0.0,
            max=3.0,
            soft_max=1.0,
            default=0.0,
            precision=2,
            step=5,
            **options,
        ),
        **common.variants(1, "How many different ways; needs some variation", **options),
        **common.seed(**options),
    }  # fmt: skip


class DPoserInbetweenSettings(PropertyGroup):
    """Settings of *In-between* in the panel."""

    __annotations__ = inbetween_properties()


CLASSES = (DPoserInbetweenSettings,)
