# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever draws scores or keypoints, or watches for edits of what was scored, is there only while there are any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
from bpy.app.handlers import persistent
from bpy.types import SpaceDopeSheetEditor, SpaceView3D

from .. import armature, footage, plausibility, staleness
from . import guard, keypoints, swatches, timeline, viewport

_EDITORS = frozenset({"VIEW_3D", "DOPESHEET_EDITOR"})

_handles: list[tuple[Any, Any]] = []
_overlay: list[Any] = []


def refresh() -> None:
    """Begin to draw and to watch where there are scores, and end it where there are none; show what changed."""
    wanted = any(True for _ in plausibility.kept())
    guard.forgive()
    timeline.forget()
    if wanted and not _handles:
        _handles.extend((space, space.draw_handler_add(draw, (), "WINDOW", when)) for space, draw, when in _places())
        for handlers, watch in _watches():
            handlers.append(watch)
    elif not wanted and _handles:
        for space, handle in _handles:
            space.draw_handler_remove(handle, "WINDOW")
        _handles.clear()
        for handlers, watch in _watches():
            if watch in handlers:
                handlers.remove(watch)
    redraw()


def refresh_keypoints() -> None:
    """Begin to draw keypoints where there are some, and end it where there are none; show what changed."""
    wanted = any(True for _ in footage.kept())
    guard.forgive()
    keypoints.forget()
    if wanted and not _overlay:
        draw = guard.quiet(keypoints.draw)
        _overlay.append(SpaceView3D.draw_handler_add(draw, (), "WINDOW", "POST_PIXEL"))
    elif not wanted and _overlay:
        SpaceView3D.draw_handler_remove(_overlay.pop(), "WINDOW")
    redraw()


def redraw() -> None:
    """Have the editors that show scores or keypoints drawn again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in _EDITORS:
                area.tag_redraw()


def register() -> None:
    """Watch for files being loaded."""
    bpy.app.handlers.load_pre.append(_forget)


def unregister() -> None:
    """Drop all scores and keypoints, and whatever shows them."""
    _forget()
    bpy.app.handlers.load_pre.remove(_forget)
    swatches.unregister()


def _places() -> tuple[tuple[Any, Callable[[], None], str], ...]:
    return (
        (SpaceDopeSheetEditor, guard.quiet(timeline.draw), "POST_PIXEL"),
        (SpaceView3D, guard.quiet(viewport.draw), "POST_VIEW"),
    )


def _watches() -> tuple[tuple[list[Any], Any], ...]:
    handlers = bpy.app.handlers
    return (
        (handlers.depsgraph_update_post, _updated),
        (handlers.undo_post, _undone),
        (handlers.redo_post, _undone),
    )


@persistent
def _forget(*_: object) -> None:
    """A file is loaded: its armatures and scenes are others."""
    plausibility.forget_all()
    footage.forget_all()
    refresh()
    refresh_keypoints()


@persistent
def _updated(_: Any, depsgraph: Any) -> None:
    """Compare animations that may have changed. Playing, scrubbing and posing change none, and cost next to nothing."""
    touched = {
        update.id.original.session_uid
        for update in depsgraph.updates
        if isinstance(update.id, (bpy.types.Action, bpy.types.Object))
    }
    changed = False
    for uid, scores in plausibility.kept():
        edited = bool(scores.state.actions & touched)
        if scores.stale or not (edited or uid in touched):
            continue
        ob = armature.of_uid(uid)
        if ob is not None:
            scores.stale = staleness.layout(ob) != scores.state.layout or (
                edited and staleness.keys(ob) != scores.state.keys
            )
            changed |= scores.stale
    if changed:
        redraw()


@persistent
def _undone(*_: object) -> None:
    """Compare all animations: an undone edit leaves the scores right again."""
    for uid, scores in plausibility.kept():
        ob = armature.of_uid(uid)
        if ob is not None:
            scores.stale = staleness.state(ob) != scores.state
    redraw()
