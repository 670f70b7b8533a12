# SPDX-License-Identifier: GPL-3.0-or-later
"""The points of one person in JSON: numbers in a detector's order, landmarks, or points by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.errors import FileError
from engine.motion.intrinsics import number
from engine.motion.keypoints.layouts import BY_COUNT, LAYOUTS, MEDIAPIPE_33, POINTS, places, point
from engine.motion.keypoints.sightings import rows_of
from engine.wording import fit

FLAT = ("pose_keypoints_2d", "pose_keypoints", "keypoints", "joints")
"""Keys of OpenPose, of its first versions, of COCO and of AlphaPose's form for CMU."""
LANDMARKS = ("landmarks", "pose_landmarks", "poseLandmarks", "landmark")
"""Keys under which people write MediaPipe's landmarks; the last is that of its own messages written as JSON."""
CONFIDENCES = ("confidence", "visibility", "score", "likelihood", "conf", "vis", "presence")
"""What confidence is called, the first that there is counts."""
SIGMAS = ("sigma", "std")

Layout = tuple[str | None, ...]


def person_rows(name: str, entry: Any, layout: Layout | None, meta: frozenset[str]) -> np.ndarray | None:
    """(K, 4) rows of a person; None of an entry that says that nobody is there.

    Args:
        name: of the file.
        entry: what stands for the person.
        layout: of numbers in order, where it is known; else their count tells.
        meta: keys that are no points.

    Raises:
        FileError: it is no person in any form that is known.
    """
    if isinstance(entry, list):
        return landmark_rows(name, entry, layout)
    if not isinstance(entry, dict):
        raise FileError(f"{name} holds a frame that is no object; write OpenPose, COCO or named keypoints.")
    for key in LANDMARKS:
        if key in entry:
            value = entry[key]
            return None if value is None else landmark_rows(name, value, layout)
    for key in FLAT:
        if key in entry:
            value = entry[key]
            if isinstance(value, list) and value and isinstance(value[0], dict | list):
                return landmark_rows(name, value, layout)
            return _flat_rows(name, value, key, layout)
    return _named_rows(name, {key: value for key, value in entry.items() if key not in meta})


def landmark_rows(name: str, landmarks: Any, layout: Layout | None = None) -> np.ndarray | None:
    """(K, 4) rows of landmarks: a list of objects or of lists of numbers, or an object of them by name.

    Objects have x, y and perhaps z, visibility and presence; lists x, y, z, visibility, or x, y, visibility.

    Raises:
        FileError: they are no landmarks.
    """
    if isinstance(landmarks, dict) and isinstance(landmarks.get("landmark"), list):
        landmarks = landmarks["landmark"]
    if isinstance(landmarks, dict):
        return _named_rows(name, landmarks)
    if not isinstance(landmarks, list):
        raise FileError(f"{name} holds landmarks that are no list; write x, y and visibility of each.")
    if not landmarks:
        return None
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in landmarks]
    if all(isinstance(text, str) for text in names):
        return _named_rows(
            name, dict(zip(map(str, names), landmarks, strict=True)), twice=len(set(names)) < len(names)
        )
    known = layout or BY_COUNT.get(len(landmarks))
    ids = [entry.get("id", entry.get("index")) if isinstance(entry, dict) else None for entry in landmarks]
    if len(landmarks) < len(MEDIAPIPE_33) and known is None:
        # Some landmarks of the thirty-three, each with its number.
        numbered = [i for i in ids if type(i) is int and 0 <= i < len(MEDIAPIPE_33)]
        if len(set(numbered)) == len(landmarks):
            table = dict(zip(numbered, landmarks, strict=True))
            return _named_rows(name, {MEDIAPIPE_33[i]: entry for i, entry in table.items()})
    if known is None or len(known) != len(landmarks):
        raise FileError(f"{name} has {len(landmarks)} landmarks of a person; write {_counts()} of them.")
    source, target = places(known)
    values = np.stack([_point(name, known[i] or "", landmarks[i]) for i in source])
    return rows_of(name, target, values)


def _flat_rows(name: str, flat: Any, key: str, layout: Layout | None) -> np.ndarray:
    """From a list of u, v, confidence in a detector's order."""
    count = len(flat) / 3 if isinstance(flat, list) else 0
    known = layout or BY_COUNT.get(int(count) if count == int(count) else 0)
    if layout is not None and len(layout) != count:
        raise FileError(f"{name} has {count:g} points in {key}, the chosen layout {len(layout)}; choose another one.")
    if known is None or len(known) != count:
        raise FileError(f"{name} needs u, v, confidence of each point in {key}; write {_counts()} of them.")
    if not all(type(value) in (int, float) for value in flat):
        raise FileError(f"{name} holds a keypoint that is no number; write the keypoints again.")
    try:
        values = np.array(flat, dtype=np.float64).reshape(-1, 3)
    except OverflowError as error:
        raise FileError(f"{name} holds a number too large for a keypoint; correct it.") from error
    source, target = places(known)
    return rows_of(name, target, values[source])


def _named_rows(name: str, entry: dict[str, Any], twice: bool = False) -> np.ndarray | None:
    """From points by name; None if there are none that are read."""
    names = {key: point(key) for key in entry}
    unknown = next((key for key, known in names.items() if known is None), None)
    if unknown is not None:
        raise FileError(f"{name} names a keypoint {fit(unknown)}; name only {', '.join(POINTS)}.")
    if twice or len(set(names.values())) < len(names):
        raise FileError(f"{name} names a keypoint of a person twice; remove one of the two.")
    used = {known: value for key, value in entry.items() if (known := names[key]) in POINTS}
    if not used:
        return None
    target = np.array([POINTS.index(str(known)) for known in used])
    values = np.stack([_point(name, str(known), value, flat=True) for known, value in used.items()])
    return rows_of(name, target, values)


def _point(name: str, known: str, value: Any, flat: bool = False) -> np.ndarray:
    """u, v, confidence and standard deviation (NaN where there is none) of one point.

    Args:
        flat: whether four numbers are u, v, confidence and deviation; else they are x, y, z and visibility.
    """
    if isinstance(value, dict):
        certain = next((value[key] for key in CONFIDENCES if value.get(key) is not None), 1.0)
        parts: list[Any] = [value.get("x", value.get("u")), value.get("y", value.get("v")), certain]
        sigma = next((value[key] for key in SIGMAS if value.get(key) is not None), None)
        if sigma is not None:
            parts.append(sigma)
    elif isinstance(value, list) and 2 <= len(value) <= 4:
        parts = [*value, 1.0][:3] if len(value) == 2 else list(value)
        if len(parts) == 4 and not flat:
            parts = [parts[0], parts[1], parts[3]]
    else:
        raise FileError(
            f"{name} must give {known} as [u, v], [u, v, confidence] or [u, v, confidence, deviation]; correct it."
        )
    found = np.full(4, np.nan)
    for place, part in enumerate(parts):
        if type(part) not in (int, float):
            raise FileError(f"{name} holds a keypoint that is no number; write the keypoints again.")
        if place == 3:
            found[place] = -1.0 if (sigma := number(part)) is None else sigma
            continue
        try:
            found[place] = float(part)
        except OverflowError as error:
            raise FileError(f"{name} holds a number too large for a keypoint; correct it.") from error
    return found


def _counts() -> str:
    """The numbers of points that detectors give, in words."""
    return ", ".join(map(str, sorted(set(map(len, LAYOUTS.values())))[:-1])) + f" or {max(BY_COUNT)}"
