# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user can do: a file for each tool."""

from __future__ import annotations

from . import (
    animate_from_keypoints,
    blend,
    bone_map,
    bone_map_files,
    clean,
    complete,
    diagnostics,
    engine,
    fit_targets,
    generate,
    idle,
    inbetween,
    keypoints,
    plausibility,
    refine,
    repeat,
    results,
)

_MODULES = (
    clean,
    complete,
    inbetween,
    generate,
    idle,
    fit_targets,
    keypoints,
    animate_from_keypoints,
    refine,
    plausibility,
    results,
    blend,
    repeat,
    engine,
    diagnostics,
    bone_map,
    bone_map_files,
)

CLASSES = tuple(cls for module in _MODULES for cls in module.CLASSES)
