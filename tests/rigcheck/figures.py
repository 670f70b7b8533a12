# SPDX-License-Identifier: GPL-3.0-or-later
"""Armatures and their keys, made in Blender from a skeleton and a motion for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from engine.motion.skeleton import Skeleton
from rigcheck import motions
from rigcheck.extension import part
from rigcheck.turns import about, from_rotvec

MODES = ("QUATERNION", "AXIS_ANGLE", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
SHORTEST = 1e-3  # of a metre; Blender deletes bones of no length


@dataclass(frozen=True)
class Placing:
    """How a rig lies in its file.

    Attributes:
        turn: (3, 3) from Z up, -Y ahead to the armature's axes; undone by the object's rotation.
        unit: metres per unit of the armature; the object's scale.
    """

    turn: np.ndarray
    unit: float = 1.0


UPRIGHT = Placing(np.eye(3))
Y_UP_CENTIMETRES = Placing(about("x", -90.0), 0.01)  # as FBX files of Mixamo or MotionBuilder come in
CENTIMETRES = Placing(np.eye(3), 0.01)
X_AHEAD_CENTIMETRES = Placing(about("z", 90.0), 0.01)  # as those of 3ds Max do


def placed(skeleton: Skeleton, placing: Placing) -> Skeleton:
    """The skeleton (metres, Z up) in the armature's axes and units."""
    rest = skeleton.rest.copy()
    rest[:, :3, :3] = placing.turn @ rest[:, :3, :3]
    rest[:, :3, 3] = rest[:, :3, 3] @ placing.turn.T / placing.unit
    return replace(
        skeleton, rest=rest, tails=skeleton.tails @ placing.turn.T / placing.unit, scale=placing.unit
    )


def build(name: str, skeleton: Skeleton, placing: Placing = UPRIGHT) -> Any:
    """An active armature with the skeleton's bones (metres, Z up), which stands upright in the scene."""
    skeleton = placed(skeleton, placing)
    ob = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(ob)
    bpy.context.view_layer.objects.active = ob
    bpy.ops.object.mode_set(mode="EDIT")
    lengths = np.linalg.norm(skeleton.tails - skeleton.rest[:, :3, 3], axis=1)
    made: list[Any] = []
    for j, bone_name in enumerate(skeleton.names):
        bone = ob.data.edit_bones.new(bone_name)
        bone.tail = (0.0, max(lengths[j], SHORTEST / placing.unit), 0.0)
        bone.matrix = Matrix(skeleton.rest[j])
        if skeleton.parents[j] >= 0:
            bone.parent = made[skeleton.parents[j]]
        made.append(bone)
    bpy.ops.object.mode_set(mode="OBJECT")
    ob.matrix_world = Matrix(placing.turn.T).to_4x4() @ Matrix.Scale(placing.unit, 4)
    bpy.context.view_layer.update()
    return ob


def walk(
    ob: Any,
    joints: Mapping[str, Sequence[str]],
    to_armature: np.ndarray,
    *,
    frames: int = 24,
    arms: float = 0.0,
    carrier: str | None = None,
    modes: Sequence[str] = MODES,
    step: int = 1,
    still: Sequence[str] = (),
    twisting: Sequence[str] = (),
    seed: int = 0,
) -> None:
    """Key a walk on the rig, noise on its other bones, from frame 1 on.

    Args:
        ob: the armature.
        joints: body joint -> its bones; those of the trunk share the turn.
        to_armature: (3, 3) from the body's axes to the armature's.
        frames: T.
        arms: as for `motions.walk`.
        carrier: the bone that moves through the scene; the pelvis where None.
        modes: rotation modes, one bone after the other.
        step: frames from key to key.
        still: bones that get no keys; joints in it count with their bones.
        twisting: bones that turn about their own length alone.
        seed: of the noise.
    """
    rng = np.random.default_rng(seed)
    unit = ob.matrix_world.median_scale
    # A spine bends in all its bones, a limb of several in the first alone: the others twist.
    shares = {joint: bones[:1] if "_" in joint else bones for joint, bones in joints.items()}
    owners = {bone: (joint, len(bones)) for joint, bones in shares.items() for bone in bones}
    idle = {*still, *(bone for joint in still for bone in joints.get(joint, ()))}
    pelvis = joints["pelvis"][0]
    mover = carrier or pelvis
    rotations = part("rotations")
    times = np.arange(1, frames + 1, step)
    if times[-1] != frames:
        times = np.append(times, frames)
    for j, bone in enumerate(ob.pose.bones):
        bone.rotation_mode = modes[j % len(modes)]
        if bone.name in idle:
            continue
        rest = np.array(bone.bone.matrix_local.to_3x3())
        if bone.name in owners:
            joint, count = owners[bone.name]
            turn = motions.walk(joint, frames, arms, rng)
            if count > 1:  # a part of the turn, so that the chain makes up the whole
                turn = from_rotvec(_rotvec(turn) / count)
            turn = to_armature @ turn @ to_armature.T
        elif bone.name == mover:
            turn = np.tile(np.eye(3), (frames, 1, 1))
        else:
            wave = np.radians(3.0) * np.sin(np.arange(frames)[:, None] / 5 + rng.uniform(0, 6, 3))
            turn = from_rotvec(
                wave @ (np.outer(rest[:, 1], rest[:, 1]) if bone.name in twisting else np.eye(3))
            )
        _key_rotations(bone, times, rotations.from_matrices(rest.T @ turn @ rest)[times - 1])
        if bone.name == mover:
            shift = motions.path(frames) @ to_armature.T @ rest / unit
            key(bone, "location", times, shift[times - 1])
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = 30, 1, frames
    scene.frame_set(1)


def key(bone: Any, channel: str, times: np.ndarray, values: np.ndarray) -> None:
    """Key a channel of a bone (T, C) on frames (T,)."""
    bone.keyframe_insert(channel, frame=int(times[0]))
    path = f"{bone.path_from_id()}.{channel}"
    for curve in part("compat").curves(bone.id_data.animation_data):
        if curve.data_path == path:
            points = curve.keyframe_points
            points.add(len(times) - len(points))
            column = values[:, curve.array_index]
            points.foreach_set("co", np.stack([times, column], axis=-1).astype(np.float32).ravel())
            curve.update()


def _key_rotations(bone: Any, times: np.ndarray, quaternions: np.ndarray) -> None:
    rotations, mode = part("rotations"), bone.rotation_mode
    channel, count = rotations.channels(mode)
    start = np.zeros((len(times), 1, count))
    values = rotations.to_channels(quaternions[:, None], mode, start, np.ones((len(times), 1), bool))
    key(bone, channel, times, values[:, 0])


def _rotvec(turns: np.ndarray) -> np.ndarray:
    """Rotation vectors (T, 3) of rotations (T, 3, 3) of less than half a turn."""
    quats = part("rotations").from_matrices(turns)
    quats = quats * np.where(quats[:, :1] < 0, -1.0, 1.0)
    sine = np.linalg.norm(quats[:, 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, quats[:, :1])
    return quats[:, 1:] / np.maximum(sine, 1e-12) * angle
