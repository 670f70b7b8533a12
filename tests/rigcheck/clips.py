# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips read to their end, and simple changes of them, for the tests in Blender."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from rigcheck.extension import part


def read(ob: Any, first: int = 1, last: int = 48) -> Any:
    """The armature's clip, evaluated where its f-curves do not tell it."""
    armature = part("armature")
    clip = armature.read(ob, bpy.context.scene, first, last)
    while not clip.complete:
        armature.evaluate(clip, bpy.context, 10.0)
    return clip


def turned(clip: Any, degrees: float | np.ndarray = 20.0) -> np.ndarray:
    """The clip's rotations, each bone turned a little about its own X axis; the angle may be an array to (T, J)."""
    half = np.radians(degrees) / 2
    w, x, y, z = np.moveaxis(clip.rotations, -1, 0)
    c, s = np.cos(half), np.sin(half)
    return np.stack([c * w - s * x, c * x + s * w, c * y + s * z, c * z - s * y], axis=-1)


def everywhere(clip: Any) -> np.ndarray:
    """(T, J) all true."""
    return np.ones(clip.rotations.shape[:2], bool)


def nowhere(clip: Any) -> np.ndarray:
    """(T, J) all false."""
    return np.zeros(clip.rotations.shape[:2], bool)
