# SPDX-License-Identifier: GPL-3.0-or-later
"""Places as shares of the image's width and height, as MediaPipe and OpenPose's option give them."""

from __future__ import annotations

import numpy as np

from engine.errors import FileError

OUTSIDE = 2.0
"""Shares beyond which half of MediaPipe's landmarks never are, while pixels nearly always are."""


def are_shares(name: str, places: np.ndarray, seen: np.ndarray, normalised: bool | None, landmarks: bool) -> bool:
    """Whether places (N, K, 2) are shares of the image rather than pixels.

    Where the file does not say, they are shares if all lie within the image's (0, 0) to (1, 1), for no person is one
    pixel large; and MediaPipe's, which may lie outside, if half of them are within `OUTSIDE`.

    Args:
        name: of the file.
        places: (N, K, 2).
        seen: (N, K) bool.
        normalised: what the file says; None if nothing.
        landmarks: whether they are MediaPipe's.

    Raises:
        FileError: they lie between -1 and 1, which may be anything.
    """
    found = places[seen]
    if normalised is not None or not len(found) or not np.ptp(found, axis=0).any():
        return bool(normalised)
    if landmarks:
        return bool(np.median(np.abs(found).max(axis=1)) <= OUTSIDE)
    if np.abs(found).max() > 1.0:
        return False
    if found.min() < 0:
        raise FileError(f"{name} has places from -1 to 1; write them in pixels, or as shares of the image.")
    return True
