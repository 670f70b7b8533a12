# SPDX-License-Identifier: GPL-3.0-or-later
"""The body that Blender shows an armature in, by the engine's retargeting of what Blender evaluates."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from engine.motion.joints import JOINTS, PARENTS
from engine.motion.motion import BodyMotion
from engine.motion.retarget import Alignment, to_body
from engine.motion.rigs import find_map
from engine.requests.rig import motion_of, skeleton_of
from rigcheck.extension import part


def body_of(ob: Any, first: int, last: int, alignment: Alignment | None = None) -> tuple[BodyMotion, Alignment]:
    """The body on frames ``first`` to ``last``, and how it corresponds to the rig.

    Args:
        ob: the armature.
        first, last: frames.
        alignment: of the motion before it was edited; that of what is shown now where None.
    """
    armature, scene = part("armature"), bpy.context.scene
    if not armature.needs_evaluation(ob):
        clip = armature.read(ob, scene, first, last, still=True)
        _show(ob, clip)
        params, arrays = clip.request()
        motion = motion_of(params, arrays)
        found = find_map(motion.skeleton)
    else:
        told, rest = part("skeleton").read(ob, scene)
        found = find_map(skeleton_of(told, rest))
        clip = armature.read(ob, scene, first, last, found.described(), still=True)
        while not clip.complete:
            armature.evaluate(clip, bpy.context, 10.0)
        motion = motion_of(*clip.request())
    alignment = alignment or Alignment(motion, found)
    return to_body(motion, found, alignment), alignment


def turns_apart(body: BodyMotion, other: BodyMotion, alignment: Alignment) -> np.ndarray:
    """(T, J) degrees between where the joints of two bodies turn to in the world.

    Of the joints that bones of their own stand for: what another turns (a collar in one pose alone, which cannot tell
    whether it moves; the lowest of Rigify's spine) is the next one's below.
    """
    from scipy.spatial.transform import Rotation

    def globals_of(poses: np.ndarray) -> np.ndarray:
        turns = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(*poses.shape[:2], 3, 3)
        for j, parent in enumerate(PARENTS):
            if parent >= 0:
                turns[:, j] = turns[:, parent] @ turns[:, j]
        return turns

    turn = np.swapaxes(globals_of(body.poses), -1, -2) @ globals_of(other.poses)
    angles = Rotation.from_matrix(turn.reshape(-1, 3, 3)).magnitude().reshape(turn.shape[:2])
    return np.degrees(angles[:, [joint in alignment.bones for joint in JOINTS]])


def _show(ob: Any, clip: Any) -> None:
    """Put what Blender evaluates in place of what the f-curves say; for bones that inherit as new ones do."""
    frame, rotations = bpy.context.scene.frame_current, part("rotations")
    assert not clip.object_name
    for t, at in enumerate(clip.frames.tolist()):
        bpy.context.scene.frame_set(at)
        posed = ob.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        poses = np.array([posed[name].matrix for name in clip.names])
        for j, parent in enumerate(clip.parents):
            base = clip.rest[j]
            if parent >= 0:
                base = poses[parent] @ np.linalg.inv(clip.rest[parent]) @ clip.rest[j]
            basis = np.linalg.solve(base, poses[j])
            clip.rotations[t, j] = rotations.from_matrices(basis[None, :3, :3])[0]
            clip.translations[t, j] = basis[:3, 3]
    bpy.context.scene.frame_set(frame)
