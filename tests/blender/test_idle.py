# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.generate_idle`` and ``dposer.generate_poses`` on rigs in real Blender, by the armature's evaluated bones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from rigcheck.rigify import animate as animate_rigify  # noqa: E402

FPS, SECONDS = 24, 3.0
LAST = 1 + round(SECONDS * FPS)
FEET = {
    "smpl": ("left_ankle", "right_ankle", "left_foot", "right_foot"),
    "mixamo": tuple(f"mixamorig:{bone}" for bone in ("LeftFoot", "RightFoot", "LeftToeBase", "RightToeBase")),
    "rigify": ("DEF-foot.L", "DEF-foot.R", "DEF-toe.L", "DEF-toe.R"),
}
CHEST = {"smpl": "spine3", "mixamo": "mixamorig:Spine2", "rigify": "DEF-spine.003"}
TRAVEL = 0.005  # metres


@pytest.fixture(params=sorted(FEET))
def rig(request: pytest.FixtureRequest, rigs: Any) -> tuple[str, Any]:
    """A rig in a standing frame of a walk, which it has as keys."""
    if request.param == "rigify":
        ob = request.getfixturevalue("rigify")
        animate_rigify(ob, "FK")
    else:
        ob = getattr(rigs, request.param)()
        rigs.animate(ob, 3, noise=0.0)
    bpy.context.scene.render.fps = FPS
    bpy.context.scene.frame_set(1)
    bpy.context.view_layer.objects.active = ob
    return request.param, ob


def heads(ob: Any, names: tuple[str, ...], frames: range) -> np.ndarray:
    """(T, N, 3) metres, where bones begin in the world."""
    found = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        found.append([list(ob.matrix_world @ ob.pose.bones[name].head) for name in names])
    return np.array(found)


def everything(ob: Any, frame: int) -> np.ndarray:
    """(J, 4, 4) of all bones; of those that deform, where others only control them."""
    bpy.context.scene.frame_set(frame)
    deform = [bone for bone in ob.pose.bones if bone.name.startswith("DEF-")]
    return np.array([bone.matrix for bone in deform or ob.pose.bones])


def curves(action: Any) -> list[Any]:
    found = getattr(action, "fcurves", None)
    if found is not None:
        return list(found)
    return [c for layer in action.layers for s in layer.strips for bag in s.channelbags for c in bag.fcurves]


def keys(action: Any) -> list[tuple[str, int, int, float]]:
    return [
        (curve.data_path, curve.array_index, int(point.co[0]), float(point.co[1]))
        for curve in curves(action)
        for point in curve.keyframe_points
    ]


def test_an_idle_loops_with_its_feet_in_place(rig: tuple[str, Any]) -> None:
    kind, ob = rig
    original = ob.animation_data.action
    kept, first = keys(original), everything(ob, 1)
    where = heads(ob, FEET[kind], range(1, 2))[0]
    (status,) = bpy.ops.dposer.generate_idle(seconds=SECONDS, seed=2)
    assert status == "FINISHED"
    assert ob.animation_data.action is not original and keys(original) == kept
    scale = float(np.abs(first[:, :3, 3]).max())
    for end in (1, LAST):
        np.testing.assert_allclose(everything(ob, end), first, atol=1e-4 * max(scale, 1.0))
    found = heads(ob, (*FEET[kind], CHEST[kind]), range(1, LAST + 1))
    bearing = found[:, :4] - where
    strays = np.linalg.norm(bearing, axis=-1).max(axis=0)
    on_floor = where[:, 2] - where[:, 2].min() < 0.05  # a walk's other foot may be up
    assert strays[on_floor].max() < TRAVEL, dict(zip(FEET[kind], strays.round(4).tolist(), strict=True))
    assert np.linalg.norm(found[:, 4] - found[0, 4], axis=-1).max() > 0.002, "it breathes"


def test_poses_along_the_timeline_stand_on_the_same_floor(rig: tuple[str, Any]) -> None:
    kind, ob = rig
    floor = heads(ob, FEET[kind], range(1, 2))[0, :, 2].min()
    (status,) = bpy.ops.dposer.generate_poses(count=4, output="KEYS", step=5, seed=1)
    assert status == "FINISHED"
    found = np.stack([heads(ob, FEET[kind], range(frame, frame + 1))[0] for frame in (1, 6, 11, 16)])
    lowest = found[..., 2].min(axis=1)
    assert (lowest > floor - 0.05).all() and (np.abs(lowest - floor) < 0.12).sum() >= 3, lowest - floor
    poses = np.stack([everything(ob, frame) for frame in (1, 6, 11, 16)])
    apart = np.abs(poses[:, None] - poses).max(axis=(2, 3, 4))
    assert apart[np.triu_indices(4, 1)].min() > 0.05, "no two alike"


def test_kept_arms_stay_while_legs_vary(rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 3, noise=0.0)
    bpy.context.scene.frame_set(1)
    names = ("left_shoulder", "left_elbow", "left_wrist", "spine2", "left_knee")
    before = [ob.pose.bones[name].matrix_basis.copy() for name in names]
    bpy.ops.dposer.generate_poses(count=2, bones="PARTS", parts={"left_arm", "trunk"}, seed=3)
    after = [ob.pose.bones[name].matrix_basis.copy() for name in names]
    for name, a, b in zip(names[:4], before, after, strict=False):
        np.testing.assert_allclose(np.array(a), np.array(b), atol=1e-5, err_msg=name)
    assert np.abs(np.array(before[4]) - np.array(after[4])).max() > 0.01
