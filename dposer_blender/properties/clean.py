# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of *Clean Motion*."""

from __future__ import annotations

from typing import Any

from bpy.props import EnumProperty, FloatProperty

from ..translations import CONTEXT
from . import common

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
ACTIONS = (
    ("ACTIVE", "Active", "The action that animates the armature"),
    ("ALL", "All", "Every action that moves bones of the armature, each to a result of its own"),
)


def clean_properties(**options: Any) -> common.Annotations:
    """Annotations of the settings of a cleaning; ``options`` go to every one of them."""
    return {
        "method": EnumProperty(
            name="Method", description="How the motion is cleaned", items=METHODS, default="prior",
            translation_context=CONTEXT, **options,
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
        **common.frames(**options),
        **common.bones("Bones that may change", **options),
        **common.switch(
            "lock_selected",
            "Keep Selected Keys",
            "Frames with a selected key stay exactly as they are, and the result passes through them",
            **options,
        ),
        **common.switch(
            "doubt",
            "Redo the Unseen",
            "What Animate from Keypoints could not see of the body is made anew from what it saw around it",
            **options,
        ),
        "feet": EnumProperty(
            name="Feet",
            description="Whether feet are held still where they rest on something",
            items=FEET,
            default="auto",
            translation_context=CONTEXT,
            **options,
        ),
        **common.blend(**options),
        "actions": EnumProperty(
            name="Actions", description="Which actions of an armature are cleaned", items=ACTIONS,
            default="ACTIVE", **options,
        ),
        **common.writing(**options),
        **common.seed(**options),
    }  # fmt: skip
