# SPDX-License-Identifier: GPL-3.0-or-later
"""Options about the camera that 2D keypoints were seen by, of the commands that read them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import FileError
from engine.motion import extrinsics, intrinsics
from engine.motion.extrinsics import Extrinsics
from engine.motion.intrinsics import FARTHEST_PIXEL, Intrinsics
from engine.wording import fit

if TYPE_CHECKING:
    from engine.motion.keypoints import People

FILM = 36.0  # millimetres, the longer side
USUAL_LENS = 50.0  # millimetres


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


def stand(text: str | None) -> Extrinsics | None:
    """Where the camera of ``--camera`` is, as its .json tells; None where it does not. Raises FileError."""
    return None if text is None or not text.lower().endswith(".json") else extrinsics.read(Path(text))


def seen_through(text: str | None, people: People) -> Intrinsics:
    """The camera of keypoints: given as ``--camera``, the file's, or a usual lens's, which is told on stderr.

    Raises:
        FileError: the camera given is none, or of other images, or there is neither a camera nor a size.
    """
    given = people.camera if text is None else camera(text)
    if given is not None:
        return given.resized(people.size)
    if people.size is None:
        raise FileError(
            f"{people.name} tells neither camera nor image size; add --camera FOCAL,CX,CY or --size WIDTH,HEIGHT."
        )
    width, height = people.size
    focal = USUAL_LENS / FILM * max(width, height)
    print(
        f"{people.name} tells of no camera; taken to be a lens of {USUAL_LENS:g} mm ({focal:.0f} pixels): if it is "
        "not, pass --camera FOCAL,CX,CY.",
        file=sys.stderr,
    )
    return Intrinsics((focal, focal), (width / 2.0, height / 2.0), people.size)


def image_size(text: str) -> tuple[int, int]:
    """Width and height of ``--size``; raises FileError where they are none."""
    try:
        width, height = (float(v) for v in text.split(","))
    except ValueError as error:
        raise FileError(f"{fit(text)} is no size of an image; write WIDTH,HEIGHT in pixels.") from error
    return intrinsics.checked_size("--size", [width, height])
