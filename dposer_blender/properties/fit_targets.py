# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of *Fit to Targets*."""

from __future__ import annotations

from typing import Any

from bpy.props import EnumProperty, FloatProperty
from bpy.types import PropertyGroup

from ..body_joints import BONES, GROUPS, TITLES
from . import common

WHICH = (
    ("LIMBS", "Hands and Feet", "Both hands and both feet"),
    ("SELECTED", "Selected Bones", "The bones that are selected in Pose Mode"),
    ("JOINTS", "Joints", "Chosen joints of the body"),
)
LIMBS = ("left_wrist", "right_wrist", "left_ankle", "right_ankle")
JOINTS = tuple(
    (joint, TITLES[joint], f"At the start of the {BONES[joint]}") for _, joints in GROUPS for joint in joints
)


def which(**options: Any) -> common.Annotations:
    """Which bones get targets."""
    return {
        "bones": EnumProperty(
            name="Bones", description="Bones that get a target", items=WHICH, default="LIMBS", **options
        ),
        "joints": EnumProperty(
            name="Joints",
            description="Joints that get a target; hold Shift to choose several",
            items=JOINTS,
            default=set(LIMBS),
            options=options.get("options", set()) | {"ENUM_FLAG"},
        ),
    }


def how(**options: Any) -> common.Annotations:
    """How the body follows its targets."""
    return {
        "keep": FloatProperty(
            name="Keep Pose",
            description=(
                "How much of the pose stays: with 1 nothing moves that no target needs, "
                "with 0 the whole body takes the most natural pose"
            ),
            min=0.0,
            max=1.0,
            default=1.0,
            precision=2,
            step=5,
            subtype="FACTOR",
            **options,
        ),
        **common.switch(
            "free_root", "Move Hips", "Let the hips move and turn where arms and legs do not suffice", **options
        ),
        **common.switch(
            "keep_feet",
            "Keep Feet",
            "While the hips move, feet without a target stay where they are; one in the air gives way",
            True,
            **options,
        ),
    }


def baked(**options: Any) -> common.Annotations:
    """How a range of frames follows its targets."""
    return {
        **common.frames(**options),
        "smooth": FloatProperty(
            name="Smoothness",
            description="How gently the motion gives way to a target that comes or goes suddenly, in seconds",
            min=0.0,
            soft_max=0.2,
            max=0.5,
            default=0.08,
            precision=2,
            step=1,
            **options,
        ),
        **common.ease("Frames over which the targets set in where the range begins or ends amid the action", **options),
    }


class DPoserFitTargetsSettings(PropertyGroup):
    """Settings of *Fit to Targets* in the panel."""

    __annotations__ = {**which(), **how(), **baked()}


CLASSES = (DPoserFitTargetsSettings,)
