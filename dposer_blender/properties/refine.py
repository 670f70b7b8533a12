# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of *Refine to Keypoints*."""

from __future__ import annotations

from typing import Any

from bpy.props import CollectionProperty, FloatProperty, IntProperty, PointerProperty
from bpy.types import Object, PropertyGroup

from . import common
from .keypoints import another_file, is_camera, source, timing

MOST_CAMERAS = 16
"""That the engine takes."""


def refine_properties(**options: Any) -> common.Annotations:
    """Annotations of the settings; ``options`` go to every one of them."""
    return {
        **common.switch(
            "only_smooth",
            "Only Smooth",
            "Make the motion smooth and natural, whatever any camera saw",
            **options,
        ),
        "smoothness": FloatProperty(
            name="Smoothness",
            description="How much frames hang together: with 0 each is refined by itself, with 1 as is usual, more is calmer",  # noqa: E501
            min=0.0,
            soft_max=10.0,
            max=100.0,
            default=1.0,
            precision=1,
            step=10,
            **options,
        ),
        "rounds": IntProperty(
            name="Rounds",
            description="How often the motion goes back and forth between keypoints and prior: more are nearer, and take longer",  # noqa: E501
            min=1,
            soft_max=20,
            max=1000,
            default=10,
            **options,
        ),
        **common.frames(**options),
        **common.bones("Bones that may change", **options),
        **common.ease("Frames before and after the keypoints over which the motion goes over into them", **options),
    }


class DPoserRefineCamera(PropertyGroup):
    """A further camera that saw the same person, and its keypoints."""

    __annotations__ = {
        "camera": PointerProperty(
            type=Object, name="Camera", description="Another camera that saw the same person", poll=is_camera
        ),
        **source(another_file),
        **timing(),
    }


class DPoserRefineSettings(PropertyGroup):
    """Settings of *Refine to Keypoints* in the panel."""

    __annotations__ = {
        **refine_properties(),
        "cameras": CollectionProperty(
            type=DPoserRefineCamera,
            name="Cameras",
            description="Further cameras that saw the same person, beside that of Animate from Keypoints",
        ),
    }


CLASSES = (DPoserRefineCamera, DPoserRefineSettings)
