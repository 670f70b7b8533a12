# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Blender, the extension registered in it, and rigs made by script."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="Blender (the bpy wheel) is not installed here")

from rigcheck.extension import load, part  # noqa: E402
from rigcheck.rigify import animate as animate_rigify  # noqa: E402
from rigcheck.rigify import generate, open_rig  # noqa: E402

# SMPL joint, Mixamo bone, parent, rest position in metres (x left, y up, z forwards).
BODY: tuple[tuple[str, str, int, tuple[float, float, float]], ...] = (
    ("pelvis", "Hips", -1, (0.0, 0.95, 0.0)),
    ("left_hip", "LeftUpLeg", 0, (0.09, 0.86, 0.0)),
    ("right_hip", "RightUpLeg", 0, (-0.09, 0.86, 0.0)),
    ("spine1", "Spine", 0, (0.0, 1.06, -0.02)),
    ("left_knee", "LeftLeg", 1, (0.1, 0.48, 0.0)),
    ("right_knee", "RightLeg", 2, (-0.1, 0.48, 0.0)),
    ("spine2", "Spine1", 3, (0.0, 1.18, -0.02)),
    ("left_ankle", "LeftFoot", 4, (0.1, 0.08, -0.03)),
    ("right_ankle", "RightFoot", 5, (-0.1, 0.08, -0.03)),
    ("spine3", "Spine2", 6, (0.0, 1.25, 0.0)),
    ("left_foot", "LeftToeBase", 7, (0.12, 0.02, 0.1)),
    ("right_foot", "RightToeBase", 8, (-0.12, 0.02, 0.1)),
    ("neck", "Neck", 9, (0.0, 1.46, -0.03)),
    ("left_collar", "LeftShoulder", 9, (0.08, 1.38, -0.03)),
    ("right_collar", "RightShoulder", 9, (-0.08, 1.38, -0.03)),
    ("head", "Head", 12, (0.0, 1.56, 0.0)),
    ("left_shoulder", "LeftArm", 13, (0.18, 1.42, -0.03)),
    ("right_shoulder", "RightArm", 14, (-0.18, 1.42, -0.03)),
    ("left_elbow", "LeftForeArm", 16, (0.44, 1.42, -0.04)),
    ("right_elbow", "RightForeArm", 17, (-0.44, 1.42, -0.04)),
    ("left_wrist", "LeftHand", 18, (0.69, 1.42, -0.04)),
    ("right_wrist", "RightHand", 19, (-0.69, 1.42, -0.04)),
)
MODES = ("QUATERNION", "AXIS_ANGLE", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")


_extension = load()


_status: int = 1


def pytest_sessionfinish(exitstatus: int) -> None:
    """Keep what the run came to: see `pytest_unconfigure`."""
    global _status
    _status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Leave at once: Blender 4.5 as a module may wait for ever in its exit handlers, where it destroys a condition
    variable that its own thread for closing files still waits for."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_status)


@pytest.fixture(scope="session")
def extension() -> Callable[[str], Any]:
    """The loader of the extension's modules: ``extension("armature")``."""
    return part


@pytest.fixture
def armature() -> Any:
    """How armatures are read."""
    return part("armature")


@pytest.fixture
def writing() -> Any:
    """How results are written."""
    return part("writing")


@pytest.fixture
def compat() -> Any:
    """What differs between versions of Blender."""
    return part("compat")


@pytest.fixture(scope="session", autouse=True)
def _registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    os.environ.setdefault("DPOSER_PYTHON", sys.executable)
    _extension.register()
    yield
    _extension.unregister()


@pytest.fixture(autouse=True)
def _empty_file(_registered: None) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture(scope="session")
def rigify_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .blend with Rigify's metarig and generated rig."""
    return generate(tmp_path_factory.mktemp("rigify"))


@pytest.fixture
def rigify(rigify_file: Path) -> Any:
    """Rigify's generated rig, without animation: `rigcheck.rigify.animate` gives it some."""
    return open_rig(rigify_file)


@pytest.fixture(params=["smpl", "mixamo", "rigify"])
def animated(request: pytest.FixtureRequest, rigs: Any) -> Any:
    """The active armature, with a motion of 24 frames: a rig of each kind in turn."""
    if request.param == "rigify":
        ob = request.getfixturevalue("rigify")
        animate_rigify(ob, "FK")
    else:
        ob = getattr(rigs, request.param)()
        animate(ob, 24)
    bpy.context.view_layer.objects.active = ob
    return ob


@pytest.fixture
def rigs() -> SimpleNamespace:
    """Makers of rigs and of motions for them."""
    return SimpleNamespace(
        add=add_armature, smpl=smpl, mixamo=mixamo, animate=animate, poses=poses, keys=keys, MODES=MODES
    )


def add_armature(name: str, bones: list[tuple[str, int, Any, Any]]) -> Any:
    """An active armature from (name, parent, head, tail) in Blender's axes."""
    ob = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(ob)
    bpy.context.view_layer.objects.active = ob
    bpy.ops.object.mode_set(mode="EDIT")
    made = []
    for bone_name, parent, head, tail in bones:
        bone = ob.data.edit_bones.new(bone_name)
        bone.head, bone.tail = head, tail
        if parent >= 0:
            bone.parent = made[parent]
        made.append(bone)
    bpy.ops.object.mode_set(mode="OBJECT")
    return ob


def _body(names: list[str], size: float) -> list[tuple[str, int, Any, Any]]:
    heads = [size * np.array([x, -z, y]) for *_, (x, y, z) in BODY]
    bones = []
    for j, name in enumerate(names):
        children = [k for k, row in enumerate(BODY) if row[2] == j]
        tail = (
            heads[children[-1 if j == 9 else 0]]
            if children
            else heads[j] + 0.3 * (heads[j] - heads[BODY[j][2]])
        )
        bones.append((name, BODY[j][2], heads[j], tail))
    return bones


def smpl(extra: bool = True) -> Any:
    """A rig with SMPL's joint names, in metres, and a bone that no body has."""
    bones = _body([row[0] for row in BODY], 1.0)
    if extra:
        bones.append(("prop", 20, (0.8, 0.0, 1.4), (0.8, -0.3, 1.4)))
    return add_armature("Smpl", bones)


def mixamo() -> Any:
    """A rig with Mixamo's names, in centimetres under a scale of 0.01, as its FBX files give."""
    ob = add_armature("Mixamo", _body([f"mixamorig:{row[1]}" for row in BODY], 100.0))
    ob.scale = (0.01, 0.01, 0.01)
    bpy.context.view_layer.update()
    return ob


def _walk(joint: str, phase: float) -> Any:
    """A joint's rotation from the T-pose in Blender's axes (x left, z up), at a phase of a walking cycle."""
    from mathutils import Quaternion

    across, back, up = (1, 0, 0), (0, 1, 0), (0, 0, 1)
    side = 1.0 if joint.startswith("left") else -1.0
    swing = side * np.sin(phase)
    turns: dict[str, list[tuple[tuple[int, int, int], float]]] = {
        "pelvis": [(up, 5 * np.sin(phase))],
        "hip": [(across, -25 * swing - 5)],
        "knee": [(across, 25 + 20 * side * np.sin(phase + 2.2))],
        "ankle": [(across, -8 * swing)],
        "spine1": [(up, -3 * np.sin(phase))],
        "spine3": [(up, -4 * np.sin(phase)), (across, 3 + np.sin(2 * phase))],
        "neck": [(across, -4 + np.sin(2 * phase))],
        "shoulder": [(across, 20 * swing), (back, 68 * side)],
        "elbow": [(up, -side * (25 + 10 * np.sin(phase)))],
    }
    result = Quaternion()
    for axis, degrees in turns.get(joint.removeprefix("left_").removeprefix("right_"), []):
        result = result @ Quaternion(axis, np.radians(degrees))
    return result


def animate(
    ob: Any, count: int = 48, noise: float = 3.0, seed: int = 0, modes: tuple[str, ...] = MODES[:1]
) -> Any:
    """Key every bone on frames 1 to ``count``: a walk with white noise of so many degrees about each axis.

    Returns the action. Bone number j has the rotation mode ``modes[j % len(modes)]``.
    """
    from mathutils import Euler, Vector

    random = np.random.default_rng(seed)
    joints = {name: row[0] for row in BODY for name in (row[0], f"mixamorig:{row[1]}")}
    for j, bone in enumerate(ob.pose.bones):
        bone.rotation_mode = modes[j % len(modes)]
        rest, joint = bone.bone.matrix_local.to_quaternion(), joints.get(bone.name, "")
        before = None
        for frame in range(1, count + 1):
            shake = Euler(np.radians(noise) * random.normal(size=3)).to_quaternion()
            quaternion = rest.inverted() @ _walk(joint, 2 * np.pi * frame / 36) @ rest @ shake
            if bone.rotation_mode == "QUATERNION":
                if before is not None and before.dot(quaternion) < 0:
                    quaternion.negate()
                bone.rotation_quaternion = before = quaternion
                bone.keyframe_insert("rotation_quaternion", frame=frame)
            elif bone.rotation_mode == "AXIS_ANGLE":
                axis, angle = quaternion.to_axis_angle()
                bone.rotation_axis_angle = (angle, *axis)
                bone.keyframe_insert("rotation_axis_angle", frame=frame)
            else:
                start = Euler((0, 0, 0), bone.rotation_mode)
                bone.rotation_euler = before = quaternion.to_euler(bone.rotation_mode, before or start)
                bone.keyframe_insert("rotation_euler", frame=frame)
            if bone.parent is None:
                jump = random.normal(scale=0.001 * noise, size=3)
                path = Vector((jump[0], -0.04 * frame + jump[1], jump[2])) / ob.scale[0]
                bone.location = rest.inverted() @ path
                bone.keyframe_insert("location", frame=frame)
    action = ob.animation_data.action
    action.name = "walk"
    bpy.context.scene.frame_end = count
    bpy.context.scene.render.fps = 30
    bpy.context.scene.frame_set(1)
    return action


def poses(ob: Any, frames: Any) -> np.ndarray:
    """(T, J, 4, 4) Blender's own evaluation of the bones' poses, in the order of ``ob.data.bones``."""
    scene, result = bpy.context.scene, []
    for frame in frames:
        scene.frame_set(int(frame))
        posed = ob.evaluated_get(bpy.context.evaluated_depsgraph_get())
        result.append([np.array(posed.pose.bones[bone.name].matrix) for bone in ob.data.bones])
    return np.array(result)


def keys(ob: Any) -> dict[tuple[str, int], np.ndarray]:
    """(K, 2) key coordinates of every curve that animates the object."""
    return {
        (curve.data_path, curve.array_index): np.array([tuple(key.co) for key in curve.keyframe_points])
        for curve in part("compat").curves(ob.animation_data)
    }
