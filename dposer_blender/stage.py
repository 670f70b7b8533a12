# SPDX-License-Identifier: GPL-3.0-or-later
"""An object evaluated frame by frame without the rest of the scene.

Stepping through a scene evaluates everything in it, and what a character wears takes many times as long as its
bones. A scene of its own holds the object alone, and Blender adds what it depends on. The user's scene stays on
its frame, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import bpy
from bpy.types import Context, Object, Scene

_SAME_FRAME = 1e-4

Evaluate = Callable[[float], Object]


@contextmanager
def evaluation(ob: Object, context: Context) -> Iterator[Evaluate]:
    """Give a function from a frame to the evaluated object, which holds until it is called again.

    Where the scene itself has a part in the animation it is stepped through, and put back on its frame.
    """
    with _whole(ob, context) if _takes_part(context.scene) else _alone(ob, context.scene) as evaluate:
        yield evaluate


@contextmanager
def _alone(ob: Object, scene: Scene) -> Iterator[Evaluate]:
    stage = bpy.data.scenes.new(scene.name)
    try:
        stage.collection.objects.link(ob)
        for name in ("fps", "fps_base", "frame_map_old", "frame_map_new"):
            setattr(stage.render, name, getattr(scene.render, name))

        def evaluate(frame: float) -> Object:
            show(stage, frame)
            return ob.evaluated_get(stage.view_layers[0].depsgraph)

        yield evaluate
    finally:
        bpy.data.scenes.remove(stage)


@contextmanager
def _whole(ob: Object, context: Context) -> Iterator[Evaluate]:
    scene = context.scene
    frame, subframe = scene.frame_current, scene.frame_subframe

    def evaluate(frame: float) -> Object:
        show(scene, frame)
        return ob.evaluated_get(context.evaluated_depsgraph_get())

    try:
        yield evaluate
    finally:
        scene.frame_set(frame, subframe=subframe)


def show(scene: Scene, frame: float) -> None:
    """Put a scene on a frame, or between two; strips that are tweaked may lie anywhere."""
    whole = math.floor(frame + _SAME_FRAME)
    scene.frame_set(whole, subframe=frame - whole if frame - whole > _SAME_FRAME else 0.0)


def _takes_part(scene: Scene) -> bool:
    """Whether bones may follow what only this scene has: rigid bodies, handlers, properties in drivers."""
    handlers = bpy.app.handlers
    if scene.rigidbody_world is not None or handlers.frame_change_pre or handlers.frame_change_post:
        return True
    owners = (*bpy.data.objects, *bpy.data.armatures)
    return any(
        variable.type == "CONTEXT_PROP"
        for owner in owners
        if owner.animation_data is not None
        for curve in owner.animation_data.drivers
        for variable in curve.driver.variables
    )
