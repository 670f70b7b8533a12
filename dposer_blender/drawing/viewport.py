# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws lines along the bones in the 3D viewport, coloured by how odd each joint is on the current frame."""

from __future__ import annotations

import bpy
import gpu
import numpy as np
from bpy.types import Context, Object
from gpu_extras.batch import batch_for_shader

from .. import armature, plausibility
from ..plausibility import Scores
from . import scale

_WIDTH = 7.0  # unscaled pixels


def draw() -> None:
    """The joints of every armature with scores that the viewport shows."""
    context = bpy.context
    overlay = context.space_data.overlay
    if not (overlay.show_overlays and context.scene.dposer.plausibility.show_bones):
        return
    lines = [found for uid, scores in plausibility.kept() if (found := _lines(context, uid, scores)) is not None]
    if not lines:
        return
    positions, colours = (np.concatenate(arrays).astype(np.float32) for arrays in zip(*lines, strict=True))
    shader = gpu.shader.from_builtin("POLYLINE_SMOOTH_COLOR")
    gpu.state.blend_set("ALPHA")
    gpu.state.depth_test_set("NONE")
    try:
        shader.bind()
        shader.uniform_float("viewportSize", (context.region.width, context.region.height))
        shader.uniform_float("lineWidth", _WIDTH * context.preferences.system.ui_scale)
        batch_for_shader(shader, "LINES", {"pos": positions, "color": colours}).draw(shader)
    finally:
        gpu.state.blend_set("NONE")


def _lines(context: Context, uid: int, scores: Scores) -> tuple[np.ndarray, np.ndarray] | None:
    """Vertices (2N, 3) in the world and colours (2N, 4); None where there is nothing to show."""
    row = scores.row(context.scene.frame_current_final)
    if scores.stale or row is None:
        return None
    ob = armature.of_uid(uid)
    if ob is None or not shows_pose(ob) or not ob.visible_get(viewport=context.space_data):
        return None
    return lines(ob, scores, row)


def shows_pose(ob: Object) -> bool:
    """Whether an armature shows its animation."""
    return ob.mode != "EDIT" and ob.data.pose_position == "POSE"


def lines(ob: Object, scores: Scores, row: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Of one frame: vertices (2N, 3) in the world and colours (2N, 4); None where its bones are others now."""
    bones = ob.pose.bones
    found = [s for s in scores.segments if s.bone in bones and (not s.end or s.end in bones)]
    if not found:
        return None
    ends = [(bones[s.bone].head, bones[s.end].head if s.end else bones[s.bone].tail) for s in found]
    world = np.array(ob.matrix_world)
    positions = np.array(ends, np.float64).reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]
    odd = scale.oddness(scores.joints[row, [s.joint - 1 for s in found]])
    return positions, np.repeat(scale.colours(odd), 2, axis=0)
