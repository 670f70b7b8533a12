# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints to characters of the sample file, for the picture of that tool's page; runs in a Blender of its own::

    python -m demo.keypoint_session EXTENSION.zip SAMPLE.blend FOLDER [KEYPOINTS]

With BLENDER_USER_RESOURCES set to an empty folder, as a user's first start. Without a keypoint file, one is made: the
sample's walk as the scene's camera sees it, in COCO's form, its joints off as a detector's are. Each character becomes
pictures through the camera, ``<character>_<n>.png``, and ``<character>.npz`` the keypoints that lie over them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

from demo import body_points, character_joints, detections, keypoint_files, make_sample, mannequin, rig
from demo.leaving import leave_after
from demo.sample_blend import MANNEQUIN, MIXAMO, RIGIFY, performed
from demo.session import install
from demo.tool_session import choose
from engine import body
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion

SIZE = (1280, 720)  # pixels
FILMED_FROM, FILMED_AT, LENS = (3.2, -6.4, 1.5), (0.0, -1.6, 0.9), 42.0
UNSEEN = (slice(40, 55), "left_wrist")  # a hand that is lost for half a second
SEED = 8
COLUMNS = 5
SPAN = (20, 128)  # frames of the walk that are filmed


def film() -> None:
    """Let the scene's camera see the walk."""
    scene, camera = bpy.context.scene, bpy.context.scene.camera
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    camera.location, camera.data.lens = FILMED_FROM, LENS
    camera.rotation_euler = (Vector(FILMED_AT) - camera.location).to_track_quat("-Z", "Y").to_euler()
    bpy.context.view_layer.update()


def performed_before_the_camera(motion: BodyMotion, action: str) -> tuple[np.ndarray, np.ndarray]:
    """Points of the mannequin (T, P, 3) in the world while it performs a motion, and where the camera sees them.

    Args:
        motion: of the mannequin.
        action: name of what it becomes.

    Returns:
        The `body_points.NAMES` in metres; and in pixels, with metres ahead of the camera.
    """
    bones = mannequin.skeleton(body.bundled(), {joint: joint for joint in JOINTS})
    rig.key(bpy.data.objects[MANNEQUIN], mannequin.perform(motion, bones), action)
    frames = range(rig.FIRST_FRAME, rig.FIRST_FRAME + len(motion))
    places = body_points.points(*character_joints.joints(MANNEQUIN, frames))
    return places, character_joints.filmed(places, SIZE)


def focal() -> float:
    """Of the scene's camera, in pixels."""
    lens = bpy.context.scene.camera.data
    return float(lens.lens / lens.sensor_width * max(SIZE))


def detected(target: Path, span: tuple[int, int] = SPAN) -> Path:
    """The sample's walk, from one of its frames to another, as a detector's results in COCO's form."""
    walk = performed(make_sample.truth(), body.bundled())
    _, seen = performed_before_the_camera(walk, "walk")
    found = detections.detect(seen[slice(*span)], focal(), SEED).without(*UNSEEN)
    return keypoint_files.coco(target, [found], SIZE, walk.fps)


def alone(name: str) -> bpy.types.Object:
    """Let nobody else be in the picture, and make the character the only one selected."""
    for other in (MANNEQUIN, MIXAMO, RIGIFY):
        for ob in (bpy.data.objects[other], bpy.data.objects[f"{other} Skin"]):
            ob.hide_render = other != name
    return choose([name])


def photographed(name: str, folder: Path, rows: list[int], start: int = 1, size: tuple[int, int] = (0, 0)) -> None:
    """Photograph a character through the camera, and keep the keypoints that lie over the pictures.

    Args:
        name: of the character.
        folder: for the pictures.
        rows: of the keypoints that were read last.
        start: frame of the scene that shows the first of them.
        size: (width, height) of the images in pixels; zeros for what the file says, or else the render's.
    """
    scene, found = bpy.context.scene, shown()
    own = scene.render.fps / scene.render.fps_base
    for number, row in enumerate(rows):
        scene.frame_set(round(start + row * own / (found.fps or own)))
        scene.render.filepath = str(folder / f"{name}_{number}.png")
        bpy.ops.render.render(write_still=True)
    given = size if all(size) else found.size if all(found.size) else SIZE
    shares = found.pixels[rows] / given
    np.savez(folder / f"{name}.npz", pixels=shares * SIZE, confidence=found.confidence[rows])


def lifted(
    name: str, keypoints: Path, folder: Path, size: tuple[int, int] = (0, 0), columns: int = COLUMNS
) -> list[int]:
    """Animate a character from keypoints, and photograph it through the camera on some frames.

    Args:
        name: of the character.
        keypoints: the file or folder.
        folder: for the pictures.
        size: (width, height) of the images in pixels; zeros for what the file says, or else the render's.
        columns: how many pictures.

    Returns:
        The rows of the keypoints that are photographed.
    """
    armature = alone(name)
    if armature.animation_data is not None:
        armature.animation_data.action = None
    for bone in armature.pose.bones:
        bone.matrix_basis = Matrix()
    ended = bpy.ops.dposer.animate_from_keypoints(filepath=str(keypoints), width=size[0], height=size[1])
    if ended != {"FINISHED"}:
        raise SystemExit(f"{name} was not animated.")
    rows: list[int] = np.linspace(0, len(shown()) - 1, columns).round().astype(int).tolist()
    photographed(name, folder, rows, size=size)
    return rows


def shown() -> Any:
    """The keypoints that the extension has read for the scene: its `footage.Footage`."""
    footage = next(module for key, module in sys.modules.items() if key.endswith(".dposer_blender.footage"))
    return footage.recall(bpy.context.scene.session_uid)


def main(extension: Path, sample: Path, folder: Path, *files: str) -> None:
    """Make the pictures of two characters."""
    install(extension)
    bpy.ops.wm.open_mainfile(filepath=str(sample))
    film()
    keypoints, size = (Path(files[0]), (0, 0)) if files else (detected(folder / "walk.json"), SIZE)
    for name in (MANNEQUIN, RIGIFY):
        lifted(name, keypoints, folder, size)


if __name__ == "__main__":
    os.environ.setdefault("DPOSER_PYTHON", sys.executable)
    leave_after(lambda: main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:]))
