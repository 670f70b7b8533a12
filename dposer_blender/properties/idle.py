# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of *Generate Idle*."""

from __future__ import annotations

from typing import Any

from bpy.props import FloatProperty
from bpy.types import PropertyGroup

from . import common


def idle_properties(**options: Any) -> common.Annotations:
    """Annotations of the settings; ``options`` go to every one of them."""

    def share(name: str, description: str) -> Any:
        return FloatProperty(
            name=name, description=description, min=0.0, max=2.0, default=1.0, precision=2, step=5,
            subtype="FACTOR", **options,
        )  # fmt: skip

    return {
        "seconds": FloatProperty(
            name="Length",
            description="How long the loop is",
            min=1.0,
            soft_min=2.0,
            soft_max=20.0,
            max=60.0,
            default=8.0,
            precision=1,
            step=50,
            subtype="TIME_ABSOLUTE",
            unit="TIME_ABSOLUTE",
            **options,
        ),
        "amount": share("Variation", "How much trunk, head and arms stir: 1 as people who stand do, 0 not at all"),
        "breathing": share("Breathing", "How deep the breath goes: 1 as people who stand do, 0 not at all"),
        "sway": share("Weight Shift", "How far weight goes from foot to foot: 1 as people who stand do, 0 not at all"),
        **common.variants(1, "How many different idles", **options),
        **common.seed(**options),
    }


class DPoserIdleSettings(PropertyGroup):
    """Settings of *Generate Idle* in the panel."""

    __annotations__ = idle_properties()


CLASSES = (DPoserIdleSettings,)
