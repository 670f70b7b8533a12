# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs before Blender's camera: where it sees their joints, and files of what it sees.

Places in the picture are found by `world_to_camera_view`, Blender's way from the world into a camera's picture.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

FPS = 30
SIZE = (1280, 720)
MIDDLE = (0.0, -0.3, 1.0)  # of who walks
LIMBS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
MIXAMO = {"hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand"}
RIGIFY = {"hip": "thigh", "knee": "shin", "ankle": "foot", "shoulder": "upper_arm", "elbow": "forearm", "wrist": "hand"}
BONES = {
    "smpl": {f"{side}_{limb}": f"{side}_{limb}" for side in ("left", "right") for limb in LIMBS},
    "mixamo": {f"{s}_{limb}": f"mixamorig:{s.title()}{MIXAMO[limb]}" for s in ("left", "right") for limb in LIMBS},
    "rigify": {f"{s}_{limb}": f"DEF-{RIGIFY[limb]}.{s[0].upper()}" for s in ("left", "right") for limb in LIMBS},
}
"""Rig -> joint -> the bone that begins there."""


def film(
    location: tuple[float, float, float] = (1.5, -5.0, 1.6), size: tuple[int, int] = SIZE, name: str = "Camera"
) -> Any:
    """The scene's camera, which looks at who walks."""
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = size
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    scene.collection.objects.link(camera)
    camera.location = location
    towards = Vector(MIDDLE) - Vector(location)
    camera.rotation_euler = towards.to_track_quat("-Z", "Y").to_euler()
    scene.camera = camera
    bpy.context.view_layer.update()
    return camera


def projected(
    ob: Any, bones: dict[str, str], frames: Iterable[float], size: tuple[int, int] = SIZE, camera: Any = None
) -> np.ndarray:
    """(T, K, 2) where the scene's camera, or another, sees bones begin, in pixels from the top left corner."""
    scene, found = bpy.context.scene, []
    for frame in frames:
        whole = int(np.floor(frame))
        scene.frame_set(whole, subframe=float(frame - whole))
        heads = [ob.matrix_world @ ob.pose.bones[name].head for name in bones.values()]
        seen = [world_to_camera_view(scene, camera or scene.camera, head) for head in heads]
        found.append([(p.x * size[0], (1.0 - p.y) * size[1]) for p in seen])
    return np.array(found)


def places(ob: Any, bones: dict[str, str], frames: Iterable[int]) -> np.ndarray:
    """(T, K, 3) metres, where bones begin in the world."""
    found = []
    for frame in frames:
        bpy.context.scene.frame_set(int(frame))
        found.append([list(ob.matrix_world @ ob.pose.bones[name].head) for name in bones.values()])
    return np.array(found)


def written(path: Path, pixels: np.ndarray, names: Sequence[str] | dict[str, str], **more: Any) -> str:
    """A file of keypoints by name."""
    frames = [{name: [*at, 1.0] for name, at in zip(names, row, strict=True)} for row in pixels.tolist()]
    content = {"width": SIZE[0], "height": SIZE[1], "fps": FPS, "frames": frames} | more
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def off(found: np.ndarray, wanted: np.ndarray) -> float:
    """Mean distance of joints from keypoints, as a share of the person's height in the picture."""
    height = np.ptp(wanted[..., 1], axis=1).mean() / 0.8  # the limbs span four fifths of it
    return float(np.linalg.norm(found - wanted, axis=-1).mean() / height)
