# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``keypoints``."""

from __future__ import annotations

from engine.errors import ProtocolError
from engine.motion import keypoints as files
from engine.protocol import Arrays, Header
from engine.requests import heatmaps
from engine.requests.keypoint_file import KeypointFile, size_of
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
        ``size`` and ``camera`` (``focal`` [fx, fy], ``centre``), null where the file does not say; ``heatmaps``, what
        ``lift`` is to be told of a file that holds them, null of others; and ``pixels`` (T, 17, 2), ``confidence``
        (T, 17) and, where the file has them, ``sigma`` (T, 17).

    Raises:
        ProtocolError: a parameter is missing or of another type. FileError: as the reader does.
    """
    file, frame, person = KeypointFile.named(params), size_of(params, "frame"), params.get("person")
    if not isinstance(person, str | None):
        raise ProtocolError("A request to the engine names no person; reinstall DPoser.")
    people = files.read(file.path, file.size, file.layout, frame)
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
        "heatmaps": heatmaps.told(file),
    }
    return answer, {"pixels": pixels, "confidence": confidence} | ({} if sigma is None else {"sigma": sigma})
