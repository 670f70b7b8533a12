# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files in the public formats of Human3.6M and MPI-INF-3DHP, of made-up people and cameras."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

SUBJECTS = tuple(f"S{n}" for n in range(1, 12))
CAMERAS = ("54138969", "55011271", "58860488", "60457274")

# Of Human3.6M's code: where in the 32 joints the 17 of lifters are, by name.
PLACES_OF_32 = {
    "pelvis": 0, "right_hip": 1, "right_knee": 2, "right_ankle": 3, "left_hip": 6, "left_knee": 7, "left_ankle": 8,
    "spine": 12, "thorax": 13, "nose": 14, "head_top": 15, "left_shoulder": 17, "left_elbow": 18, "left_wrist": 19,
    "right_shoulder": 25, "right_elbow": 26, "right_wrist": 27,
}  # fmt: skip


def camera_numbers(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Made-up cameras, as metadata.xml has them: (4, 11, 6) angles and places in mm, and (4, 9) lenses.

    They stand in a circle of 5 m, 1.5 m above the floor, Z up, and look at about the room's middle.
    """
    rng = np.random.default_rng(seed)
    places = np.zeros((4, 11, 6))
    for camera in range(4):
        for subject in range(11):
            turn = np.pi / 2 * camera + rng.uniform(-0.2, 0.2)
            stands = np.array([5000.0 * np.cos(turn), 5000.0 * np.sin(turn), 1500.0])
            ahead = -stands / np.linalg.norm(stands) + rng.normal(0.0, 0.02, 3)
            ahead /= np.linalg.norm(ahead)
            right = np.cross(ahead, [0.0, 0.0, 1.0])
            right /= np.linalg.norm(right)
            rows = np.stack([right, np.cross(ahead, right), ahead])
            # The angles whose turns about X, Y and Z, one after the other from the right, make these rows.
            about_y = np.arcsin(rows[0, 2])
            about_x, about_z = np.arctan2(-rows[1, 2], rows[2, 2]), np.arctan2(-rows[0, 1], rows[0, 0])
            places[camera, subject] = [about_x, about_y, about_z, *stands]
    lenses = np.concatenate(
        [rng.uniform(1140, 1150, (4, 2)), rng.uniform(490, 510, (4, 2)), rng.normal(0, 0.2, (4, 2)),
         rng.normal(0, 0.005, (4, 3))], axis=1,
    )  # fmt: skip
    return places, lenses


def turns(angles: np.ndarray) -> np.ndarray:
    """The rotation of three angles, written out."""
    (a, b, c), (d, e, f) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, a, -d], [0, d, a]])
    about_y = np.array([[b, 0, e], [0, 1, 0], [-e, 0, b]])
    about_z = np.array([[c, -f, 0], [f, c, 0], [0, 0, 1]])
    return about_x @ about_y @ about_z


def xml_of_cameras(path: Path, places: np.ndarray, lenses: np.ndarray) -> Path:
    numbers = " ".join(repr(float(number)) for number in (*places.ravel(), *lenses.ravel()))
    path.write_text(f"<metadata>\n  <mapping/>\n  <w0>[{numbers}]</w0>\n</metadata>\n", encoding="utf-8")
    return path


def json_of_cameras(path: Path, places: np.ndarray, lenses: np.ndarray) -> Path:
    content: dict[str, Any] = {"intrinsics": {}, "extrinsics": {name: {} for name in SUBJECTS}}
    for camera, (fx, fy, u, v, k1, k2, k3, p1, p2) in zip(CAMERAS, lenses.tolist(), strict=True):
        matrix = [[fx, 0.0, u], [0.0, fy, v], [0.0, 0.0, 1.0]]
        content["intrinsics"][camera] = {"calibration_matrix": matrix, "distortion": [k1, k2, p1, p2, k3]}
    for row, camera in enumerate(CAMERAS):
        for number, subject in enumerate(SUBJECTS):
            rotation = turns(places[row, number, :3])
            shift = -rotation @ places[row, number, 3:, None]
            content["extrinsics"][subject][camera] = {"R": rotation.tolist(), "t": shift.tolist()}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def boxed(path: Path, **members: Any) -> Path:
    """An archive of pickled objects, as NumPy saves dictionaries."""
    np.savez_compressed(path, **{key: np.array(value, dtype=object) for key, value in members.items()})
    return path


def walk(seed: int, frames: int, joints: int) -> np.ndarray:
    """(frames, joints, 3) metres: points of a person's size in a room, Z up."""
    rng = np.random.default_rng(seed)
    body = rng.uniform([-0.4, -0.4, 0.0], [0.4, 0.4, 1.8], (joints, 3))
    return body + rng.normal(0.0, 0.05, (frames, joints, 3)) + rng.uniform(-1, 1, 3) * [1.0, 1.0, 0.0]


def takes(subjects: Mapping[str, tuple[str, ...]], frames: int = 6) -> dict[str, dict[str, np.ndarray]]:
    """Takes of 32 joints by subject, as data_3d_h36m.npz has them."""
    named = [(subject, take) for subject, of in subjects.items() for take in of]
    return {
        subject: {
            take: walk(named.index((subject, take)), frames, 32).astype(np.float32) for take in subjects[subject]
        }
        for subject in subjects
    }


# MPI-INF-3DHP's 28 joints (its mpii_get_joint_set): where the 17 of Human3.6M are, by name; counted from 0.
PLACES_OF_28 = {
    "pelvis": 4, "right_hip": 23, "right_knee": 24, "right_ankle": 25, "left_hip": 18, "left_knee": 19,
    "left_ankle": 20, "spine": 3, "thorax": 5, "nose": 6, "head_top": 7, "left_shoulder": 9, "left_elbow": 10,
    "left_wrist": 11, "right_shoulder": 14, "right_elbow": 15, "right_wrist": 16,
}  # fmt: skip

# Of the 28, the 17 of its test set and of the files for lifters, in that order.
RELEVANT_OF_28 = [7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6]


def person(seed: int, frames: int) -> np.ndarray:
    """(frames, 28, 3) mm before a camera, Y down and Z forward."""
    rng = np.random.default_rng(seed)
    return rng.uniform([-500, -900, 3000], [500, 900, 4000], (frames, 28, 3))


def seen_by(points: np.ndarray, focal: tuple[float, float], centre: tuple[float, float]) -> np.ndarray:
    """Pixels by a lens without distortion."""
    return points[..., :2] / points[..., 2:] * focal + centre


def calibration(path: Path, lenses: Mapping[int, tuple[float, float, float, float]]) -> Path:
    """camera.calibration with lenses (focal lengths, principal point) by number."""
    lines = ["Skeletool Camera Calibration File V1.0"]
    for number, (fx, fy, u, v) in lenses.items():
        matrix = [fx, 0, u, 0, 0, fy, v, 0, 0, 0, 1, 0, 0, 0, 0, 1]
        place = [1, 0, 0, 12.5, 0, 1, 0, -3, 0, 0, 1, 4000, 0, 0, 0, 1]
        lines += [f"name          {number}", "  sensor      10 10", "  size        2048 2048", "  animated    0"]
        lines += [f"  {key}   {' '.join(map(str, row))} " for key, row in (("intrinsic", matrix), ("extrinsic", place))]
        lines += ["  radial      0"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
