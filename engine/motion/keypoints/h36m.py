# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's points as the seventeen of Human3.6M (Ionescu et al. 2014), with what detectors do not give derived."""

from __future__ import annotations

import numpy as np

from engine.motion.keypoints.layouts import H36M_17, POINTS
from engine.motion.keypoints.tracks import Track

DERIVED = (
    ("pelvis", ("left_hip", "right_hip")),
    ("neck", ("left_shoulder", "right_shoulder")),
)
"""Points that lie in the middle of two others."""


def to_h36m(track: Track) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Pixels (T, 17, 2), confidence (T, 17) and standard deviations (T, 17) in pixels of a track's frames.

    The order is that of `engine.motion.h36m.JOINTS`, the neck being the thorax. Where a frame does not show the pelvis
    or the neck, it is the middle of both hips or of both shoulders, as certain as the less certain of the two, with the
    deviation of a mean of independent points. The spine, which bends, and the crown are there where the detector gives
    them, and are not guessed. Deviations are NaN where a point has none, and None if no point has any.
    """
    pixels, confidence = track.pixels.copy(), track.confidence.copy()
    variance = np.full(confidence.shape, np.nan) if track.sigma is None else track.sigma**2
    for name, parts in DERIVED:
        middle, first, second = (POINTS.index(point) for point in (name, *parts))
        certain = np.minimum(confidence[:, first], confidence[:, second])
        wanted = (confidence[:, middle] == 0) & (certain > 0)
        mean = (pixels[:, first] + pixels[:, second]) / 2.0
        pixels[:, middle] = np.where(wanted[:, None], mean, pixels[:, middle])
        spread = (variance[:, first] + variance[:, second]) / 4.0
        variance[:, middle] = np.where(wanted, spread, variance[:, middle])
        confidence[:, middle] = np.where(wanted, certain, confidence[:, middle])
    order = [POINTS.index(point) for point in H36M_17]
    sigma = None if track.sigma is None else np.sqrt(variance[:, order])
    return pixels[:, order], confidence[:, order], sigma
