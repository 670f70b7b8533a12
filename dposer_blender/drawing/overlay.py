# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's keypoints on one frame as lines and dots over the picture that a camera takes. Needs no Blender."""

from __future__ import annotations

import numpy as np

from ...engine.motion.h36m import JOINTS, PARENTS

LEFT, RIGHT, MIDDLE = (0.337, 0.706, 0.914), (0.902, 0.624, 0.000), (0.950, 0.950, 0.950)
"""sRGB. Sky blue and orange are of the palette of Okabe and Ito, which people with any colour vision tell apart."""
FAINTEST = 0.15  # opacity of what the detector hardly saw
_SIDES = 8  # of a dot

_COLOURS = np.array([LEFT if name.startswith("left_") else RIGHT if name.startswith("right_") else MIDDLE
                     for name in JOINTS])  # fmt: skip
_PASSED = {JOINTS.index(name) for name in ("spine", "nose")}  # many detectors know none, and the trunk is one


def row(count: int, frame: float, start: int, pace: float) -> int | None:
    """Which of ``count`` frames of keypoints a frame of the scene shows; None before the first and after the last.

    Args:
        count: of the keypoints' frames.
        frame: of the scene.
        start: frame of the scene that shows the first of them.
        pace: frames of the keypoints per frame of the scene.
    """
    at = (frame - start) * pace
    nearest = int(np.floor(at + 0.5))
    return nearest if 0 <= nearest < count else None


def placed(shares: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Points (K, 2), in pixels of a region from its bottom left corner.

    Args:
        shares: (K, 2) of the picture's width, to the right, and of its height, downwards.
        corners: (3, 2) in pixels, where the picture has its top left, top right and bottom left corner.
    """
    return corners[0] + shares @ (corners[1:] - corners[0])


def lines(points: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The limbs both of whose ends are seen, the trunk and the neck being one: vertices (2N, 2) and colours (2N, 4).

    Args:
        points: (17, 2).
        confidence: (17,) from 0, not seen, to 1.
    """
    found = []
    for joint, parent in enumerate(PARENTS):
        if parent in _PASSED and not confidence[parent] > 0:
            parent = PARENTS[parent]
        if parent >= 0 and confidence[joint] > 0 and confidence[parent] > 0:
            found.append((parent, joint))
    limbs = np.array(found, dtype=np.intp).reshape(-1, 2)
    ends = limbs.ravel()
    colours = np.concatenate([np.repeat(_COLOURS[limbs[:, 1]], 2, axis=0), opacity(confidence[ends])[:, None]], axis=1)
    return points[ends], colours


def dots(points: np.ndarray, confidence: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """The joints that are seen, as triangles: vertices (3N, 2) and colours (3N, 4)."""
    seen = np.flatnonzero(confidence > 0)
    angles = np.linspace(0.0, 2.0 * np.pi, _SIDES + 1)
    rim = radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    fan = np.stack([np.zeros((_SIDES, 2)), rim[:-1], rim[1:]], axis=1).reshape(-1, 2)
    colours = np.concatenate([_COLOURS[seen], opacity(confidence[seen])[:, None]], axis=1)
    return (points[seen, None] + fan).reshape(-1, 2), np.repeat(colours, len(fan), axis=0)


def opacity(confidence: np.ndarray) -> np.ndarray:
    """Of what was seen with a confidence (...) from 0 to 1."""
    return FAINTEST + (1.0 - FAINTEST) * np.clip(confidence, 0.0, 1.0)
