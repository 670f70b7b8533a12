# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the graph at the bottom of the timeline and of the dope sheet, above the frames it is about."""

from __future__ import annotations

from typing import Any

import blf
import bpy
import gpu
import numpy as np
from bpy.types import Context, Region
from gpu_extras.batch import batch_for_shader

from .. import armature, plausibility
from ..body_joints import TITLES
from ..plausibility import Scores
from . import curve, scale
from .curve import View

_MODES = frozenset({"TIMELINE", "DOPESHEET", "ACTION"})
_HEIGHT, _BASE, _RULER = 64.0, 20.0, 26.0  # of the graph, below it for the scroll bar, above it: unscaled pixels
_LEAST, _BAND = 16.0, 5.0  # unscaled pixels; where a graph would be lower than that, a band has to do
_MARK, _TICK, _TEXT = 4.0, 3.0, 11.0
_GROUND, _GUIDE, _LINE = (0.0, 0.0, 0.0, 0.28), (1.0, 1.0, 1.0, 0.14), 1.5
_INK, _DIM = (0.95, 0.95, 0.95, 1.0), (0.65, 0.65, 0.65, 1.0)
_GREY = (0.5, 0.5, 0.5)

Batches = list[tuple[Any, dict[str, Any], Any]]
_PREPARED = 8  # at most: regions of several windows, each with its own part of the time
_prepared: dict[tuple[object, ...], Batches] = {}


def draw() -> None:
    """The active armature's graph, in the region that is being drawn."""
    context = bpy.context
    space, region = context.space_data, context.region
    if space.mode not in _MODES or not context.scene.dposer.plausibility.show_graph:
        return
    ob = armature.find(context)
    scores = plausibility.recall(ob.session_uid) if ob is not None else None
    if scores is None:
        return
    unit = context.preferences.system.ui_scale
    height = min(_HEIGHT * unit, region.height - (_BASE + _RULER) * unit)
    if region.width < 2:
        return
    low = height < _LEAST * unit  # as in Blender's own layout, where the timeline is but a ruler
    view = _view(region)
    gpu.state.blend_set("ALPHA")
    try:
        for shader, uniforms, batch in _batches(scores, view, region, 0.0 if low else height, unit):
            shader.bind()
            for name, value in uniforms.items():
                shader.uniform_float(name, value)
            batch.draw(shader)
    finally:
        gpu.state.blend_set("NONE")
    if not low:
        _labels(context, scores, view, height, unit)


def forget() -> None:
    """Let go of what was prepared for drawing."""
    _prepared.clear()


def _view(region: Region) -> View:
    left, right = (region.view2d.region_to_view(x, 0)[0] for x in (0, region.width))
    return View(left, right, region.width)


def _batches(scores: Scores, view: View, region: Region, height: float, unit: float) -> Batches:
    """What is drawn, prepared again only when it is another, or another part of it is to be seen.

    Args:
        scores: the armature's.
        view: what is shown of the time.
        region: where.
        height: of the graph in pixels; 0 where there is no room.
        unit: pixels per unscaled one.
    """
    key = (id(scores), scores.stale, scores.place, view, region.height, height, unit)
    if key not in _prepared:
        if len(_prepared) >= _PREPARED:
            _prepared.clear()
        _prepared[key] = _prepare(scores, view, (view.width, region.height), height, unit)
    return _prepared[key]


