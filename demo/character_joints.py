# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Blender shows the joints of the sample's characters, and where its camera sees places of the world."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from demo.rig import TO_BLENDER
from demo.sample_blend import MANNEQUIN, RIGIFY
from demo.sample_rigify import DEFORM
from engine.motion.joints import JOINTS

BONES = {MANNEQUIN: JOINTS, RIGIFY: tuple(DEFORM[joint][0] for joint in JOINTS)}
"""The bones of characters that begin at the joints and turn with them."""


def joints(name: str, frames: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Joints (T, 22, 3) of a character in the world in metres, and their turns (T, 22, 3, 3) from the body's T-pose."""
    armature = bpy.data.objects[name]
    bones = [armature.pose.bones[bone] for bone in BONES[name]]
    places, turns = [], []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        world = [armature.matrix_world @ bone.matrix for bone in bones]
        places.append([matrix.translation[:] for matrix in world])
        turns.append([matrix.to_quaternion().to_matrix() for matrix in world])
    rest = np.array([bone.bone.matrix_local.to_3x3() for bone in bones])
    from_t_pose = np.array(turns) @ rest.transpose(0, 2, 1) @ TO_BLENDER.as_matrix()
    return np.array(places), from_t_pose


def filmed(places: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(..., 3) pixels from the top left corner where the scene's camera sees places (..., 3), and metres ahead."""
    scene = bpy.context.scene
    found = [world_to_camera_view(scene, scene.camera, Vector(place))[:] for place in places.reshape(-1, 3).tolist()]
    u, v, ahead = np.array(found).T
    return np.stack([u * size[0], (1.0 - v) * size[1], ahead], axis=-1).reshape(places.shape)
