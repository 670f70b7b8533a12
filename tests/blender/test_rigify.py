# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigify's own rigs, generated here: their bones are found, and a pose written to the controls bends the limbs so."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
pytest.importorskip("scipy", reason="the engine's libraries are not in Blender's own interpreter")

from scipy.spatial.transform import Rotation  # noqa: E402

from engine.motion.joints import JOINTS, PARENTS  # noqa: E402
from engine.motion.motion import Motion  # noqa: E402
from engine.motion.retarget import to_body, to_rig  # noqa: E402
from engine.motion.rigs import find_map  # noqa: E402
from engine.motion.skeleton import Skeleton  # noqa: E402
from engine.motion.tpose import LIMBS  # noqa: E402

pytestmark = pytest.mark.slow  # Rigify takes seconds to generate a rig

DEFORM = {"hip": "thigh", "knee": "shin", "ankle": "foot", "shoulder": "upper_arm", "elbow": "forearm", "wrist": "hand"}
SMALL = np.deg2rad(0.5)


def test_rigify() -> None:
    """In a process of its own, since Blender as a module may never end once Rigify has generated a rig."""
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run([sys.executable, __file__], cwd=root, env=os.environ | {"PYTHONPATH": str(root)},
                           capture_output=True, text=True, timeout=120)  # fmt: skip
    assert ended.returncode == 0, ended.stderr


def generated() -> tuple[Any, Any]:
    """Metarig and generated rig."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_human_metarig_add()
    metarig = bpy.context.object
    bpy.ops.pose.rigify_generate()
    return metarig, next(ob for ob in bpy.data.objects if ob.type == "ARMATURE" and ob is not metarig)


def skeleton_of(armature: Any) -> Skeleton:
    bones = armature.data.bones
    order = sorted(bones, key=lambda bone: len(bone.parent_recursive))
    index = {bone.name: n for n, bone in enumerate(order)}
    parents = tuple(index[bone.parent.name] if bone.parent else -1 for bone in order)
    rest = np.array([bone.matrix_local for bone in order], float)
    return Skeleton(tuple(index), parents, rest, np.array([bone.tail_local for bone in order], float))


def check_rigs() -> None:
    """Both rigs are found; the deform bones, which Blender's constraints move, point where the body's limbs do."""
    metarig, armature = generated()
    rig_map = find_map(skeleton_of(metarig))
    assert (rig_map.name, len(rig_map.sources), rig_map.confidence) == ("rigify_metarig", 22, 1.0)
    skeleton = skeleton_of(armature)
    rig_map = find_map(skeleton)
    assert (rig_map.name, len(rig_map.sources), rig_map.confidence) == ("rigify_controls", 22, 1.0)
    for switch in rig_map.switches:
        armature.pose.bones[switch.bone][switch.property] = switch.value

    rotations = np.tile([1.0, 0.0, 0.0, 0.0], (2, len(skeleton), 1))
    for side in "LR":  # collars that never move are made from the arms
        rotations[1, skeleton.index(f"shoulder.{side}")] = [np.cos(0.05), np.sin(0.05), 0.0, 0.0]
    motion = Motion(skeleton, rotations, np.zeros((2, len(skeleton), 3)), 30.0)
    before = to_body(motion, rig_map)
    turns = np.random.default_rng(3).uniform(-0.35, 0.35, before.poses.shape)
    # The wrist's twist is shared with the forearm about an axis of the T-pose, which costs accuracy.
    turns[:, [JOINTS.index("left_wrist"), JOINTS.index("right_wrist")]] = 0.0
    after = dataclasses.replace(before, poses=before.poses + turns)
    edited = to_rig(motion, rig_map, before, after).motion

    for name, quat in zip(skeleton.names, edited.rotations[0], strict=True):
        bone = armature.pose.bones[name]
        if not np.array_equal(quat, rotations[0, skeleton.index(name)]):
            bone.rotation_mode = "QUATERNION"
            bone.rotation_quaternion = quat
    bpy.context.view_layer.update()
    posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones

    globals_ = Rotation.from_rotvec(after.poses[0]).as_matrix()
    points = np.zeros((22, 3))
    for j, parent in enumerate(PARENTS[1:], start=1):
        points[j] = points[parent] + globals_[parent] @ after.offsets[j]
        globals_[j] = globals_[parent] @ globals_[j]
    for joint, (child, _) in LIMBS.items():
        side, part = joint.split("_")
        letter = side[0].upper()
        ends = [np.array(posed[f"DEF-{DEFORM[name]}.{letter}"].head) for name in (part, child.split("_")[1])]
        limb = (ends[1] - ends[0])[[0, 2, 1]] * [1.0, 1.0, -1.0]  # Z up to Y up
        body = points[JOINTS.index(child)] - points[JOINTS.index(joint)]
        cosine = limb @ body / np.linalg.norm(limb) / np.linalg.norm(body)
        assert np.arccos(min(cosine, 1.0)) < SMALL, joint


if __name__ == "__main__":
    try:
        check_rigs()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
