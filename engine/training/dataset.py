# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses for training: folders of this project's clip files, or of AMASS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from engine.errors import FileError
from engine.motion.amass import to_y_up
from engine.motion.joints import MIRROR

SHARE_ALIKE = "CC BY-SA"


@dataclass(frozen=True)
class PoseSet:
    """Single poses with the performer of each.

    Attributes:
        poses: (N, 21, 3) float32 axis-angle in radians, |angle| <= pi, root left out; (N, 22, 3) with it.
        subjects: (N,) int64, whose pose it is.
    """

    poses: np.ndarray
    subjects: np.ndarray

    def __len__(self) -> int:
        return len(self.poses)

    def subject_weights(self) -> np.ndarray:
        """(N,) sampling probabilities: a subject's share grows with the root of its frames.

        The root sits between one share per frame (two subjects hold half the data) and one share per subject
        (someone seen for ten seconds would weigh as much as someone seen for ten minutes).
        """
        _, inverse, counts = np.unique(self.subjects, return_inverse=True, return_counts=True)
        shares = np.sqrt(counts) / np.sqrt(counts).sum()
        return (shares / counts)[inverse].reshape(len(self.subjects))


def wrap(poses: np.ndarray) -> np.ndarray:
    """Axis-angle (..., 3) with every angle brought to at most pi; float32."""
    flat = Rotation.from_rotvec(np.asarray(poses, np.float64).reshape(-1, 3)).as_rotvec()
    return flat.reshape(poses.shape).astype(np.float32)


def mirror(poses: np.ndarray) -> np.ndarray:
    """Reflect body poses (..., 21, 3) in the YZ plane: sides swap, the x component of the axis stays."""
    order = np.asarray(MIRROR[1:]) - 1
    return poses[..., order, :] * np.asarray([1.0, -1.0, -1.0], poses.dtype)


def load_folder(folder: Path, share_alike: bool = False, root: bool = False) -> PoseSet:
    """Every pose in a folder of clip files.

    Two layouts are read: this project's (``index.json`` beside npz files with ``poses`` (N, 22, 3), Y up), and
    AMASS (any depth of npz files with ``poses`` (N, 156 or more); the first folder level names the subject's set).

    Args:
        folder: where the files are.
        share_alike: take clips under share-alike licences too.
        root: with the root's orientation, Y up.

    Raises:
        FileError: nothing readable in the folder.
    """
    index = folder / "index.json"
    if index.exists():
        return _indexed(folder, json.loads(index.read_text()), share_alike, 0 if root else 1)
    return _amass(folder, root)


def _indexed(folder: Path, index: list[dict], share_alike: bool, first: int) -> PoseSet:
    poses, subjects = [], []
    files: dict[str, np.ndarray] = {}
    for entry in index:
        if not share_alike and SHARE_ALIKE in entry.get("licence", ""):
            continue
        name = entry["file"]
        if name not in files:
            with np.load(folder / name, allow_pickle=False) as data:
                files[name] = data["poses"]
        segment = files[name][entry["start"] : entry["start"] + entry["length"], first:22]
        poses.append(segment)
        subjects.append(np.full(len(segment), int(entry["subject"]), np.int64))
    if not poses:
        raise FileError(
            f"No clips to train on in {folder.name}: its index lists none that the licence choice admits."
        )
    return PoseSet(wrap(np.concatenate(poses)), np.concatenate(subjects))


def _amass(folder: Path, root: bool) -> PoseSet:
    poses, subjects = [], []
    numbers: dict[Path, int] = {}
    for path in sorted(folder.rglob("*.npz")):
        with np.load(path, allow_pickle=False) as data:
            if "poses" not in data.files or data["poses"].ndim != 2 or data["poses"].shape[1] < 66:
                continue
            # As the paper's preparation: the middle 80 % of a sequence, so calibration poses stay out.
            frames = data["poses"]
            middle = frames[len(frames) // 10 : len(frames) - len(frames) // 10, :66].reshape(-1, 22, 3)
        number = numbers.setdefault(path.parent, len(numbers))
        poses.append(to_y_up(middle) if root else middle[:, 1:])
        subjects.append(np.full(len(middle), number, np.int64))
    if not poses:
        raise FileError(
            f"No motion files found in {folder}: expected npz files with 'poses' as AMASS has them."
        )
    return PoseSet(wrap(np.concatenate(poses)), np.concatenate(subjects))


def load(folders: list[Path], share_alike: bool = False, root: bool = False) -> PoseSet:
    """The poses of several folders together; raises FileError as `load_folder` does, which has the arguments."""
    sets = [load_folder(folder, share_alike, root) for folder in folders]
    return PoseSet(np.concatenate([s.poses for s in sets]), np.concatenate([s.subjects for s in sets]))
