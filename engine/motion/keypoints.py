# SPDX-License-Identifier: GPL-3.0-or-later
"""2D keypoints of one person from JSON: OpenPose BODY_25, COCO-17, or marks by name.

Accepted content, one frame or many:

* OpenPose (``people`` with ``pose_keypoints_2d`` of 75 numbers): the most confident person of the frame.
* COCO results or annotations (``keypoints`` of 51 numbers), one object or a list of them: the most certain person of
  each image.
* By name: ``{"left_wrist": [u, v, confidence], ...}``; confidence may be left out.
* ``{"frames": [...]}`` or a list of any of these, and a folder of such files, one a frame, in the order of names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import FileError
from engine.motion.files import read_json
from engine.motion.joints import JOINTS
from engine.wording import fit

MARKS: tuple[str, ...] = (*JOINTS, "nose")
"""What a keypoint can be: the body's joints, and the nose."""

MAX_BYTES = 256_000_000
MAX_FRAMES = 100_000
FARTHEST_PIXEL = 1e6

BODY_25: tuple[str | None, ...] = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", *[None] * 10,
)  # fmt: skip
"""OpenPose's BODY_25 (Cao et al. 2019); eyes, ears, toes and heels are no marks."""

COCO_17: tuple[str | None, ...] = (
    "nose", None, None, None, None, "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist",
    "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
"""COCO's person keypoints (Lin et al. 2014)."""


@dataclass(frozen=True)
class Keypoints:
    """Keypoints of one person.

    Attributes:
        pixels: (T, K, 2) float64, u to the right and v down, in the order of `MARKS`; zero where not seen.
        confidence: (T, K) float64 from 0, not seen, to 1.
    """

    pixels: np.ndarray
    confidence: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)


def read(path: Path) -> Keypoints:
    """Read a file, or a folder of one file a frame.

    Raises:
        FileError: missing, no JSON, of none of the known layouts, without frames, or with numbers out of bounds.
    """
    if path.is_dir():
        files = sorted(path.glob("*.json"))
        if not files:
            raise FileError(f"There are no .json files in {path.name}; name another folder.")
    else:
        files = [path]
    frames: list[np.ndarray] = []
    for file in files:
        frames += _frames(file, MAX_FRAMES - len(frames))
    if not frames:
        raise FileError(f"{path.name} holds no frames; run the detector again.")
    table = np.stack(frames)
    return Keypoints(table[..., :2], table[..., 2])


def _frames(path: Path, most: int) -> list[np.ndarray]:
    content = read_json(path, MAX_BYTES, "write the keypoints again, in shorter clips")
    if isinstance(content, dict) and isinstance(content.get("frames"), list):
        content = content["frames"]
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        content = content["annotations"]
    frames = _by_image(content if isinstance(content, list) else [content])
    if len(frames) > most:
        raise FileError(f"{path.name} comes to more than {MAX_FRAMES} frames; cut it into shorter clips.")
    return [_frame(path.name, frame) for frame in frames]


def _by_image(frames: list[Any]) -> list[Any]:
    """One COCO result per image_id, that of the highest score, in the order of first appearance; others as they are."""
    best: dict[Any, Any] = {}
    for place, frame in enumerate(frames):
        image = frame.get("image_id") if isinstance(frame, dict) and "keypoints" in frame else None
        key = ("image", image) if isinstance(image, int | str) else ("place", place)
        if key not in best or _score(frame) > _score(best[key]):
            best[key] = frame
    return list(best.values())


def _score(result: Any) -> float:
    """Of a COCO result; an annotation has none."""
    value = result.get("score") if isinstance(result, dict) else None
    return value if isinstance(value, int | float) else 0.0


def _frame(name: str, frame: Any) -> np.ndarray:
    """(K, 3) pixels and confidence of one frame."""
    if not isinstance(frame, dict):
        raise FileError(f"{name} holds a frame that is no object; write OpenPose, COCO or named keypoints.")
    if isinstance(frame.get("people"), list):
        people = [_row(name, person, "pose_keypoints_2d", BODY_25) for person in frame["people"]]
        return max(people, key=lambda rows: rows[:, 2].sum(), default=np.zeros((len(MARKS), 3)))
    if "keypoints" in frame:
        return _row(name, frame, "keypoints", COCO_17)
    unknown = next((key for key in frame if key not in MARKS), None)
    if unknown is not None:
        raise FileError(f"{name} names a keypoint {fit(unknown)}; name only {', '.join(MARKS)}.")
    rows = np.zeros((len(MARKS), 3))
    for key, value in frame.items():
        if not isinstance(value, list) or len(value) not in (2, 3):
            raise FileError(f"{name} must give {key} as [u, v] or [u, v, confidence]; correct it.")
        rows[MARKS.index(key)] = _numbers(name, [*value, 1.0][:3])
    return _checked(name, rows)


def _row(name: str, holder: Any, key: str, layout: tuple[str | None, ...]) -> np.ndarray:
    """(K, 3) from a flat list of u, v, confidence in a detector's order."""
    flat = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(flat, list) or len(flat) != 3 * len(layout):
        raise FileError(f"{name} needs {3 * len(layout)} numbers in {key}; use BODY_25 or COCO-17 keypoints.")
    given = _numbers(name, flat).reshape(-1, 3)
    rows = np.zeros((len(MARKS), 3))
    for place, mark in enumerate(layout):
        if mark is not None:
            rows[MARKS.index(mark)] = given[place]
    return _checked(name, rows)


def _numbers(name: str, values: list[Any]) -> np.ndarray:
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        raise FileError(f"{name} holds a keypoint that is no number; write the keypoints again.")
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError as error:
        raise FileError(f"{name} holds a number too large for a keypoint; correct it.") from error


def _checked(name: str, rows: np.ndarray) -> np.ndarray:
    if not np.isfinite(rows).all() or (rows[:, 2] < 0).any():
        raise FileError(f"{name} holds a keypoint that is not finite or of negative confidence; correct it.")
    if np.abs(rows[:, :2]).max() > FARTHEST_PIXEL:
        raise FileError(f"{name} holds a keypoint more than {FARTHEST_PIXEL:.0f} pixels away; correct it.")
    rows[:, 2] = rows[:, 2].clip(max=1.0)
    rows[rows[:, 2] == 0] = 0.0
    return rows
