# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the keypoints of the current frame over the view through the camera that saw them."""

from __future__ import annotations

from typing import Any

import bpy
import gpu
import numpy as np
from bpy.types import Context, Object, Region, RegionView3D, Scene
from bpy_extras.view3d_utils import location_3d_to_region_2d
from gpu_extras.batch import batch_for_shader

from .. import footage, pinhole
from ..footage import Footage
from . import overlay

_WIDTH, _RADIUS = 3.0, 4.0  # unscaled pixels

Batches = list[tuple[Any, dict[str, Any], Any]]
_PREPARED = 8  # at most: regions of several windows
_prepared: dict[tuple[object, ...], Batches] = {}


def draw() -> None:
    """The keypoints, in the region that is being drawn, where it looks through their camera."""
    context = bpy.context
    found = shown(context)
    if found is None:
        return
    scene, region = context.scene, context.region
    camera = context.space_data.camera if context.space_data.use_local_camera else scene.camera
    place = row(scene, found)
    if place is None:
        return
    corners = frame_corners(scene, camera, region, context.region_data)
    if corners is None:
        return
    gpu.state.blend_set("ALPHA")
    try:
        for shader, uniforms, batch in _batches(context, found, place, corners):
            shader.bind()
            for name, value in uniforms.items():
                shader.uniform_float(name, value)
            batch.draw(shader)
    finally:
        gpu.state.blend_set("NONE")


def forget() -> None:
    """Let go of what was prepared for drawing."""
    _prepared.clear()


def shown(context: Context) -> Footage | None:
    """The keypoints to be drawn in the region that is being drawn; None where there are none."""
    settings = context.scene.dposer.keypoints
    found = footage.recall(context.scene.session_uid)
    if found is None or not settings.show or not context.space_data.overlay.show_overlays:
        return None
    if context.region_data.view_perspective != "CAMERA":
        return None
    space = context.space_data
    through = space.camera if space.use_local_camera else context.scene.camera
    chosen = settings.camera if settings.camera is not None else context.scene.camera
    return found if through is not None and through == chosen and not pinhole.refusal(through) else None


def row(scene: Scene, found: Footage) -> int | None:
    """Which frame of the keypoints the scene's current frame shows; None outside."""
    settings, own = scene.dposer.keypoints, scene.render.fps / scene.render.fps_base
    pace = (settings.fps or found.fps or own) / own
    return overlay.row(len(found), scene.frame_current_final, settings.start, pace)


def frame_corners(scene: Scene, camera: Object, region: Region, view: RegionView3D) -> np.ndarray | None:
    """(3, 2) where a region shows the render's top left, top right and bottom left corner, in pixels from its bottom
    left; None where it does not."""
    top_right, _, bottom_left, top_left = camera.data.view_frame(scene=scene)
    at = camera.matrix_world.normalized()
    found = [location_3d_to_region_2d(region, view, at @ corner) for corner in (top_left, top_right, bottom_left)]
    return None if any(corner is None for corner in found) else np.array(found, np.float64)


def points(scene: Scene, found: Footage, place: int, corners: np.ndarray) -> np.ndarray:
    """(17, 2) the keypoints of one of their frames, in pixels of the region whose `frame_corners` these are."""
    settings, frame = scene.dposer.keypoints, pinhole.Frame.of(scene)
    given = settings.width, settings.height
    size = given if all(given) else found.size if all(found.size) else (frame.width, frame.height)
    return overlay.placed(found.pixels[place] / size, corners)


def _batches(context: Context, found: Footage, place: int, corners: np.ndarray) -> Batches:
    """What is drawn, prepared again only when it is another, or elsewhere."""
    region, unit = context.region, context.preferences.system.ui_scale
    at, settings = points(context.scene, found, place, corners), context.scene.dposer.keypoints
    size = region.width, region.height
    key = (id(found), place, settings.width, settings.height, corners.tobytes(), size, unit)
    if key not in _prepared:
        if len(_prepared) >= _PREPARED:
            _prepared.clear()
        _prepared[key] = _prepare(at, found.confidence[place], size, unit)
    return _prepared[key]


def _prepare(at: np.ndarray, confidence: np.ndarray, size: tuple[int, int], unit: float) -> Batches:
    """Shaders, their settings and batches, in the order in which they are drawn."""
    batches: Batches = []
    line, smooth = (gpu.shader.from_builtin(name) for name in ("POLYLINE_SMOOTH_COLOR", "SMOOTH_COLOR"))
    limbs, joints = overlay.lines(at, confidence), overlay.dots(at, confidence, _RADIUS * unit)
    for shader, kind, (vertices, colours), uniforms in (
        (line, "LINES", limbs, {"viewportSize": size, "lineWidth": _WIDTH * unit}),
        (smooth, "TRIS", joints, {}),
    ):
        if len(vertices):
            flat = np.append(vertices, np.zeros((len(vertices), 1)), axis=1).astype(np.float32)
            content = {"pos": flat, "color": np.ascontiguousarray(colours, np.float32)}
            batches.append((shader, uniforms, batch_for_shader(shader, kind, content)))
    return batches
