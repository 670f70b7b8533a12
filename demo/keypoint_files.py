# SPDX-License-Identifier: GPL-3.0-or-later
"""People's 2D keypoints in the files of detectors, each as its own tool writes it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from demo.body_points import MID_SHOULDERS
from demo.detections import Detections
from engine.motion.keypoints.layouts import BODY_25, COCO_17, H36M_17, HALPE_26, MEDIAPIPE_33

BOX = 0.95  # AlphaPose's confidence in a person's box
HALLUCINATED = 0.04  # MediaPipe's visibility of what it does not see: it places all points nevertheless
WHO = ("Ann", "Bob", "Cleo", "Dan")


def openpose(target: Path, people: list[Detections], size: tuple[int, int], fps: float) -> Path:
    """A folder as ``--write_json`` makes it of BODY_25: a file for each frame, whoever is in it, in no order."""
    order = [MID_SHOULDERS if name == "neck" else name for name in BODY_25]
    empty: dict[str, list[float]] = {
        f"{part}_keypoints_{sides}": []
        for sides in ("2d", "3d")
        for part in ("pose", "face", "hand_left", "hand_right")
        if (part, sides) != ("pose", "2d")
    }
    target.mkdir(parents=True, exist_ok=True)
    for frame in range(len(people[0])):
        found = [
            {"person_id": [-1], "pose_keypoints_2d": _flat(one, order, frame), **empty}
            for one in _from_left(people, frame)
        ]
        name = f"{target.name}_{frame:012}_keypoints.json"
        (target / name).write_text(json.dumps({"version": 1.3, "people": found}), encoding="utf-8")
    return target


def coco(target: Path, people: list[Detections], size: tuple[int, int], fps: float) -> Path:
    """COCO's results: an entry for each person in each image, nobody followed."""
    return _listed(
        target,
        [
            {
                "image_id": frame,
                "category_id": 1,
                "keypoints": _flat(one, COCO_17, frame),
                "score": round(_mean(one, COCO_17, frame), 4),
            }
            for frame in range(len(people[0]))
            for one in _from_left(people, frame)
        ],
    )


def alphapose(target: Path, people: list[Detections], size: tuple[int, int], fps: float) -> Path:
    """AlphaPose's results of a video with Halpe's 26 points and its tracker on; the surest person of a frame first."""
    found: list[dict[str, Any]] = []
    for frame in range(len(people[0])):
        entries = []
        for number, one in enumerate(people, start=1):
            if not one.there[frame]:
                continue
            flat = _flat(one, HALPE_26, frame)
            points = np.array(flat).reshape(-1, 3)
            low, high = points[points[:, 2] > 0, :2].min(axis=0), points[points[:, 2] > 0, :2].max(axis=0)
            sure = points[:, 2]
            entries.append(
                {
                    "image_id": f"{frame}.jpg",
                    "category_id": 1,
                    "keypoints": flat,
                    "score": round(float(sure.mean() + BOX + 1.25 * sure.max()), 4),
                    "box": np.concatenate([low, high - low]).round(2).tolist(),
                    "idx": number,
                }
            )
        found += sorted(entries, key=lambda entry: -entry["score"])
    return _listed(target, found)


def mediapipe(target: Path, people: list[Detections], size: tuple[int, int], fps: float) -> Path:
    """Results of MediaPipe's Pose Landmarker for a video: 33 landmarks as shares of the image, nobody followed.

    Its z is the depth from the hips in units of the image's width, as far as the weak perspective goes.
    """
    frames = []
    for frame in range(len(people[0])):
        landmarks = [_landmarks(one, frame, size) for one in _from_left(people, frame)]
        frames.append({"frame": frame, "timestamp_ms": round(1000 * frame / fps), "pose_landmarks": landmarks})
    about = {"fps": fps, "width": size[0], "height": size[1]}
    target.write_text(json.dumps(about | {"frames": frames}), encoding="utf-8")
    return target


def table(target: Path, people: list[Detections], size: tuple[int, int], fps: float) -> Path:
    """A table with a row for each point, of Human3.6M's seventeen, and how wide their heatmaps are."""
    with target.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("frame", "person", "joint", "x", "y", "confidence", "sigma"))
        for frame in range(len(people[0])):
            for who, one in zip(WHO, people, strict=False):
                for name in H36M_17 if one.there[frame] else ():
                    u, v, sure, sigma = one.of(name)[frame].tolist()
                    if sure > 0:
                        rows.writerow((frame, who, name, f"{u:.2f}", f"{v:.2f}", f"{sure:.4f}", f"{sigma:.2f}"))
    return target


FORMATS: dict[str, tuple[str, Callable[[Path, list[Detections], tuple[int, int], float], Path]]] = {
    "OpenPose BODY_25": ("openpose", openpose),
    "COCO results": ("coco.json", coco),
    "AlphaPose Halpe-26": ("alphapose-results.json", alphapose),
    "MediaPipe Pose": ("mediapipe.json", mediapipe),
    "CSV table": ("table.csv", table),
}
"""The file's usual name, and what writes people into it, seen in images of a size at so many frames a second."""


def _from_left(people: list[Detections], frame: int) -> list[Detections]:
    """Those whom the detector finds, from the left: in the order of their places, not of who they are."""
    there = [one for one in people if one.there[frame]]
    return sorted(there, key=lambda one: float(one.pixels[frame, one.confidence[frame] > 0, 0].mean()))


def _flat(one: Detections, order: tuple[str, ...] | list[str], frame: int) -> list[float]:
    """u, v, confidence of points in an order, all zero where one is missed."""
    rows = np.array([one.of(name)[frame, :3] for name in order])
    rows[rows[:, 2] == 0] = 0.0
    return [round(value, 3) for value in rows.ravel().tolist()]


def _mean(one: Detections, order: tuple[str, ...], frame: int) -> float:
    """The mean confidence of what is seen."""
    sure = np.array([one.of(name)[frame, 2] for name in order])
    return float(sure[sure > 0].mean())


def _landmarks(one: Detections, frame: int, size: tuple[int, int]) -> list[dict[str, float]]:
    """All 33 of a person; what is missed stays where it was last, hardly visible."""
    hips = np.mean([one.ahead_of(f"{side}_hip")[frame] for side in ("left", "right")])
    found = []
    for name in MEDIAPIPE_33:
        rows = one.of(name)
        seen = np.flatnonzero(rows[: frame + 1, 2] > 0)
        u, v, sure, _ = rows[seen[-1] if len(seen) else frame].tolist()
        z = (one.ahead_of(name)[frame] - hips) * one.focal / hips / size[0]
        visible = sure if rows[frame, 2] > 0 else HALLUCINATED
        values = (u / size[0], v / size[1], float(z), visible, max(visible, 0.5))
        found.append(dict(zip(("x", "y", "z", "visibility", "presence"), map(float, np.round(values, 6)), strict=True)))
    return found


def _listed(target: Path, entries: list[dict[str, Any]]) -> Path:
    target.write_text(json.dumps(entries), encoding="utf-8")
    return target
