# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints to characters of the sample file, for the picture of that tool's page; runs in a Blender of its own::

    python -m demo.keypoint_session EXTENSION.zip SAMPLE.blend FOLDER [KEYPOINTS]

With BLENDER_USER_RESOURCES set to an empty folder, as a user's first start. Without a keypoint file, one is made: the
sample's walk as the scene's camera sees it, in COCO's form, its joints off as a detector's are. Each character becomes
pictures through the camera, ``<character>_<n>.png``, and ``<character>.npz`` the keypoints that lie over them.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Matrix, Vector

from demo import make_sample, mannequin, rig
from demo.leaving import leave_after
from demo.sample_blend import MANNEQUIN, MIXAMO, RIGIFY, performed
from demo.session import install
from demo.tool_session import choose
from engine import body
from engine.motion.h36m import NOSE
from engine.motion.joints import JOINTS

SIZE = (1280, 720)  # pixels
FILMED_FROM, FILMED_AT, LENS = (3.2, -6.4, 1.5), (0.0, -1.6, 0.9), 42.0
SHAKE = 0.008  # of the person's height in the picture, standard deviation of a detector's joints
UNSEEN = ("left_wrist", range(40, 55))  # a hand that is lost for half a second
COCO = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
COLUMNS = 5
SPAN = (20, 128)  # frames of the walk that are filmed


def film() -> None:
    """Let the scene's camera see the walk."""
    scene, camera = bpy.context.scene, bpy.context.scene.camera
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    camera.location, camera.data.lens = FILMED_FROM, LENS
    camera.rotation_euler = (Vector(FILMED_AT) - camera.location).to_track_quat("-Z", "Y").to_euler()
    bpy.context.view_layer.update()


def seen(name: str) -> Vector:
    """(u, v) where the camera sees a joint of the mannequin, in pixels."""
    armature = bpy.data.objects[MANNEQUIN]
    bone = armature.pose.bones["head" if name == "nose" else name]
    place = bone.head
    if name == "nose":
        x, y, z = NOSE
        turn = bone.matrix.to_3x3() @ bone.bone.matrix_local.to_3x3().inverted()
        place = place + turn @ Vector((x, -z, y))
    found = world_to_camera_view(bpy.context.scene, bpy.context.scene.camera, armature.matrix_world @ place)
    return Vector((found.x * SIZE[0], (1.0 - found.y) * SIZE[1]))


def detected(target: Path) -> Path:
    """The sample's walk as a detector's results in COCO's form."""
    dummy, random = body.bundled(), np.random.default_rng(8)
    armature = bpy.data.objects[MANNEQUIN]
    bones = mannequin.skeleton(dummy, {joint: joint for joint in JOINTS})
    rig.key(armature, mannequin.perform(performed(make_sample.truth(), dummy), bones), "walk")
    results = []
    for number, frame in enumerate(range(*SPAN)):
        bpy.context.scene.frame_set(frame)
        places = {name: np.array(seen(name)) for name in COCO if not name.endswith(("eye", "ear"))}
        height = np.ptp([place[1] for place in places.values()])
        points = []
        for name in COCO:
            lost = name not in places or (name == UNSEEN[0] and number in UNSEEN[1])
            score = 0.0 if lost else float(random.uniform(0.7, 1.0))
            place = np.zeros(2) if lost else places[name] + random.normal(scale=SHAKE * height, size=2)
            points += [round(float(place[0]), 2), round(float(place[1]), 2), round(score, 3)]
        results.append({"image_id": number, "category_id": 1, "keypoints": points, "score": 0.9})
    target.write_text(json.dumps(results), encoding="utf-8")
    return target


def lifted(name: str, keypoints: Path, folder: Path, width: int = 0, height: int = 0) -> None:
    """Animate a character from keypoints, and photograph it through the camera on some frames."""
    for other in (MANNEQUIN, MIXAMO, RIGIFY):
        for ob in (bpy.data.objects[other], bpy.data.objects[f"{other} Skin"]):
            ob.hide_render = other != name
    armature = choose([name])
    if armature.animation_data is not None:
        armature.animation_data.action = None
    for bone in armature.pose.bones:
        bone.matrix_basis = Matrix()
    scene = bpy.context.scene
    size = {"width": width, "height": height}
    if bpy.ops.dposer.animate_from_keypoints(filepath=str(keypoints), **size) != {"FINISHED"}:
        raise SystemExit(f"{name} was not animated.")
    footage = next(module for key, module in sys.modules.items() if key.endswith(".dposer_blender.footage"))
    found = footage.recall(scene.session_uid)
    rows = np.linspace(0, len(found) - 1, COLUMNS).round().astype(int)
    pace = scene.render.fps / scene.render.fps_base / (found.fps or scene.render.fps / scene.render.fps_base)
    for number, row in enumerate(rows.tolist()):
        scene.frame_set(round(1 + row * pace))
        scene.render.filepath = str(folder / f"{name}_{number}.png")
        bpy.ops.render.render(write_still=True)
    given = (width, height) if width else found.size if all(found.size) else SIZE
    shares = found.pixels[rows] / given
    np.savez(folder / f"{name}.npz", pixels=shares * SIZE, confidence=found.confidence[rows])


def main(extension: Path, sample: Path, folder: Path, *files: str) -> None:
    """Make the pictures of two characters."""
    install(extension)
    bpy.ops.wm.open_mainfile(filepath=str(sample))
    film()
    keypoints, size = (Path(files[0]), (0, 0)) if files else (detected(folder / "walk.json"), SIZE)
    for name in (MANNEQUIN, RIGIFY):
        lifted(name, keypoints, folder, *size)


if __name__ == "__main__":
    os.environ.setdefault("DPOSER_PYTHON", sys.executable)
    leave_after(lambda: main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:]))
