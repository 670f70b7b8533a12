# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a cleaning: on the scene for the panel, and on the operator for scripts."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty
from bpy.types import PropertyGroup, Scene

METHODS = (
    (
        "prior",
        "Motion Prior",
        "Learned from real motion: removes noise, jumps and drop-outs; needs a humanoid rig",
    ),
    (
        "wiener",
        "Learned Smoother",
        "The spectra of real motion alone: removes noise, jumps and drop-outs in no time; needs a humanoid rig",
    ),
    ("butterworth", "Butterworth", "Low-pass filter, the usual choice of studios; works on any rig"),
    ("gaussian", "Gaussian", "Weighted average over neighbouring frames; works on any rig"),
    (
        "savgol",
        "Savitzky-Golay",
        "Polynomial through neighbouring frames, which keeps peaks; works on any rig",
    ),
    ("median", "Median", "Removes jumps and leaves the rest almost as it is; works on any rig"),
)
FEET = (
    ("auto", "Automatic", "Held where they rest, in clips whose feet slide"),
    ("always", "Always", "Held wherever they rest, or are near the floor and slow"),
    ("never", "Never", "Left as the cleaning leaves them"),
)
ON_THE_BODY = ("prior", "wiener")
"""Methods that need to know which bones are the body's."""
TARGETS = (
    ("NEW", "New Action", "A new action beside the original, which is kept as it is"),
    ("OVERWRITE", "Overwrite", "The action itself; undo brings the original back"),
    ("NLA", "NLA Layer", "A track of its own above the original: mute it to compare, set its influence to blend"),
)
KEYS = (
    ("EVERY", "Every Frame", "A key on every changed frame"),
    ("ORIGINAL", "Original", "Keys only where the original had keys: they move, and what lies between follows"),
    ("REDUCED", "Reduced", "As few keys as keep every joint within the tolerance of the full result"),
)
RANGES = (
    ("ACTION", "Action", "Every frame of the action"),
    ("SCENE", "Scene", "The part of the action inside the scene's frame range"),
    ("PREVIEW", "Preview", "The part of the action inside the preview range"),
)


def clean_properties(**options: Any) -> dict[str, Any]:
    """Annotations of the settings of a cleaning; ``options`` go to every one of them."""
    return {
        "method": EnumProperty(
            name="Method", description="How the motion is cleaned", items=METHODS, default="prior", **options
        ),
        "strength": FloatProperty(
            name="Strength",
            description="How much is removed: 0 changes nothing, 1 as much as the clip needs, 2 twice that",
            min=0.0,
            max=2.0,
            default=1.0,
            precision=2,
            step=5,
            subtype="FACTOR",
            **options,
        ),
        "frames": EnumProperty(
            name="Range", description="Frames that may change", items=RANGES, default="ACTION", **options
        ),
        "feet": EnumProperty(
            name="Feet",
            description="Whether feet are held still where they rest on something",
            items=FEET,
            default="auto",
            **options,
        ),
        "target": EnumProperty(
            name="Result", description="Where the result goes", items=TARGETS, default="NEW", **options
        ),
        "keys": EnumProperty(
            name="Keys", description="Which frames get a key", items=KEYS, default="EVERY", **options
        ),
        "tolerance": FloatProperty(
            name="Tolerance",
            description="How far a joint may be from where a key on every frame would have it, in millimetres",
            min=0.01,
            soft_min=0.1,
            soft_max=20.0,
            max=1000.0,
            default=1.0,
            precision=1,
            step=10,
            **options,
        ),
        "selected_only": BoolProperty(
            name="Selected Bones Only",
            description="Change only the bones that are selected in Pose Mode",
            default=False,
            **options,
        ),
        "seed": IntProperty(
            name="Seed",
            description="Start of the random numbers: the same seed gives the same result",
            min=0,
            max=2**31 - 1,
            default=0,
            **options,
        ),
    }


class DPoserSettings(PropertyGroup):
    """Settings of the panel, kept in the scene."""

    __annotations__ = clean_properties()


def register() -> None:
    """Give each scene its settings."""
    Scene.dposer = PointerProperty(
        type=DPoserSettings, name="DPoser", description="Settings of the DPoser panel"
    )


def unregister() -> None:
    """Take the settings back."""
    del bpy.types.Scene.dposer


CLASSES = (DPoserSettings,)
