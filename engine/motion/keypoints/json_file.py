# SPDX-License-Identifier: GPL-3.0-or-later
"""People in JSON, one frame or many, as OpenPose, COCO's tools, AlphaPose and scripts around MediaPipe write it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.errors import FileError
from engine.motion import intrinsics
from engine.motion.files import read_json
from engine.motion.intrinsics import number
from engine.motion.keypoints.layouts import LAYOUTS
from engine.motion.keypoints.person_json import LANDMARKS, person_rows
from engine.motion.keypoints.sightings import Sighting, Sightings, Stamp
from engine.motion.motion import MAX_FPS

MAX_BYTES = 256_000_000

_PEOPLE = ("people", "persons", "bodies")
_NUMBER = ("frame", "frame_index", "frame_idx", "frame_id", "frame_number")
_PERSON = ("track_id", "person_id", "idx", "track", "person")
_FPS = ("fps", "frame_rate", "frameRate")
_NORMALISED = ("normalised", "normalized")
_ABOUT = ("video", "image", "meta", "metadata", "info")
"""Tables of a file that may tell of its images."""
_META = frozenset(
    (
        *_NUMBER, *_PERSON, *_FPS, *_NORMALISED, *_ABOUT, "id", "image_id", "file_name", "score", "time", "timestamp",
        "timestamp_ms", "camera", "K", "camera_matrix", "width", "height", "image_width", "image_height", "image_size",
        "layout", "version",
    )
)  # fmt: skip
"""Keys beside points by name that are no points."""


def read(path: Path, layout: str | None = None) -> Sightings:
    """Read a JSON file.

    Args:
        path: the file.
        layout: one of `LAYOUTS`, of numbers in order; None for what the file says, or else for what their count tells.

    Raises:
        FileError: it is no JSON, of none of the known forms, or with numbers out of bounds.
    """
    content = read_json(path, MAX_BYTES, "write the keypoints again, a long video in parts")
    found = Sightings(path.name)
    if isinstance(content, dict):
        _about(found, content)
        layout = layout or _layout(path.name, content)
    order = LAYOUTS[layout] if layout else None
    frames = []
    for stamp, people in _frames(path.name, content):
        found.frame(stamp)  # all are counted before any becomes numbers
        frames.append((stamp, people))
    for stamp, people in frames:
        for entry in people:
            found.landmarks = found.landmarks or _is_landmarks(entry)
            rows = person_rows(path.name, entry, order, _META)
            if rows is not None:
                table = entry if isinstance(entry, dict) else {}
                found.add(Sighting(stamp, rows, _person(table), _identity(table.get("id")), _score(table)))
    if isinstance(content, dict) and isinstance(content.get("images"), list):
        _images(found, content["images"])
    return found


def _about(found: Sightings, content: dict[str, Any]) -> None:
    """What the top of a file tells of its images and its camera."""
    tables = [content, *(content[key] for key in _ABOUT if isinstance(content.get(key), dict))]
    found.camera = intrinsics.parse(found.name, content)
    if isinstance(content.get("camera"), dict):
        tables.append(content["camera"])
    found.size = intrinsics.size_of(found.name, tables)
    for table in tables:
        if found.fps is None and (key := next((key for key in _FPS if key in table), None)):
            fps = number(table[key])
            if fps is None or not 1.0 <= fps <= MAX_FPS:
                raise FileError(f"{found.name} gives a frame rate that is not from 1 to {MAX_FPS:g}; correct {key}.")
            found.fps = fps
        for key in _NORMALISED:
            if isinstance(table.get(key), bool):
                found.normalised = table[key]


def _layout(name: str, content: dict[str, Any]) -> str | None:
    layout = content.get("layout")
    if layout is not None and (not isinstance(layout, str) or layout not in LAYOUTS):
        raise FileError(f"{name} gives a layout that is not known; name one of {', '.join(LAYOUTS)}.")
    return layout


def _frames(name: str, content: Any) -> Iterator[tuple[Stamp, list[Any]]]:
    """Each frame, or each person of a frame, with what stands for the people."""
    if isinstance(content, dict):
        if isinstance(content.get("frames"), list):
            content = content["frames"]
        elif isinstance(content.get("frames"), dict):
            content = [{"image_id": key, "people": _as_people(frame)} for key, frame in content["frames"].items()]
        elif isinstance(content.get("annotations"), list):
            content = content["annotations"]
        elif content and all(_is_crowd(value) for value in content.values()):
            # AlphaPose's forms for OpenPose and for CMU: one object, by image.
            content = [value | {"image_id": key} for key, value in content.items()]
        else:
            content = [content]
    elif not isinstance(content, list):
        raise FileError(f"{name} holds a frame that is no object; write OpenPose, COCO or named keypoints.")
    elif content and _is_landmark(content[0]):
        content = [content]
    for place, frame in enumerate(content):
        yield _stamp(frame, place), _as_people(frame)


def _as_people(frame: Any) -> list[Any]:
    """What stands for each person of a frame."""
    if frame is None:
        return []
    if isinstance(frame, list):
        # Landmarks of one person, or a list of such lists.
        return [frame] if not frame or _is_landmark(frame[0]) else frame
    if isinstance(frame, dict):
        for key in _PEOPLE:
            if isinstance(frame.get(key), list):
                return list(frame[key])
        for key in LANDMARKS:
            value = frame.get(key)
            if isinstance(value, list) and value and not _is_landmark(value[0]):
                return value
    return [frame]


def _is_crowd(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(value.get(key), list) for key in _PEOPLE)


def _is_landmark(value: Any) -> bool:
    """Whether this is a point, and no list of points."""
    if isinstance(value, dict):
        return "x" in value and "y" in value
    return isinstance(value, list) and bool(value) and not isinstance(value[0], dict | list)


def _is_landmarks(entry: Any) -> bool:
    """Whether a person is given as MediaPipe gives people."""
    if isinstance(entry, dict):
        return any(key in entry for key in LANDMARKS)
    return isinstance(entry, list)


def _stamp(frame: Any, place: int) -> Stamp:
    if isinstance(frame, dict):
        for key in _NUMBER:
            value = number(frame.get(key))
            if value is not None and value == int(value) and 0 <= value <= 1e9:
                return Stamp("frame", int(value))
        image = frame.get("image_id")
        if isinstance(image, int | str) and not isinstance(image, bool):
            return Stamp("image", image)
    return Stamp("place", place)


def _person(entry: dict[str, Any]) -> str | None:
    """Who the entry says it is: OpenPose writes [-1] of people whom it does not track."""
    return next((who for key in _PERSON if (who := _identity(entry.get(key))) is not None), None)


def _identity(value: Any) -> str | None:
    for _ in range(2):  # AlphaPose's numbers are in a list, or in a list of one of those it merged
        if isinstance(value, list) and value:
            value = value[0]
    if isinstance(value, str):
        return value
    found = number(value)
    if found is None or found < 0:
        return None
    return str(int(found)) if found == int(found) else str(found)


def _score(entry: dict[str, Any]) -> float | None:
    found = number(entry.get("score"))
    return found if found is not None and found > 0 else None


def _images(found: Sightings, images: list[Any]) -> None:
    """What COCO's table of images tells: images without people, their names and their size."""
    sizes = set()
    names: dict[Stamp, Stamp] = {}
    for image in images:
        if not isinstance(image, dict):
            raise FileError(f"{found.name} has an image that is no object; write id, file_name, width and height.")
        if (size := intrinsics.size_of(found.name, [image])) is not None:
            sizes.add(size)
        if isinstance(image.get("id"), int | str) and not isinstance(image["id"], bool):
            stamp = Stamp("image", image["id"])
            found.frame(stamp)
            called = image.get("file_name")
            names[stamp] = _stamp(image, -1)
            if names[stamp].kind != "frame":
                names[stamp] = Stamp("image", called) if isinstance(called, str) else stamp
    if found.size is None and len(sizes) == 1:
        found.size = sizes.pop()
    found.rename(names)
