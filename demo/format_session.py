# SPDX-License-Identifier: GPL-3.0-or-later
"""One captured sequence through the files of every detector to characters of the sample; runs in a Blender of its own::

    python -m demo.format_session EXTENSION.zip SAMPLE.blend FOLDER [both]

With BLENDER_USER_RESOURCES set to an empty folder, as a user's first start. The mannequin performs a capture before the
scene's camera, and somebody passes behind; a detector sees both, and its keypoints are written as every tool writes
them. *Animate from Keypoints* reads each file, for the characters in turn or for both. ``figures.json`` tells how far
off they are.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import bpy
import numpy as np

from demo import body_points, character_joints, two_people
from demo.detections import Detections, detect
from demo.keypoint_files import FORMATS
from demo.keypoint_session import SIZE, film, focal, lifted, performed_before_the_camera, shown
from demo.leaving import leave_after
from demo.sample_blend import MANNEQUIN, RIGIFY
from demo.session import install
from engine import body
from engine.evaluation.metrics import mpjpe, pa_mpjpe
from engine.motion.keypoints.layouts import H36M_17

CHARACTERS = (MANNEQUIN, RIGIFY)
COLUMNS = 6  # pictures of each file
LOST_HAND, LOST_FOOT = (slice(18, 33), "left_wrist"), (slice(50, 56), "right_ankle")
GAP = slice(40, 46)  # frames on which the detector finds nobody but who passes
SEEDS = (8, 9)  # of the detector's noise on both
JOINTS = len(H36M_17)


def figures(name: str, truth: np.ndarray, seen: np.ndarray) -> dict[str, float]:
    """How far a character is from what is true, and the keypoints of the file as they were read.

    Args:
        name: of the character.
        truth: (T, 17, 3) metres in the world.
        seen: (T, 17, 2) exact pixels.
    """
    found = shown()
    told, there = found.pixels[: len(truth)], found.confidence[: len(truth)] > 0
    frames = range(1, 1 + len(truth))
    joints = body_points.points(*character_joints.joints(name, frames))[:, :JOINTS]
    shows = character_joints.filmed(joints, SIZE)[..., :2]
    noise = np.linalg.norm(told - seen, axis=-1)[there]
    return {
        "frames": len(found),
        "joints seen": float(there.mean()),
        "noise px": float(noise.mean()),
        "noise rms px": float(np.sqrt(np.square(noise).mean())),
        "off keypoints px": float(np.linalg.norm(shows - told, axis=-1)[there].mean()),
        "off truth px": float(np.linalg.norm(shows - seen, axis=-1).mean()),
        "mpjpe mm": mpjpe(joints - joints[:, :1], truth - truth[:, :1]),
        "pa-mpjpe mm": pa_mpjpe(joints, truth),
    }


def photographed(other: Detections, rows: list[int], target: Path) -> None:
    """Keep what the pictures of some rows show of who passes."""
    np.savez(target, pixels=other.pixels[rows, :JOINTS], confidence=other.confidence[rows, :JOINTS])


def main(extension: Path, sample: Path, folder: Path, both: bool) -> None:
    """Write the files, and use each on one character or both."""
    install(extension)
    bpy.ops.wm.open_mainfile(filepath=str(sample))
    film()
    told, motions = two_people.acted(body.bundled())
    scene, fps = bpy.context.scene, motions[0].fps
    scene.render.fps, scene.render.fps_base = round(fps), 1.0
    truth, seen = performed_before_the_camera(motions[0], "acted")
    _, passing = performed_before_the_camera(motions[1], "passing")
    first = detect(seen, focal(), SEEDS[0]).without(*LOST_HAND).without(*LOST_FOOT).without(GAP)
    other = detect(passing, focal(), SEEDS[1]).behind(first)
    rows = []
    for number, (label, (name, write)) in enumerate(FORMATS.items()):
        place = folder / name.partition(".")[0]
        place.mkdir()
        keypoints = write(place / name, [first, other], SIZE, fps)
        characters = CHARACTERS if both else CHARACTERS[number % len(CHARACTERS) :][:1]
        for character in characters:
            photos = lifted(character, keypoints, place, columns=COLUMNS // len(characters))
            photographed(other, photos, place / f"{character}_other.npz")
            row = figures(character, truth[:, :JOINTS], seen[:, :JOINTS, :2])
            people = [person.frames for person in shown().people]
            rows.append({"format": label, "character": character, "people": people, **row})
            print(f"figures {json.dumps(rows[-1])}", flush=True)
    missed = {"hand": LOST_HAND[0], "foot": LOST_FOOT[0], "person": GAP}
    content = {
        "motion": told,
        "fps": fps,
        "size": SIZE,
        "missed": {name: frames.stop - frames.start for name, frames in missed.items()},
        "rows": rows,
    }
    (folder / "figures.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("DPOSER_PYTHON", sys.executable)
    leave_after(lambda: main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), "both" in sys.argv[4:]))
