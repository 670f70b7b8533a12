# SPDX-License-Identifier: GPL-3.0-or-later
"""2D keypoints of people: what detectors write, who is who, and the points of one person."""

from engine.motion.keypoints.csv_file import CSV_ENDINGS
from engine.motion.keypoints.h36m import to_h36m
from engine.motion.keypoints.heatmap_file import HEATMAP_ENDING, draw, holds_heatmaps
from engine.motion.keypoints.layouts import BODY_25, LAYOUTS, MARKS, POINTS
from engine.motion.keypoints.reader import read
from engine.motion.keypoints.tracks import People, Track

__all__ = [
    "BODY_25",
    "CSV_ENDINGS",
    "HEATMAP_ENDING",
    "LAYOUTS",
    "MARKS",
    "POINTS",
    "People",
    "Track",
    "draw",
    "holds_heatmaps",
    "read",
    "to_h36m",
]
