# SPDX-License-Identifier: GPL-3.0-or-later
"""A Rigify character on the mannequin's joints: the metarig fitted to them, generated, animated by its FK controls."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix, Vector
from scipy.spatial.transform import Rotation

from demo.rig import TO_BLENDER, fill
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion
from engine.motion.windows import multiply, quat_to_rotvec, rotvec_to_quat

# Bone of the metarig: the joints at its head and its tail, each with an offset in metres (left side, Blender's axes).
Place = tuple[str, tuple[float, float, float]]
_HERE = (0.0, 0.0, 0.0)
_SPINE: dict[str, tuple[Place, Place]] = {
    "spine": (("pelvis", _HERE), ("spine1", _HERE)),
    "spine.001": (("spine1", _HERE), ("spine2", _HERE)),
    "spine.002": (("spine2", _HERE), ("spine3", _HERE)),
    "spine.003": (("spine3", _HERE), ("neck", _HERE)),
    "spine.004": (("neck", _HERE), ("head", (0.0, 0.0, -0.03))),
    "spine.005": (("head", (0.0, 0.0, -0.03)), ("head", _HERE)),
    "spine.006": (("head", _HERE), ("head", (0.0, 0.0, 0.16))),
}
_SIDE: dict[str, tuple[Place, Place]] = {
    "shoulder": (("collar", _HERE), ("shoulder", (-0.02, 0.0, 0.0))),
    "upper_arm": (("shoulder", _HERE), ("elbow", _HERE)),
    "forearm": (("elbow", _HERE), ("wrist", _HERE)),
    "hand": (("wrist", _HERE), ("wrist", (0.11, 0.0, 0.0))),
    "thigh": (("hip", _HERE), ("knee", _HERE)),
    "shin": (("knee", _HERE), ("ankle", _HERE)),
    "foot": (("ankle", _HERE), ("foot", _HERE)),
    "toe": (("foot", _HERE), ("foot", (0.0, -0.09, 0.0))),
}
_UNUSED = ("breast.L", "breast.R", "pelvis.L", "pelvis.R")
_HEEL = (0.04, 0.06)  # metres to its sides, and behind the ankle

# FK control: the joints whose local rotations it makes, from the top.
_CONTROLS: dict[str, tuple[str, ...]] = {
    "spine_fk.002": ("spine1", "spine2"),
    "spine_fk.003": ("spine3",),
    "neck": ("neck",),
    "head": ("head",),
}
_LIMBS = {
    "shoulder": "collar",
    "upper_arm_fk": "shoulder",
    "forearm_fk": "elbow",
    "hand_fk": "wrist",
    "thigh_fk": "hip",
    "shin_fk": "knee",
    "foot_fk": "ankle",
    "toe_fk": "foot",
}
_FOLLOW = {"IK_FK": 1.0, "FK_limb_follow": 0.0, "neck_follow": 1.0, "head_follow": 1.0}
_SIDES = (("L", "left"), ("R", "right"))

# Joint: the deforming bones that take its weights; of several, each a stretch of its limb.
DEFORM: dict[str, tuple[str, ...]] = {
    "pelvis": ("DEF-spine",),
    "spine1": ("DEF-spine.001",),
    "spine2": ("DEF-spine.002",),
    "spine3": ("DEF-spine.003",),
    "neck": ("DEF-spine.004",),
    "head": ("DEF-spine.006",),
    **{
        f"{side}_{joint}": tuple(f"DEF-{bone}" for bone in (f"{limb}.{end}", f"{limb}.{end}.001")[:count])
        for end, side in _SIDES
        for joint, limb, count in (
            ("collar", "shoulder", 1),
            ("shoulder", "upper_arm", 2),
            ("elbow", "forearm", 2),
            ("wrist", "hand", 1),
            ("hip", "thigh", 2),
            ("knee", "shin", 2),
            ("ankle", "foot", 1),
            ("foot", "toe", 1),
        )
    },
}


def add(name: str, joints: np.ndarray) -> bpy.types.Object:
    """Generate the character, and make it the active object.

    Args:
        name: of the object.
        joints: (22, 3) rest positions in metres, Blender's axes, standing on the floor.
    """
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_basic_human_metarig_add()
    metarig = bpy.context.object
    at = {joint: Vector(place) for joint, place in zip(JOINTS, joints.tolist(), strict=True)}
    bpy.ops.object.mode_set(mode="EDIT")
    bones = metarig.data.edit_bones
    for unused in _UNUSED:
        bones.remove(bones[unused])
    for bone, ends in _SPINE.items():
        bones[bone].head, bones[bone].tail = (at[joint] + Vector(offset) for joint, offset in ends)
    for end, side in _SIDES:
        sign = 1.0 if end == "L" else -1.0
        for bone, ends in _SIDE.items():
            bones[f"{bone}.{end}"].head, bones[f"{bone}.{end}"].tail = (
                at[f"{side}_{joint}"] + Vector((sign * x, y, z)) for joint, (x, y, z) in ends
            )
        ankle, heel = at[f"{side}_ankle"], bones[f"heel.02.{end}"]
        heel.head = Vector((ankle.x - sign * _HEEL[0], ankle.y + _HEEL[1], 0.0))
        heel.tail = Vector((ankle.x + sign * _HEEL[0], ankle.y + _HEEL[1], 0.0))
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.pose.rigify_generate()
    rig = bpy.context.object
    rig.name = rig.data.name = name
    bpy.data.armatures.remove(metarig.data)
    for bone in rig.pose.bones:
        for switch, value in _FOLLOW.items():
            if switch in bone:
                bone[switch] = value
    return rig


def key(rig: bpy.types.Object, motion: BodyMotion, name: str) -> None:
    """Key a motion on the controls, and let it animate the rig.

    Args:
        rig: as `add` makes it.
        motion: of a body with the same joints.
        name: of the action.
    """
    rig.animation_data_create()
    action = bpy.data.actions.new(name)
    action.use_fake_user = True
    rig.animation_data.action = action
    rig.animation_data.action_slot = action.slots.new(id_type="OBJECT", name=rig.name)
    local = rotvec_to_quat(motion.poses)
    controls = _CONTROLS | {
        f"{control}.{end}": (f"{side}_{joint}",) for control, joint in _LIMBS.items() for end, side in _SIDES
    }
    for control, joints in controls.items():
        turned = local[:, JOINTS.index(joints[0])]
        for joint in joints[1:]:
            turned = multiply(turned, local[:, JOINTS.index(joint)])
        bone = rig.pose.bones[control]
        _key_rotation(action, rig, bone, _in_bone(turned, bone.bone.matrix_local))
    _key_torso(action, rig, motion)


def _key_torso(action: bpy.types.Action, rig: bpy.types.Object, motion: BodyMotion) -> None:
    """The control of the whole body, which stands elsewhere than the pelvis that it moves."""
    torso = rig.pose.bones["torso"]
    rest = np.array(torso.bone.matrix_local)
    pelvis = np.array(rig.data.bones["ORG-spine"].head_local)
    turned, places = rotvec_to_quat(motion.poses[:, 0]), TO_BLENDER.apply(motion.transl)
    turn = TO_BLENDER * Rotation.from_rotvec(motion.poses[:, 0]) * TO_BLENDER.inv()
    moved = places + turn.apply(rest[:3, 3] - pelvis) - rest[:3, 3]
    _key_rotation(action, rig, torso, _in_bone(turned, torso.bone.matrix_local))
    path = torso.path_from_id("location")
    for axis, values in enumerate((moved @ rest[:3, :3]).T):
        fill(action.fcurve_ensure_for_datablock(rig, path, index=axis), values, None)


def _in_bone(turned: np.ndarray, rest: Matrix) -> np.ndarray:
    """(T, 4) rotations WXYZ in the body's axes as those of a bone, relative to its rest in the armature's space."""
    axes = np.array(rest.to_3x3().normalized()).T @ TO_BLENDER.as_matrix()
    return rotvec_to_quat(quat_to_rotvec(turned) @ axes.T)


def _key_rotation(
    action: bpy.types.Action, rig: bpy.types.Object, bone: bpy.types.PoseBone, turned: np.ndarray
) -> None:
    flips = np.where((turned[1:] * turned[:-1]).sum(axis=-1) < 0.0, -1.0, 1.0)
    turned[1:] *= np.cumprod(flips)[:, None]
    bone.rotation_mode = "QUATERNION"
    for axis, values in enumerate(turned.T):
        path = bone.path_from_id("rotation_quaternion")
        fill(action.fcurve_ensure_for_datablock(rig, path, index=axis), values, None)
