# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that several tools have: frames, bones, the way a result is written, the seed."""

from __future__ import annotations

from typing import Any

from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty

from ..translations import CONTEXT

Annotations = dict[str, Any]

RANGES = (
    ("ACTION", "Action", "Every frame of the action"),
    ("SCENE", "Scene", "The part of the action inside the scene's frame range"),
    ("PREVIEW", "Preview", "The part of the action inside the preview range"),
    ("SELECTED", "Selected Keys", "From the first to the last key that is selected"),
)
FRAME = ("FRAME", "This Frame", "The current frame alone")
BONES = (
    ("ALL", "All", "Every bone of the body"),
    ("SELECTED", "Selected", "The bones that are selected in Pose Mode"),
    ("PARTS", "Body Parts", "The bones of chosen parts of the body"),
)
PARTS = (
    ("left_arm", "Left Arm", "Collar, upper arm, forearm and hand"),
    ("right_arm", "Right Arm", "Collar, upper arm, forearm and hand"),
    ("left_leg", "Left Leg", "Thigh, shin, foot and toes"),
    ("right_leg", "Right Leg", "Thigh, shin, foot and toes"),
    ("trunk", "Trunk", "Spine and shoulders"),
    ("head", "Head", "The head"),
)
"""Parts of the body that the engine knows by these names."""
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
MOST_VARIANTS = 20
MOST_BLEND = 1000  # frames


def frames(ranges: tuple[tuple[str, str, str], ...] = RANGES, **options: Any) -> Annotations:
    """Which frames may change; the first range is the default."""
    return {
        "frames": EnumProperty(
            name="Range", description="Frames that may change", items=ranges, default=ranges[0][0], **options
        )
    }


def bones(description: str, items: tuple[tuple[str, str, str], ...] = BONES, **options: Any) -> Annotations:
    """Which bones; the first choice is the default."""
    return {
        "bones": EnumProperty(
            name="Bones", description=description, items=items, default=items[0][0], **options
        ),
        "parts": EnumProperty(
            name="Parts",
            description="Parts of the body; hold Shift to choose several",
            items=PARTS,
            default={PARTS[0][0]},
            options=options.get("options", set()) | {"ENUM_FLAG"},
        ),
    }


def blend(**options: Any) -> Annotations:
    """How the result comes in and goes out at the ends of the range."""
    limits = {"min": 0, "soft_max": 60, "max": MOST_BLEND, "default": 0}
    return {
        "blend_in": IntProperty(
            name="Blend In",
            description="Frames over which the result comes in after the first frame of the range",
            **limits,
            **options,
        ),
        "blend_out": IntProperty(
            name="Blend Out",
            description="Frames over which the result goes out before the last frame of the range",
            **limits,
            **options,
        ),
    }


def ease(description: str, **options: Any) -> Annotations:
    """Over how many frames something comes and goes amid an action."""
    return {
        "ease": IntProperty(
            name="Ease", description=description, min=0, soft_max=30, max=240, default=8, **options
        )
    }


def writing(**options: Any) -> Annotations:
    """Where the result goes, and which frames get a key."""
    return {
        "target": EnumProperty(
            name="Result", description="Where the result goes", items=TARGETS, default="NEW", **options
        ),
        "keys": EnumProperty(
            name="Keys", description="Which frames get a key", items=KEYS, default="EVERY",
            translation_context=CONTEXT, **options,
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
    }


def seed(**options: Any) -> Annotations:
    """The start of the random numbers."""
    return {
        "seed": IntProperty(
            name="Seed",
            description="Start of the random numbers: the same seed gives the same result",
            min=0,
            max=2**31 - 1,
            default=0,
            **options,
        )
    }


def variants(default: int, description: str, **options: Any) -> Annotations:
    """How many results to choose from."""
    return {
        "variants": IntProperty(
            name="Variants", description=description, min=1, soft_max=8, max=MOST_VARIANTS, default=default,
            **options,
        )
    }  # fmt: skip


def switch(name: str, label: str, description: str, default: bool = False, **options: Any) -> Annotations:
    """A setting that is on or off."""
    return {name: BoolProperty(name=label, description=description, default=default, **options)}
