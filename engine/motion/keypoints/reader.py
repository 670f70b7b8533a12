# SPDX-License-Identifier: GPL-3.0-or-later
"""2D keypoints of people: OpenPose, COCO, Halpe, MediaPipe, Human3.6M's order, or points by name; JSON, CSV, heatmaps.

Accepted content, one frame or many (docs/keypoints.md has examples):

* OpenPose: ``people`` with ``pose_keypoints_2d`` (BODY_25 or COCO), a folder of one file a frame, numbered by its name;
* COCO: results, or annotations with their ``images`` (17 points, or COCO-WholeBody's 133);
* Halpe: AlphaPose's results (26 or 136 points) with ``idx``, and its forms for OpenPose and CMU;
* MediaPipe: 33 landmarks a person, in pixels or as shares of the image, whose size is then needed;
* by name: ``{"left_wrist": [u, v, confidence, sigma], ...}``; confidence and deviation may be left out;
* ``{"frames": [...]}``, or a list of any of these; CSV as `csv_file` tells, heatmaps as `heatmap_file` does.
"""

from __future__ import annotations

from pathlib import Path

from engine.errors import FileError
from engine.motion.keypoints import csv_file, heatmap_file, json_file
from engine.motion.keypoints.followed import follow
from engine.motion.keypoints.layouts import LAYOUTS
from engine.motion.keypoints.sightings import Sightings
from engine.motion.keypoints.tracks import People
from engine.wording import fit


def read(
    path: Path,
    size: tuple[int, int] | None = None,
    layout: str | None = None,
    otherwise: tuple[int, int] | None = None,
) -> People:
    """Read a file, or a folder of JSON files of one frame each.

    Args:
        path: a file that ends in .csv, .tsv or .txt is CSV, one in .npz heatmaps, any other JSON.
        size: (width, height) of the images in pixels, for places that are shares of them; None for what the file says.
        layout: one of `LAYOUTS`, of points in order; None for what the file says, or else their count tells.
        otherwise: the images' size where places are shares of it and nobody gives it.

    Raises:
        FileError: missing, of none of the known forms, without frames, with numbers out of bounds, or with shares of an
            image whose size nobody says.
    """
    if layout is not None and layout not in LAYOUTS:
        raise FileError(f"There is no layout {fit(layout)}; name one of {', '.join(LAYOUTS)}.")
    if path.suffix.lower() == heatmap_file.HEATMAP_ENDING:
        return follow(heatmap_file.read(path, size, layout), size)
    if not path.is_dir():
        reader = csv_file.read if path.suffix.lower() in csv_file.CSV_ENDINGS else json_file.read
        return follow(reader(path, layout), size, otherwise)
    files = sorted(path.glob("*.json"))
    if not files:
        raise FileError(f"There are no .json files in {path.name}; name another folder.")
    found = Sightings(path.name)
    for file in files:
        found.join(json_file.read(file, layout), file.name)
    found.name = path.name
    return follow(found, size, otherwise)
