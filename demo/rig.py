# SPDX-License-Identifier: GPL-3.0-or-later
"""BVH animation to a keyed Blender armature, and back.

Blender ships its own BVH importer disabled from version 5 on; this one is small and exact, and changes only
axes (Y up to Z up) and unit (to metres).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

import bpy
import numpy as np
from bpy_extras import anim_utils
from scipy.spatial.transform import Rotation

from engine.motion.motion import Motion
from engine.motion.skeleton import Skeleton

TO_BLENDER = Rotation.from_euler("X", 90.0, degrees=True)
FIRST_FRAME = 1
SHORTEST_BONE = 0.01  # metres; Blender deletes bones of no length
LINEAR, BEZIER, AUTO_CLAMPED = 1, 2, 4  # of a key


def build(name: str, motion: Motion) -> bpy.types.Object:
    """Make an armature with the motion's bones and keys on every frame, and make it the active object.

    Args:
        name: of object, armature and action.
        motion: animation whose rest rotations are identity, as read from a BVH file.
    """
    scene = bpy.context.scene
    scene.render.fps = math.ceil(motion.fps)
    scene.render.fps_base = scene.render.fps / motion.fps
    scene.frame_start, scene.frame_end = FIRST_FRAME, FIRST_FRAME + len(motion) - 1
    armature = add(name, motion.skeleton)
    key(armature, motion, name)
    return armature


def add(name: str, skeleton: Skeleton, scale: float = 1.0) -> bpy.types.Object:
    """Make an armature of a skeleton with identity rest rotations, and make it the active object.

    Args:
        name: of object and armature.
        skeleton: its bones.
        scale: of the object, which the bones make up for.
    """
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    armature.scale = (scale, scale, scale)
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    armature.select_set(True)
    _add_bones(armature, skeleton, skeleton.scale / scale)
    return armature


def key(
    armature: bpy.types.Object,
    motion: Motion,
    name: str,
    frames: Sequence[int] | None = None,
    without: Collection[str] = (),
) -> bpy.types.Action:
    """Key a motion in an action of its own, and let that animate the armature.

    Args:
        armature: as `add` makes it of the motion's skeleton.
        motion: animation.
        name: of the action.
        frames: of the motion, from 0, that get a smooth key; None: all get one, and straight lines between them.
        without: bones that get none.
    """
    armature.animation_data_create()
    action = bpy.data.actions.new(name)
    armature.animation_data.action = action
    armature.animation_data.action_slot = action.slots.new(id_type="OBJECT", name=armature.name)
    for bone, channel, values in _channels(armature, motion):
        if bone not in without:
            path = f"{_path(bone)}.{channel}"
            for axis in range(values.shape[1]):
                curve = action.fcurve_ensure_for_datablock(armature, path, index=axis)
                fill(curve, values[:, axis], frames)
    return action


def read(armature: bpy.types.Object, skeleton: Skeleton, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (T, J, 4) WXYZ and translations (T, J, 3) of the armature's present action, in BVH axes."""
    bag = anim_utils.action_get_channelbag_for_slot(
        armature.animation_data.action, armature.animation_data.action_slot
    )
    rotations = np.zeros((frames, len(skeleton), 4))
    rotations[..., 0] = 1.0
    translations = np.zeros((frames, len(skeleton), 3))
    for j, name in enumerate(skeleton.names):
        path = _path(name)
        for values, channel in ((rotations, "rotation_quaternion"), (translations, "location")):
            for axis in range(values.shape[2]):
                if curve := bag.fcurves.find(f"{path}.{channel}", index=axis):
                    values[:, j, axis] = [curve.evaluate(FIRST_FRAME + frame) for frame in range(frames)]
    rest = _rest_in_bvh_axes(armature, skeleton)
    local = Rotation.from_quat(np.roll(rotations, -1, axis=-1).reshape(-1, 4))
    frame_rest = rest[np.tile(np.arange(len(skeleton)), frames)]
    turned = np.roll((frame_rest * local * frame_rest.inv()).as_quat(), 1, axis=-1).reshape(rotations.shape)
    return turned, np.einsum("jab,tjb->tja", rest.as_matrix(), translations) / skeleton.scale


