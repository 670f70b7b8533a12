# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects evaluated frame by frame without the rest of the scene.

Stepping through a scene evaluates everything in it, and what a character wears takes many times as long as its
bones. A scene of its own holds the object alone, and Blender adds what it depends on. The user's scene stays on
its frame, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import bpy
from bpy.types import Context, Object, Scene

_SAME_FRAME = 1e-4

Evaluate = Callable[[float], Object]
EvaluateAll = Callable[[float], list[Object]]


@contextmanager
def evaluation(ob: Object, context: Context) -> Iterator[Evaluate]:
    """Give a function from a frame to the evaluated object, which holds until it is called again.

    Where the scene itself has a part in the animation it is stepped through, and put back on its frame.
    """
    with evaluations([ob], context) as evaluate:
        yield lambda frame: evaluate(frame)[0]


@contextmanager
def evaluations(objects: Sequence[Object], context: Context) -> Iterator[EvaluateAll]:
    """As `evaluation`, of several objects."""
    with _whole(objects, context) if _takes_part(context.scene) else _alone(objects, context.scene) as evaluate:
        yield evaluate


@contextmanager
def _alone(objects: Sequence[Object], scene: Scene) -> Iterator[EvaluateAll]:
    stage = bpy.data.scenes.new(scene.name)
    hidden = bpy.data.collections.new(scene.name) if any(ob.hide_viewport for ob in objects) else None
    try:
        for ob in objects:
            stage.collection.objects.link(ob)
        if hidden is not None:  # Blender does not pose what no viewport shows, but for an instance of it
            instance = bpy.data.objects.new(scene.name, None)
            instance.instance_type, instance.instance_collection = "COLLECTION", hidden
            for ob in objects:
                hidden.objects.link(ob)
            stage.collection.objects.link(instance)
        for name in ("fps", "fps_base", "frame_map_old", "frame_map_new"):
            setattr(stage.render, name, getattr(scene.render, name))

        def evaluate(frame: float) -> list[Object]:
            show(stage, frame)
            return [ob.evaluated_get(stage.view_layers[0].depsgraph) for ob in objects]

        yield evaluate
    finally:
        bpy.data.scenes.remove(stage)
        if hidden is not None:
            bpy.data.objects.remove(instance)
            bpy.data.collections.remove(hidden)


@contextmanager
def _whole(objects: Sequence[Object], context: Context) -> Iterator[EvaluateAll]:
    scene = context.scene
    frame, subframe = scene.frame_current, scene.frame_subframe

    def evaluate(frame: float) -> list[Object]:
        show(scene, frame)
        return [ob.evaluated_get(context.evaluated_depsgraph_get()) for ob in objects]

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
