# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws of a file's heatmaps for the request ``lift``.

They take 35 kB a frame, too much to go to Blender and back. So the answer to ``keypoints`` tells what to ask for, and
``lift`` draws from the file, as ``python -m engine lift`` does.
"""

from __future__ import annotations

import numpy as np

from engine.errors import FileError, MotionError, ProtocolError
from engine.motion import keypoints as files
from engine.motion.intrinsics import FARTHEST_PIXEL
from engine.protocol import Arrays, Header
from engine.requests.keypoint_file import KeypointFile
from engine.requests.parameters import required


def told(file: KeypointFile) -> Header | None:
    """What `drawn` needs to know of a file; None if it holds no heatmaps.

    Raises:
        FileError: as the reader does.
    """
    if not files.holds_heatmaps(file.path):
        return None
    size = None if file.size is None else list(file.size)
    return {"path": str(file.path), "size": size, "layout": file.layout, "state": list(file.state)}


def drawn(heatmaps: object, arrays: Arrays, frames: int, seed: int) -> np.ndarray:
    """Draws (T, N, 17, 2) of heatmaps, in the pixels of a request's keypoints.

    Args:
        heatmaps: as `told`.
        arrays: ``image`` (T, 2, 2), where on each frame the pixels (0, 0) and (1, 1) of the file's images are.
        frames: T.
        seed: of the draws.

    Raises:
        ProtocolError, MotionError: they are not as told. FileError: the file is not there, cannot be read, or has
            changed; what its keypoints were would not go with what is drawn.
    """
    if not isinstance(heatmaps, dict):
        raise ProtocolError("A request to the engine has heatmaps that are no table; reinstall DPoser.")
    image = required(arrays, "image")
    if image.shape != (frames, 2, 2) or image.dtype.kind != "f":
        raise MotionError("Heatmaps need a place of their images for each frame.")
    if not (np.abs(image) <= FARTHEST_PIXEL).all():
        raise MotionError("Images of heatmaps lie outside of what the camera sees; choose another camera.")
    file = KeypointFile.named(heatmaps)
    unchanged = list(file.state) == required(heatmaps, "state")
    found = files.draw(file.path, file.size, file.layout, seed) if unchanged else None
    if found is None or len(found) != frames:
        raise FileError(f"{file.path.name} has changed since it was read; animate from it again.")
    for places, (corner, opposite) in zip(found, image, strict=True):  # all at once would take twice the memory
        places[:] = corner + places * (opposite - corner)
    return found
