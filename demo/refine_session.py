# SPDX-License-Identifier: GPL-3.0-or-later
"""Motions made wrong, and pulled onto keypoints of the right one; runs in a Blender of its own::

    python -m demo.refine_session EXTENSION.zip SAMPLE.blend FOLDER

With BLENDER_USER_RESOURCES set to an empty folder, as a user's first start. The sample's walk is seen by the scene's
camera and a detector, whose file is in COCO's form. Each character gets the walk with every joint turned by slow errors
and the body somewhere else, and *Refine to Keypoints* makes of that what it can, with its own settings. ``before`` and
``after`` in the folder get pictures through the camera and the keypoints that lie over them, and ``figures.json`` tells
how far off both are.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from demo import body_points, character_joints, make_sample, mannequin, rig, sample_rigify
from demo.keypoint_session import (
    SIZE,
    alone,
    detected,
    film,
    performed_before_the_camera,
    photographed,
    shown,
)
from demo.leaving import leave_after
from demo.sample_blend import MANNEQUIN, RIGIFY, performed
from demo.session import install
from engine import body
from engine.evaluation.metrics import mpjpe, pa_mpjpe
from engine.motion.joints import JOINTS
from engine.motion.keypoints.layouts import H36M_17
from engine.motion.motion import BodyMotion

SPAN = (44, 104)  # frames of the walk that are seen
COLUMNS = 3  # moments that are photographed
SEED = 3
TURN, ROOT_TURN = np.radians((14.0, 6.0))  # root mean square about each axis
AWAY = (0.08, 0.04, 0.18)  # metres, likewise, across, up and ahead
SLOW = 0.4  # seconds


def wrong(motion: BodyMotion) -> BodyMotion:
    """A motion with errors that come and go slowly, as those of motion capture from video do."""
    rng = np.random.default_rng(SEED)
    noise = gaussian_filter1d(rng.standard_normal((len(motion), 23, 3)), SLOW * motion.fps, axis=0, mode="wrap")
    noise /= np.sqrt(np.square(noise).mean(axis=0))
    sizes = np.full((len(JOINTS), 1), TURN)
    sizes[0] = ROOT_TURN
    turns = Rotation.from_rotvec((sizes * noise[:, 1:]).reshape(-1, 3))
    poses = (Rotation.from_rotvec(motion.poses.reshape(-1, 3)) * turns).as_rotvec()
    return replace(motion, poses=poses.reshape(motion.poses.shape), transl=motion.transl + noise[:, 0] * AWAY)


def given(name: str, motion: BodyMotion) -> None:
    """Let a character perform a motion, at the place that the camera looks at."""
    armature = bpy.data.objects[name]
    armature.location.x = 0.0
    if name == RIGIFY:
        sample_rigify.key(armature, motion, f"{name} wrong")
    else:
        bones = mannequin.skeleton(body.bundled(), {joint: joint for joint in JOINTS})
        rig.key(armature, mannequin.perform(motion, bones), f"{name} wrong")


def figures(name: str, truth: np.ndarray, seen: np.ndarray) -> dict[str, float]:
    """How far a character is from the keypoints that were read, and from what is true.

    Args:
        name: of the character.
        truth: (T, 17, 3) metres in the world.
        seen: (T, 17, 2) exact pixels.
    """
    found = shown()
    told, there = found.pixels[: len(truth)], found.confidence[: len(truth)] > 0
    frames = range(rig.FIRST_FRAME + SPAN[0], rig.FIRST_FRAME + SPAN[0] + len(truth))
    joints = body_points.points(*character_joints.joints(name, frames))[:, : len(H36M_17)]
    shows = character_joints.filmed(joints, SIZE)[..., :2]
    return {
        "noise px": float(np.linalg.norm(told - seen, axis=-1)[there].mean()),
        "off keypoints px": float(np.linalg.norm(shows - told, axis=-1)[there].mean()),
        "off truth px": float(np.linalg.norm(shows - seen, axis=-1).mean()),
        "mpjpe mm": mpjpe(joints - joints[:, :1], truth - truth[:, :1]),
        "pa-mpjpe mm": pa_mpjpe(joints, truth),
    }


def main(extension: Path, sample: Path, folder: Path) -> None:
    """Refine two characters."""
    install(extension)
    bpy.ops.wm.open_mainfile(filepath=str(sample))
    film()
    keypoints = detected(folder / "walk.json", SPAN)
    walk = performed(make_sample.truth(), body.bundled())
    joints, seen = performed_before_the_camera(walk, "truth")
    truth, exact = joints[slice(*SPAN), : len(H36M_17)], seen[slice(*SPAN), : len(H36M_17), :2]
    start = rig.FIRST_FRAME + SPAN[0]
    rows: list[int] = np.linspace(0, len(truth) - 1, COLUMNS + 2).round().astype(int).tolist()[1:-1]
    told = []
    for name in (MANNEQUIN, RIGIFY):
        alone(name)
        given(name, wrong(walk))
        bpy.ops.dposer.read_keypoints(filepath=str(keypoints), width=SIZE[0], height=SIZE[1])
        bpy.context.scene.dposer.keypoints.start = start
        for when in ("before", "after"):
            place = folder / when
            place.mkdir(exist_ok=True)
            if when == "after" and bpy.ops.dposer.refine_to_keypoints() != {"FINISHED"}:
                raise SystemExit(f"{name} was not refined.")
            photographed(name, place, rows, start, SIZE)
            told.append({"character": name, "when": when, **figures(name, truth, exact)})
            print(f"figures {json.dumps(told[-1])}", flush=True)
    (folder / "figures.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("DPOSER_PYTHON", sys.executable)
    leave_after(lambda: main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
