# SPDX-License-Identifier: GPL-3.0-or-later
"""Places as shares of the image's width and height, as MediaPipe and OpenPose's option give them, to pixels."""

from __future__ import annotations

import numpy as np

from engine.errors import FileError

OUTSIDE = 2.0
"""Shares beyond which half of MediaPipe's landmarks never are, while pixels nearly always are."""


def to_pixels(
    name: str,
    pixels: np.ndarray,
    seen: np.ndarray,
    size: tuple[int, int] | None,
    normalised: bool | None,
    landmarks: bool,
) -> np.ndarray:
    """Pixels (N, K, 2) of places that are pixels already, or shares of the image.

    Where the file does not say, they are shares if all lie within the image's (0, 0) to (1, 1), for no person is one
    pixel large; and MediaPipe's, which may lie outside, if half of them are within `OUTSIDE`.

    Args:
        name: of the file.
        pixels: (N, K, 2).
        seen: (N, K) bool.
        size: (width, height) of the image in pixels.
        normalised: what the file says; None if nothing.
        landmarks: whether they are MediaPipe's.

    Raises:
        FileError: they are shares, and the size is not known; or they lie between -1 and 1, which may be anything.
    """
    found = pixels[seen]
    if normalised is None and len(found) and np.ptp(found, axis=0).any():
        if landmarks:
            normalised = bool(np.median(np.abs(found).max(axis=1)) <= OUTSIDE)
        elif np.abs(found).max() <= 1.0:
            if found.min() < 0:
                raise FileError(f"{name} has places from -1 to 1; write them in pixels, or as shares of the image.")
            normalised = True
    if not normalised:
        return pixels
    if size is None:
        raise FileError(
            f"{name} gives places as shares of the image but not its size; add width and height in pixels."
        )
    return pixels * np.asarray(size, dtype=np.float64)
