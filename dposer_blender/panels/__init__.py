# SPDX-License-Identifier: GPL-3.0-or-later
"""The DPoser tab in the 3D view's sidebar."""

from __future__ import annotations

from . import bone_map, engine, fit_targets, keypoints, main, plausibility, refine, result, tools

# Blender shows the parts of the tab in the order in which they are registered.
CLASSES = (
    *main.CLASSES,
    *result.CLASSES,
    main.DPOSER_PT_options,
    main.DPOSER_PT_output,
    *tools.CLASSES,
    *fit_targets.CLASSES,
    *keypoints.CLASSES,
    *refine.CLASSES,
    *plausibility.CLASSES,
    *bone_map.CLASSES,
    *engine.CLASSES,
)