def _prepare(scores: Scores, view: View, size: tuple[int, int], height: float, unit: float) -> Batches:
    """Shaders, their settings and batches, in the order in which they are drawn."""
    base = _BASE * unit
    batches: list[tuple[Any, dict[str, Any], Any]] = []
    plain, smooth = (gpu.shader.from_builtin(name) for name in ("UNIFORM_COLOR", "SMOOTH_COLOR"))
    line = gpu.shader.from_builtin("POLYLINE_SMOOTH_COLOR")
    x, heights = curve.outline(scores.frames, scores.odd, view)
    if not len(x):
        return []
    if not height:
        strip = _strip(curve.band(*curve.crossed(x, heights), unit, _BAND * unit), scores.stale)
        return [(smooth, {}, batch_for_shader(smooth, "TRI_STRIP", strip))]
    ground = np.array([(x[0], base), (x[-1], base), (x[0], base + height), (x[-1], base + height)])
    batches.append((plain, {"color": _GROUND}, batch_for_shader(plain, "TRI_STRIP", {"pos": _flat(ground)})))
    guides = np.array([(end, base + level * height) for level in scale.LEVELS[1:] for end in (x[0], x[-1])])
    batches.append((plain, {"color": _GUIDE}, batch_for_shader(plain, "LINES", {"pos": _flat(guides)})))
    x, heights = curve.crossed(x, heights)
    strip = _strip(curve.filled(x, heights, base, height), scores.stale)
    batches.append((smooth, {}, batch_for_shader(smooth, "TRI_STRIP", strip)))
    rim = {name: values[1::2].copy() for name, values in strip.items()}
    rim["color"][:, 3] = 1.0
    wide: dict[str, Any] = {"viewportSize": size, "lineWidth": _LINE * unit}
    if len(x) > 1:
        batches.append((line, wide, batch_for_shader(line, "LINE_STRIP", rim)))
    damaged = curve.bars(scores.frames[scores.damaged], view)
    if len(damaged):
        low, high = base - (_TICK + 1.0) * unit, base - unit
        corners = [[(a, low), (b, low), (b, high), (a, low), (b, high), (a, high)] for a, b in damaged]
        quads = {"pos": _flat(np.array(corners).reshape(-1, 2))}
        colour = (*scale.DAMAGE_COLOUR, 1.0)
        batches.append((plain, {"color": colour}, batch_for_shader(plain, "TRIS", quads)))
    for chosen, colour in ((False, _DIM), (True, _INK)):
        marks = [_mark(scores, row, view, base, height, unit) for row in _marked(scores, chosen)]
        if marks:
            triangles = {"pos": _flat(np.array(marks).reshape(-1, 2))}
            batches.append((plain, {"color": colour}, batch_for_shader(plain, "TRIS", triangles)))
    return batches


def _strip(made: tuple[np.ndarray, np.ndarray], stale: bool) -> dict[str, np.ndarray]:
    """Vertices and colours for a shader; without colour where they are out of date."""
    vertices, colours = made
    if stale:
        colours[:, :3] = _GREY
    return {"pos": _flat(vertices), "color": np.ascontiguousarray(colours, np.float32)}


def _marked(scores: Scores, chosen: bool) -> list[int]:
    """Rows of the worst moments: the one that was jumped to, or the others."""
    return [moment.row for place, moment in enumerate(scores.worst) if (place == scores.place) == chosen]


def _mark(scores: Scores, row: int, view: View, base: float, height: float, unit: float) -> list[tuple[float, float]]:
    """A triangle that points down at the curve's peak."""
    x, tip = float(view.pixels(scores.frames[row])), base + height * float(scores.odd[row]) + 2.0 * unit
    return [(x, tip), (x - _MARK * unit, tip + 1.5 * _MARK * unit), (x + _MARK * unit, tip + 1.5 * _MARK * unit)]


def _labels(context: Context, scores: Scores, view: View, height: float, unit: float) -> None:
    """How plausible the current frame is, beside it; or that the graph is out of date."""
    frame = context.scene.frame_current_final
    row = scores.row(frame)
    if row is None:
        return
    told = f"{scale.figure(float(scores.pose[row]))}"
    if scores.pose[row] < scale.RARE:
        told += f"  {TITLES[scores.oddest(row)[0]]}"
    if scores.stale:
        told = f"Out of date: {told}"
    blf.size(0, _TEXT * unit)
    blf.enable(0, blf.SHADOW)
    blf.shadow(0, 3, 0.0, 0.0, 0.0, 0.9)
    width, _ = blf.dimensions(0, told)
    x = float(view.pixels(frame)) + 6.0 * unit
    if x + width > view.width:
        x -= width + 12.0 * unit
    blf.position(0, x, _BASE * unit + height - _TEXT * unit, 0)
    blf.color(0, *(_DIM if scores.stale else _INK))
    blf.draw(0, told)
    blf.disable(0, blf.SHADOW)


def _flat(points: np.ndarray) -> np.ndarray:
    """Vertices (N, 2) as the shaders take them (N, 3)."""
    return np.append(points, np.zeros((len(points), 1)), axis=1).astype(np.float32)
