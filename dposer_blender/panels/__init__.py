# SPDX-License-Identifier: GPL-3.0-or-later
"""The DPoser tab in the 3D view's sidebar."""

from __future__ import annotations

from . import bone_map, main

# Blender shows the parts of the tab in the order in which they are registered.
CLASSES = (main.DPOSER_PT_main, *bone_map.CLASSES, main.DPOSER_PT_options, main.DPOSER_PT_engine)
