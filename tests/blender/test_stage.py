# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature evaluated without its scene, against the scene stepped through."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")


@pytest.fixture
def handler() -> Iterator[Callable[[Any], None]]:
    """Registers a handler of frame changes for the length of a test."""
    registered = []

    def register(function: Any) -> None:
        bpy.app.handlers.frame_change_pre.append(function)
        registered.append(function)

    yield register
    for function in registered:
        bpy.app.handlers.frame_change_pre.remove(function)


def character(rigs: Any) -> Any:
    """A constrained armature, whose target follows another object, and a mesh that it deforms."""
    ob = rigs.smpl()
    rigs.animate(ob)
    carrier, target = bpy.data.objects.new("Carrier", None), bpy.data.objects.new("Target", None)
    target.parent = carrier
    for frame, x in ((1, -0.5), (48, 0.8)):
        carrier.location = (x, -0.4, 1.2)
        carrier.keyframe_insert("location", frame=frame)
    for other in (carrier, target):
        bpy.context.scene.collection.objects.link(other)
    ik = ob.pose.bones["left_wrist"].constraints.new("IK")
    ik.target, ik.chain_count = target, 3
    mesh = bpy.data.meshes.new("Skin")
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 200)] * 2), axis=-1).reshape(-1, 2)
    mesh.from_pydata(np.pad(grid, ((0, 0), (0, 1))).tolist(), [], [])
    skin = bpy.data.objects.new("Skin", mesh)
    bpy.context.scene.collection.objects.link(skin)
    for bone in ob.data.bones:
        skin.vertex_groups.new(name=bone.name).add(list(range(len(grid))), 1.0, "ADD")
    skin.modifiers.new("Armature", "ARMATURE").object = ob
    return ob


def read(armature: Any, ob: Any) -> Any:
    clip = armature.read(ob, bpy.context.scene, 1, 48)
    while not clip.complete:
        armature.evaluate(clip, bpy.context, 0.05)
    return clip


def test_bones_are_where_the_whole_scene_has_them(armature: Any, rigs: Any) -> None:
    ob = character(rigs)
    scene = bpy.context.scene
    scene.frame_set(7, subframe=0.25)
    begin = time.perf_counter()
    clip = read(armature, ob)
    alone = time.perf_counter() - begin
    assert (scene.frame_current, scene.frame_subframe) == (7, 0.25)
    assert list(bpy.data.scenes) == [scene] and ob.users_scene == (scene,)
    begin = time.perf_counter()
    poses = rigs.poses(ob, clip.frames)
    whole = time.perf_counter() - begin
    np.testing.assert_array_equal(clip.poses, poses.astype(np.float32))
    assert alone < whole, "the mesh is left out"


def test_the_users_frame_is_not_touched(armature: Any, rigs: Any) -> None:
    ob = character(rigs)
    bpy.context.scene.frame_set(7)
    ob.pose.bones["neck"].rotation_quaternion = (0.0, 1.0, 0.0, 0.0)  # moved and not keyed
    read(armature, ob)
    assert tuple(ob.pose.bones["neck"].rotation_quaternion) == (0.0, 1.0, 0.0, 0.0)


def test_time_remapping_is_followed(armature: Any, rigs: Any) -> None:
    ob = character(rigs)
    bpy.context.scene.render.frame_map_new = 50
    clip = read(armature, ob)
    np.testing.assert_array_equal(clip.poses, rigs.poses(ob, clip.frames).astype(np.float32))


def test_a_scene_that_takes_part_is_stepped_through(
    armature: Any, rigs: Any, handler: Callable[[Any], None]
) -> None:
    ob, scene = character(rigs), bpy.context.scene
    scene["lift"] = 0.0

    def lift(changed: Any, *_: Any) -> None:
        ob.pose.bones["pelvis"].scale = (1.0 + changed["lift"] + 0.01 * changed.frame_current,) * 3

    handler(lift)
    scene.frame_set(7)
    clip = read(armature, ob)
    assert scene.frame_current == 7
    np.testing.assert_array_equal(clip.poses, rigs.poses(ob, clip.frames).astype(np.float32))
    np.testing.assert_allclose(np.linalg.norm(clip.poses[-1, 0, :3, :3], axis=0), 1.48, atol=1e-5)


def test_a_property_of_the_scene_in_a_driver_is_that_of_the_users(armature: Any, rigs: Any) -> None:
    ob, scene = character(rigs), bpy.context.scene
    scene.frame_end = 400
    driver = ob.pose.bones["head"].driver_add("rotation_quaternion", 1).driver
    driver.type = "SUM"
    variable = driver.variables.new()
    variable.type = "CONTEXT_PROP"
    variable.targets[0].context_property = "ACTIVE_SCENE"
    variable.targets[0].data_path = "frame_end"
    clip = read(armature, ob)
    np.testing.assert_array_equal(clip.poses, rigs.poses(ob, clip.frames).astype(np.float32))


def test_a_failure_leaves_no_scene(extension: Callable[[str], Any], rigs: Any) -> None:
    ob = character(rigs)
    with pytest.raises(MemoryError), extension("stage").evaluation(ob, bpy.context) as evaluate:
        evaluate(3)
        raise MemoryError
    assert len(bpy.data.scenes) == 1
