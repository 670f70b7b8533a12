# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the tools: on the scene for the panel, and on the operators for scripts."""

from __future__ import annotations

import bpy
from bpy.props import PointerProperty
from bpy.types import PropertyGroup, Scene

from . import blend, clean, complete, fit_targets, generate, idle, inbetween, keypoints, plausibility, refine


class DPoserSettings(PropertyGroup):
    """Settings of the panel, kept in the scene: those of *Clean Motion* and of every result, and of each other tool."""

    __annotations__ = {
        **clean.clean_properties(),
        "blend": PointerProperty(
            type=blend.DPoserBlendSettings, name="Blend", description="Settings of Blend Result"
        ),
        "complete": PointerProperty(
            type=complete.DPoserCompleteSettings, name="Complete", description="Settings of Complete Limbs"
        ),
        "fit_targets": PointerProperty(
            type=fit_targets.DPoserFitTargetsSettings, name="Fit to Targets", description="Settings of Fit to Targets"
        ),
        "generate": PointerProperty(
            type=generate.DPoserGenerateSettings, name="Generate", description="Settings of Generate Poses"
        ),
        "idle": PointerProperty(
            type=idle.DPoserIdleSettings, name="Idle", description="Settings of Generate Idle"
        ),
        "inbetween": PointerProperty(
            type=inbetween.DPoserInbetweenSettings, name="In-between", description="Settings of In-between"
        ),
        "keypoints": PointerProperty(
            type=keypoints.DPoserKeypointsSettings,
            name="Animate from Keypoints",
            description="Settings of Animate from Keypoints",
        ),
        "plausibility": PointerProperty(
            type=plausibility.DPoserPlausibilitySettings, name="Plausibility", description="Settings of Plausibility"
        ),
        "refine": PointerProperty(
            type=refine.DPoserRefineSettings, name="Refine to Keypoints", description="Settings of Refine to Keypoints"
        ),
    }  # fmt: skip


def register() -> None:
    """Give each scene its settings."""
    Scene.dposer = PointerProperty(
        type=DPoserSettings, name="DPoser", description="Settings of the DPoser panel"
    )


def unregister() -> None:
    """Take the settings back."""
    del bpy.types.Scene.dposer


CLASSES = (
    *blend.CLASSES,
    *complete.CLASSES,
    *fit_targets.CLASSES,
    *generate.CLASSES,
    *idle.CLASSES,
    *inbetween.CLASSES,
    *keypoints.CLASSES,
    *plausibility.CLASSES,
    *refine.CLASSES,
    DPoserSettings,
)
