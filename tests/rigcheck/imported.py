# SPDX-License-Identifier: GPL-3.0-or-later
"""Real rigs: files that Blender's own importers read, and those that Rigify makes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy

from rigcheck import figures
from rigcheck.people import BLENDER, PEOPLE


def empty_file(*addons: str) -> None:
    """Start from an empty file with Blender's own add-ons of these names at hand."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    for addon in addons:
        bpy.ops.preferences.addon_enable(module=addon)


def bvh(path: Path) -> Any:
    """An animated armature from a BVH file."""
    empty_file("io_anim_bvh")
    bpy.ops.import_anim.bvh(filepath=str(path), update_scene_fps=True)
    return _armature()


def fbx(path: Path) -> Any:
    """An animated armature from an FBX file."""
    empty_file("io_scene_fbx")
    bpy.ops.import_scene.fbx(filepath=str(path))
    return _armature()


def gltf(path: Path) -> Any:
    """An armature from a glTF file with a skin."""
    empty_file("io_scene_gltf2")
    bpy.ops.import_scene.gltf(filepath=str(path))
    return _armature()


def metarig() -> Any:
    """Rigify's human metarig, without motion."""
    empty_file("rigify")
    bpy.ops.object.armature_human_metarig_add()
    return bpy.context.object


def generated() -> Any:
    """The control rig that Rigify generates from it, its limbs set to forward kinematics, without motion.

    Blender as a module may never end once Rigify has generated a rig: leave the process with `os._exit`.
    """
    source = metarig()
    bpy.ops.pose.rigify_generate()
    ob = next(ob for ob in bpy.data.objects if ob.type == "ARMATURE" and ob is not source)
    for bone in ob.pose.bones:
        for name, value in (
            ("IK_FK", 1.0),
            ("FK_limb_follow", 0.0),
            ("neck_follow", 1.0),
            ("head_follow", 1.0),
        ):
            if name in bone:
                bone[name] = value
    return ob


def walk(ob: Any, convention: str, *, arms: float, modes: Sequence[str] = figures.MODES, only_joints: bool = False,
         frames: int = 24) -> None:  # fmt: skip
    """Key a walk on a rig (Z up, -Y ahead) whose bones a convention names."""
    joints = {
        joint: bones
        for joint, bones in PEOPLE[convention].bones.items()
        if all(b in ob.pose.bones for b in bones)
    }
    used = {bone for bones in joints.values() for bone in bones}
    still = [bone.name for bone in ob.pose.bones if bone.name not in used] if only_joints else []
    figures.walk(ob, joints, BLENDER, frames=frames, arms=arms, modes=modes, still=still)


def _armature() -> Any:
    ob = next(ob for ob in bpy.data.objects if ob.type == "ARMATURE")
    bpy.context.view_layer.objects.active = ob
    return ob
