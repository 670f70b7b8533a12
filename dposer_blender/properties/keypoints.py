# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of *Animate from Keypoints*."""

from __future__ import annotations

from typing import Any

from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty
from bpy.types import Context, Object, PropertyGroup

from ..drawing import handlers
from . import common

PRIORS = (
    ("gfpose", "GFPose", "Draws whole poses that agree with the keypoints"),
    ("diffpose", "DiffPose", "Sets out from what keypoints or heatmaps leave open, and looks at the frames around"),
)


def source(chosen: Any = None, **options: Any) -> common.Annotations:
    """Which file, and what it does not say; ``chosen`` is called where another file is."""
    return {
        "filepath": StringProperty(
            name="Keypoints",
            description="A file of 2D keypoints (JSON, CSV) or heatmaps, or a folder with a JSON file for each frame",
            subtype="FILE_PATH",
            **options | ({"update": chosen} if chosen is not None else {}),
        ),
        "person": StringProperty(
            name="Person", description="Whose keypoints; the most certain person's where this is empty", **options
        ),
        "width": IntProperty(
            name="Width",
            description="Of the images in pixels; with 0 what the file says, or else the render's",
            min=0,
            soft_max=8192,
            max=100_000,
            default=0,
            subtype="PIXEL",
            **options,
        ),
        "height": IntProperty(
            name="Height",
            description="Of the images in pixels; with 0 what the file says, or else the render's",
            min=0,
            soft_max=8192,
            max=100_000,
            default=0,
            subtype="PIXEL",
            **options,
        ),
    }


def timing(**options: Any) -> common.Annotations:
    """When the file's frames are."""
    return {
        "fps": FloatProperty(
            name="Frame Rate",
            description="Of the keypoints, in frames per second; with 0 what the file says, or else the scene's",
            min=0.0,
            soft_max=120.0,
            max=1000.0,
            default=0.0,
            precision=2,
            step=100,
            **options,
        ),
        "start": IntProperty(
            name="Start", description="Frame of the scene that shows the file's first frame",
            min=-100_000, soft_min=-2000, soft_max=2000,
            max=100_000, default=1, **options,
        ),
    }  # fmt: skip


def through(**options: Any) -> common.Annotations:
    """The camera of an operator, which cannot point at one."""
    return {
        "camera": StringProperty(
            name="Camera",
            description="The camera that sees the person; the scene's where none is chosen",
            **options,
        )
    }


def lifting(**options: Any) -> common.Annotations:
    """How the keypoints become motion."""
    return {
        "prior": EnumProperty(
            name="Prior", description="What knows how people move", items=PRIORS, default="gfpose", **options
        ),
        "hypotheses": IntProperty(
            name="Hypotheses",
            description="Poses drawn for each frame: more tell better what is likely, and take longer",
            min=1,
            soft_max=100,
            max=1000,
            default=20,
            **options,
        ),
        **common.variants(1, "How many different animations to choose from, made of the hypotheses", **options),
        **common.seed(**options),
    }


def is_camera(_: PropertyGroup, ob: Object) -> bool:
    return bool(ob.type == "CAMERA")


def _redraw(_: PropertyGroup, context: Context) -> None:
    handlers.redraw()


def another_file(settings: PropertyGroup, context: Context) -> None:
    """Another file has other people and images."""
    for name in ("person", "width", "height", "fps"):
        settings.property_unset(name)
    handlers.redraw()


class DPoserKeypointsSettings(PropertyGroup):
    """Settings of *Animate from Keypoints* in the panel, and whether the keypoints are shown."""

    __annotations__ = {
        **source(another_file, update=_redraw),
        **timing(update=_redraw),
        **lifting(),
        "camera": PointerProperty(
            type=Object,
            name="Camera",
            description="The camera that sees the person; the scene's where none is chosen",
            poll=is_camera,
            update=_redraw,
        ),
        "show": BoolProperty(
            name="Show Keypoints",
            description="Show the keypoints of the current frame over the view through the camera",
            default=True,
            update=_redraw,
        ),
    }


CLASSES = (DPoserKeypointsSettings,)