def _path(bone: str) -> str:
    return f'pose.bones["{bpy.utils.escape_identifier(bone)}"]'


def _add_bones(armature: bpy.types.Object, skeleton: Skeleton, scale: float) -> None:
    heads = TO_BLENDER.apply(skeleton.rest[:, :3, 3]) * scale
    tails = TO_BLENDER.apply(np.nan_to_num(skeleton.tails)) * scale
    lengths = np.linalg.norm(tails - heads, axis=1)
    shortest = SHORTEST_BONE * scale / skeleton.scale
    unknown = np.isnan(skeleton.tails).any(axis=1) | (lengths < shortest)
    tails[unknown] = heads[unknown] + (0.0, 0.0, shortest)
    bpy.ops.object.mode_set(mode="EDIT")
    bones: list[bpy.types.EditBone] = []
    for j, name in enumerate(skeleton.names):
        bone = armature.data.edit_bones.new(name)
        bone.head, bone.tail = heads[j], tails[j]
        if skeleton.parents[j] >= 0:
            bone.parent = bones[skeleton.parents[j]]
        bones.append(bone)
    bpy.ops.object.mode_set(mode="OBJECT")


def _rest_in_bvh_axes(armature: bpy.types.Object, skeleton: Skeleton) -> Rotation:
    """Rest rotation of each bone, from the bone's own axes to the BVH file's."""
    rest = np.array([armature.data.bones[name].matrix_local.to_3x3() for name in skeleton.names])
    return TO_BLENDER.inv() * Rotation.from_matrix(rest)


def _channels(armature: bpy.types.Object, motion: Motion) -> Iterator[tuple[str, str, np.ndarray]]:
    """Bone, channel and values (T, n) of each bone's rotation, and of its location where it has one."""
    skeleton = motion.skeleton
    frames, bones = motion.rotations.shape[:2]
    rest = _rest_in_bvh_axes(armature, skeleton)
    frame_rest = rest[np.tile(np.arange(bones), frames)]
    local = Rotation.from_quat(np.roll(motion.rotations, -1, axis=-1).reshape(-1, 4))
    turned = np.roll((frame_rest.inv() * local * frame_rest).as_quat(), 1, axis=-1).reshape(
        motion.rotations.shape
    )
    flips = np.where((turned[1:] * turned[:-1]).sum(axis=-1) < 0.0, -1.0, 1.0)
    turned[1:] *= np.cumprod(flips, axis=0)[..., None]
    scale = skeleton.scale / armature.scale[0]
    moved = np.einsum("jba,tjb->tja", rest.as_matrix(), motion.translations) * scale
    for j, name in enumerate(skeleton.names):
        armature.pose.bones[name].rotation_mode = "QUATERNION"
        yield name, "rotation_quaternion", turned[:, j]
        if skeleton.parents[j] < 0 or moved[:, j].any():
            yield name, "location", moved[:, j]


def fill(curve: bpy.types.FCurve, values: np.ndarray, frames: Sequence[int] | None) -> None:
    """Give a new curve the values' keys, on all frames or on some."""
    at = np.arange(len(values)) if frames is None else np.asarray(frames)
    points = curve.keyframe_points
    points.add(len(at))
    points.foreach_set("co", np.stack([at + FIRST_FRAME, values[at]], axis=1).astype(np.float32).ravel())
    points.foreach_set("interpolation", np.full(len(at), LINEAR if frames is None else BEZIER, np.int32))
    for handle in ("handle_left_type", "handle_right_type"):
        points.foreach_set(handle, np.full(len(at), AUTO_CLAMPED, np.int32))
    curve.update()
