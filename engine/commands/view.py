# SPDX-License-Identifier: GPL-3.0-or-later
"""Options about the camera that 2D keypoints were seen by, of the commands that read them."""

from __future__ import annotations

from pathlib import Path

from engine.errors import FileError
from engine.motion import intrinsics
from engine.motion.intrinsics import FARTHEST_PIXEL, Intrinsics
from engine.wording import fit


def camera(text: str) -> Intrinsics:
    """The camera of ``--camera``, FOCAL,CX,CY in pixels or a .json; raises FileError where it is none."""
    if text.lower().endswith(".json"):
        return intrinsics.read(Path(text))
    try:
        focal, across, down = (float(v) for v in text.split(","))
    except ValueError as error:
        raise FileError(
            f"{fit(text)} is no camera; write FOCAL,CX,CY in pixels, or name a .json with fx, fy, cx and cy."
        ) from error
    if not (0 < focal <= FARTHEST_PIXEL and max(abs(across), abs(down)) <= FARTHEST_PIXEL):
        raise FileError("A camera's focal length must be positive and its numbers in pixels; correct --camera.")
    return Intrinsics((focal, focal), (across, down))


def image_size(text: str) -> tuple[int, int]:
    """Width and height of ``--size``; raises FileError where they are none."""
    try:
        width, height = (float(v) for v in text.split(","))
    except ValueError as error:
        raise FileError(f"{fit(text)} is no size of an image; write WIDTH,HEIGHT in pixels.") from error
    return intrinsics.checked_size("--size", [width, height])
