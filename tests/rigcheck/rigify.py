# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigify's generated human in real Blender, and made-up motion for its controls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np

FRAMES = range(1, 25)
SPINE = ("torso", "chest", "hips", "spine_fk.002", "spine_fk.003", "neck", "head", "shoulder.L", "shoulder.R")
LIMBS = tuple(
    f"{part}_fk.{side}"
    for side in "LR"
    for part in ("thigh", "shin", "foot", "upper_arm", "forearm", "hand")
)
SWITCHES = tuple(f"{limb}_parent.{side}" for limb in ("thigh", "upper_arm") for side in "LR")


def generate(folder: Path) -> Path:
    """A .blend with Rigify's metarig and generated rig, made in a process of its own, see the script."""
    path = folder / "rigify.blend"
    script = Path(__file__).parents[1] / "blender" / "generate_rigify.py"
    ended = subprocess.run([sys.executable, script, path], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return path


def open_rig(path: Path) -> Any:
    """Load the file; the generated rig, active."""
    bpy.ops.wm.open_mainfile(filepath=str(path))
    ob = bpy.data.objects["Rigify"]
    bpy.context.view_layer.objects.active = ob
    bpy.context.scene.frame_end = FRAMES[-1]
    bpy.context.scene.render.fps = 30
    return ob


def wave(ob: Any, names: tuple[str, ...], amount: float, seed: int) -> None:
    """Key slow turns on bones, in their own rotation modes."""
    from mathutils import Euler

    random = np.random.default_rng(seed)
    for name in names:
        bone, phase = ob.pose.bones[name], random.uniform(0, 6, 3)
        for frame in FRAMES:
            turn = Euler(amount * np.sin(phase + frame / 8.0))
            if bone.rotation_mode == "QUATERNION":
                bone.rotation_quaternion = turn.to_quaternion()
                bone.keyframe_insert("rotation_quaternion", frame=frame)
            else:
                bone.rotation_euler = turn.to_quaternion().to_euler(bone.rotation_mode)
                bone.keyframe_insert("rotation_euler", frame=frame)


def shift(ob: Any, names: tuple[str, ...], amount: float, seed: int) -> None:
    """Key slow displacements on bones."""
    random = np.random.default_rng(seed)
    for name in names:
        bone, phase = ob.pose.bones[name], random.uniform(0, 6, 3)
        for frame in FRAMES:
            bone.location = amount * np.sin(phase + frame / 7.0)
            bone.keyframe_insert("location", frame=frame)


def animate(ob: Any, kinematics: str) -> Any:
    """A made-up motion of the whole rig; returns its action."""
    wave(ob, SPINE, 0.2, 0)
    shift(ob, ("torso",), 0.1, 1)
    if kinematics == "FK":
        wave(ob, LIMBS, 0.3, 2)
    else:
        shift(ob, tuple(f"{end}_ik.{side}" for end in ("foot", "hand") for side in "LR"), 0.12, 2)
    for name in SWITCHES:
        ob.pose.bones[name]["IK_FK"] = 1.0 if kinematics == "FK" else 0.0
        ob.pose.bones[name]["IK_Stretch"] = 0.0
    return ob.animation_data.action
