# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to the machine rather than to a scene: the engine's interpreter and its device."""

from __future__ import annotations

from bpy.props import EnumProperty, StringProperty
from bpy.types import AddonPreferences, Context

# The package that Blender enables, and whose page this is: the extension's root.
ROOT_PACKAGE = __package__.rpartition(".")[0]

DEVICES = (
    ("auto", "Automatic", "A graphics card that PyTorch can use, else the processor"),
    ("cpu", "CPU", "The processor"),
    ("cuda", "CUDA or ROCm", "An NVIDIA or AMD graphics card; the interpreter needs a PyTorch made for it"),
    ("mps", "Apple GPU", "The graphics processor of an Apple computer"),
)


class DPOSER_AP_preferences(AddonPreferences):
    """The extension's page in Blender's preferences."""

    bl_idname = ROOT_PACKAGE

    python: StringProperty(
        name="Python",
        description=(
            "Interpreter that runs the engine, or the folder of its environment (venv or conda), for a PyTorch of your "
            "own; empty for the one that DPOSER_PYTHON names, else Blender's. Used from the engine's next start"
        ),
        subtype="FILE_PATH",
    )
    device: EnumProperty(
        name="Device", description="Processor that the engine computes on", items=DEVICES, default="auto"
    )

    def draw(self, context: Context) -> None:
        from .panels.engine import draw_preferences  # here, as panels need to know the preferences

        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "python", placeholder="Blender's own")
        layout.prop(self, "device")
        draw_preferences(layout, context)


def of(context: Context) -> tuple[str, str]:
    """The interpreter (may be empty) and the device the user chose."""
    addon = context.preferences.addons.get(ROOT_PACKAGE)
    if addon is None or addon.preferences is None:
        return "", "auto"
    return addon.preferences.python, addon.preferences.device


CLASSES = (DPOSER_AP_preferences,)
