# SPDX-License-Identifier: GPL-3.0-or-later
"""Single poses and windows of the splits, as the paper's tables are measured on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import FileError
from engine.training import dataset
from engine.training.dynamics import TEMPLATE_LEG

FPS = 30.0


def _index(folder: Path) -> list[dict[str, Any]]:
    index = folder / "index.json"
    if not index.is_file():
        raise FileError(
            f"There is no index.json in {folder}; name the folder that holds the splits with --data."
        )
    return json.loads(index.read_text())


def split_poses(folder: Path, every: int) -> np.ndarray:
    """Every n-th pose of a split's clips, counted within each clip: (N, 21, 3) axis-angle in radians, no root.

    Raises:
        FileError: the split is not there.
    """
    return np.concatenate([clip[::every] for clip in split_clips(folder)])


def split_clips(folder: Path, shortest: int = 1) -> list[np.ndarray]:
    """The clips of a split at 30 fps with at least so many frames, (T, 21, 3) axis-angle in radians each.

    Clips without real timing (fps 0) are left out where more than one frame is asked for.

    Raises:
        FileError: the split is not there.
    """
    clips = []
    files: dict[str, np.ndarray] = {}
    for entry in _index(folder):
        if entry["length"] < shortest or (shortest > 1 and entry["fps"] != FPS):
            continue
        if entry["file"] not in files:
            with np.load(folder / entry["file"], allow_pickle=False) as members:
                files[entry["file"]] = members["poses"]
        poses = files[entry["file"]][entry["start"] : entry["start"] + entry["length"], 1:22]
        clips.append(dataset.wrap(poses))
    return clips


def moving_clips(folder: Path, shortest: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Clips of a split at 30 fps with at least so many frames: poses (T, 22, 3), and the pelvis' path (T, 3) in metres.

    Paths are scaled to the bundled body's legs, see `engine.training.dynamics.TEMPLATE_LEG`.

    Raises:
        FileError: the split is not there.
    """
    clips = []
    files: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for entry in _index(folder):
        if entry["length"] < shortest or entry["fps"] != FPS:
            continue
        if entry["file"] not in files:
            with np.load(folder / entry["file"], allow_pickle=False) as members:
                files[entry["file"]] = members["poses"], members["trans"]
        poses, path = (a[entry["start"] : entry["start"] + entry["length"]] for a in files[entry["file"]])
        clips.append((poses.astype(np.float64), path * (TEMPLATE_LEG / entry["leg_len"])))
    return clips
