# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of *Generate Poses*."""

from __future__ import annotations

from typing import Any

from bpy.props import EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy.types import PropertyGroup

from ..translations import CONTEXT
from . import common

OUTPUTS = (
    ("POSE", "Pose", "On the current frame; the poses are variants to choose from"),
    ("KEYS", "Keys", "One after the other along the timeline, from the current frame on"),
    ("ASSETS", "Pose Assets", "Into the asset browser; the animation stays as it is"),
)
KEPT = (
    ("NONE", "Nothing", "The whole body is posed anew"),
    ("SELECTED", "Selected", "The bones that are selected in Pose Mode stay as they are"),
    ("PARTS", "Body Parts", "Chosen parts of the body stay as they are"),
)


def generate_properties(**options: Any) -> common.Annotations:
    """Annotations of the settings; ``options`` go to every one of them."""
    return {
        "count": IntProperty(
            name="Poses", description="How many poses", min=1, soft_max=24, max=200, default=6, **options
        ),
        "output": EnumProperty(
            name="As", description="What becomes of the poses", items=OUTPUTS, default="POSE",
            translation_context=CONTEXT, **options,
        ),
        "step": IntProperty(
            name="Spacing", description="Frames from one pose to the next along the timeline", min=1,
            soft_max=60, max=1000, default=12, **options,
        ),
        "catalog": StringProperty(
            name="Catalog", description="Catalog of the asset browser that pose assets go into",
            default="DPoser", maxlen=63, **options,
        ),
        **common.bones("Bones that keep the current pose", KEPT, **options),
        "temperature": FloatProperty(
            name="Variety",
            description="1 varies as captured people do; less gives common poses, more rare ones",
            min=0.1,
            max=1.25,
            default=1.0,
            precision=2,
            step=5,
            **options,
        ),
        **common.seed(**options),
    }  # fmt: skip


class DPoserGenerateSettings(PropertyGroup):
    """Settings of *Generate Poses* in the panel."""

    __annotations__ = generate_properties()


CLASSES = (DPoserGenerateSettings,)
