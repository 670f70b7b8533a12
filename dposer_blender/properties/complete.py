# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of *Complete Limbs*."""

from __future__ import annotations

from typing import Any

from bpy.types import PropertyGroup

from . import common

MISSING = (
    ("SELECTED", "Selected", "The bones that are selected in Pose Mode"),
    ("PARTS", "Body Parts", "The bones of chosen parts of the body"),
    ("UNKEYED", "Without Keys", "Bones of the body that the action has no keys for"),
)


def complete_properties(**options: Any) -> common.Annotations:
    """Annotations of the settings; ``options`` go to every one of them."""
    return {
        **common.bones("Bones whose pose is missing", MISSING, **options),
        **common.frames((common.FRAME, *common.RANGES), **options),
        **common.variants(4, "How many different ways to fill in what is missing", **options),
        **common.seed(**options),
    }


class DPoserCompleteSettings(PropertyGroup):
    """Settings of *Complete Limbs* in the panel."""

    __annotations__ = complete_properties()


CLASSES = (DPoserCompleteSettings,)
