# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``keypoints``."""

from __future__ import annotations

from pathlib import Path

from engine.errors import FileError, ProtocolError
from engine.motion import keypoints as files
from engine.protocol import Arrays, Header
from engine.requests.parameters import required
from engine.requests.rig import Answer
from engine.tasks.steps import OnStep

MOST_TOLD = 100
"""People who are told of."""


def keypoints(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Read a keypoint file: who is in it, and one person's joints. Needs no torch.

    Args:
        params: ``path`` of the file or folder; ``person`` (an id, or null for the most certain), ``size`` (width and
            height of the images in pixels, or null for what the file says), ``frame`` (that of the picture over which
            they lie, for places that are shares of images of no known size, or null), ``layout`` (see
            `engine.motion.keypoints`).
        arrays: none.
        on_step: not told: files are read in seconds.

    Returns:
        ``people`` (for each, the most certain first: ``id``, ``first`` and ``last`` frame, ``frames`` that show it, and
        ``confidence``, the mean of what is seen of it, 0 to 1),
        ``person`` (the id of the one whose joints follow), ``first`` (number of the clip's first frame), ``fps``,
        ``size`` and ``camera`` (``focal`` [fx, fy], ``centre``), null where the file does not say; and ``pixels``
        (T, 17, 2), ``confidence`` (T, 17) and, where the file has them, ``sigma`` (T, 17).

    Raises:
        ProtocolError: a parameter is missing or of another type. FileError: as the reader does.
    """
    path, person, layout = required(params, "path"), params.get("person"), params.get("layout")
    size, frame = _size(params.get("size")), _size(params.get("frame"))
    if not isinstance(path, str) or not all(isinstance(name, str | None) for name in (person, layout)):
        raise ProtocolError("A request to the engine names no file, person or layout; reinstall DPoser.")
    if "\0" in path or not Path(path).exists():
        raise FileError("The keypoint file is not there any more; choose it again.")
    people = files.read(Path(path), size, layout, frame)
    track = people.choose(person)
    pixels, confidence, sigma = files.to_h36m(track)
    view = people.camera
    answer = {
        "people": [
            {
                "id": one.id,
                "first": int(one.frames[0]),
                "last": int(one.frames[-1]),
                "frames": len(one),
                "confidence": float(one.confidence[one.confidence > 0].mean()) if one.confidence.any() else 0.0,
            }
            for one in people.tracks[:MOST_TOLD]
        ],
        "person": track.id,
        "first": people.first,
        "fps": people.fps,
        "size": None if people.size is None else list(people.size),
        "camera": None if view is None else {"focal": list(view.focal), "centre": list(view.centre)},
    }
    return answer, {"pixels": pixels, "confidence": confidence} | ({} if sigma is None else {"sigma": sigma})


def _size(value: object) -> tuple[int, int] | None:
    """Width and height in pixels."""
    if value is None:
        return None
    if not (isinstance(value, list) and len(value) == 2 and all(type(side) is int and side > 0 for side in value)):
        raise ProtocolError("A request to the engine has a size that is no width and height; reinstall DPoser.")
    return value[0], value[1]
