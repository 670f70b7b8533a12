# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras and keypoint files that no tool can use: each prepares the scene, and gives settings that differ for it."""

from __future__ import annotations

from typing import Any

import bpy


def no_camera(walking: Any) -> dict[str, Any]:
    bpy.data.objects.remove(walking.camera)
    return {}


def another_camera(walking: Any) -> dict[str, Any]:
    return {"camera": "Nowhere"}


def no_file_named(walking: Any) -> dict[str, Any]:
    return {"filepath": ""}


def no_such_file(walking: Any) -> dict[str, Any]:
    return {"filepath": str(walking.folder / "nothing.json")}


def other_proportions(walking: Any) -> dict[str, Any]:
    bpy.context.scene.render.resolution_y = 1280
    return {}
