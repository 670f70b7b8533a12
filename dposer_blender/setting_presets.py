# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets of a tool's settings, as Blender's own: a button in the panel's header that lists, adds and removes them.

Those that come with DPoser lie in ``builtin/presets/dposer/<tool>``, the user's where Blender keeps presets.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel
from bpy.types import Operator, Panel

_BUILTIN = Path(__file__).resolve().parent / "builtin"
_SETTINGS = "settings"  # what the files call the tool's property group


def preset_classes(tool: str, title: str, path: str, names: Iterable[str]) -> tuple[type[PresetPanel], type[Operator]]:
    """The list of a tool's presets and the operator that adds to it or removes from it; both to be registered.

    Args:
        tool: in identifiers and as the folder's name, such as "clean".
        title: of the tool, such as "Clean Motion".
        path: of its property group from the scene, such as "dposer".
        names: its properties that presets hold.

    Returns:
        The panel, whose ``draw_panel_header`` draws the button, and the operator.
    """
    operator, panel = f"dposer.{tool}_preset_add", f"DPOSER_PT_{tool}_presets"
    folder = f"dposer/{tool}"
    presets = type(
        panel,
        (PresetPanel, Panel),
        {
            "__doc__": f"Presets of the settings of {title}.",
            "bl_idname": panel,
            "bl_label": f"{title} Presets",
            "preset_subdir": folder,
            "preset_operator": "script.execute_preset",
            "preset_add_operator": operator,
        },
    )
    add = type(
        f"DPOSER_OT_{tool}_preset_add",
        (AddPresetBase, Operator),
        {
            "__doc__": f"Keep the settings of {title} as a preset, or remove a preset",
            "bl_idname": operator,
            "bl_label": f"Add {title} Preset",
            "preset_menu": panel,
            "preset_subdir": folder,
            "preset_defines": [f"{_SETTINGS} = bpy.context.scene.{path}"],
            "preset_values": [f"{_SETTINGS}.{name}" for name in names],
        },
    )
    return presets, add


def register() -> None:
    """Let Blender find the presets that come with DPoser."""
    bpy.utils.register_preset_path(str(_BUILTIN))


def unregister() -> None:
    """Let it forget them."""
    bpy.utils.unregister_preset_path(str(_BUILTIN))
