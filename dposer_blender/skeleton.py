# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature's rest pose as the engine takes it."""

from __future__ import annotations

from typing import Any

import numpy as np
from bpy.types import Object, Scene


def read(ob: Object, scene: Scene) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The parameters ``names`` and ``scale``, and the arrays ``parents``, ``rest``, ``tails`` of a request."""
    bones = ob.data.bones
    names = [bone.name for bone in bones]
    index = {name: j for j, name in enumerate(names)}
    parents = [index[bone.parent.name] if bone.parent else -1 for bone in bones]
    tails = np.empty(3 * len(bones), np.float32)
    bones.foreach_get("tail_local", tails)
    scale = ob.matrix_world.median_scale * scene.unit_settings.scale_length
    return {"names": names, "scale": scale}, {
        "parents": np.array(parents, np.int32),
        "rest": matrices(bones, "matrix_local").astype(np.float64),
        "tails": tails.reshape(-1, 3).astype(np.float64),
    }


def matrices(bones: Any, attribute: str) -> np.ndarray:
    """(J, 4, 4) float32 of a collection of bones; Blender hands matrices out column by column."""
    values = np.empty(16 * len(bones), np.float32)
    bones.foreach_get(attribute, values)
    return values.reshape(-1, 4, 4).transpose(0, 2, 1)
