# SPDX-License-Identifier: GPL-3.0-or-later
"""MPI-INF-3DHP (Mehta et al. 2017) as it is distributed.

The training set has ``S1/Seq1/annot.mat`` and ``camera.calibration`` beside it, the test set ``TS1/annot_data.mat``
(MATLAB's version 7.3, which is HDF5). Millimetres, in each camera's own axes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from engine.errors import FileError
from engine.training.joint_sets import hdf5, mat5, mpi_inf_3dhp_cameras
from engine.training.joint_sets.lens import Lens, fitted
from engine.training.joint_sets.mpi_inf_3dhp_joints import (
    ALL,
    MILLIMETRES,
    RELEVANT,
    SCENES,
    TEST,
    TRAINING,
    in_joints,
    size_of,
)
from engine.training.joint_sets.recording import Recording, recording

TAKES: tuple[str, ...] = ("Seq1", "Seq2")

CAMERAS: tuple[int, ...] = (0, 1, 2, 4, 5, 6, 7, 8)
"""The 8 of 14 cameras that lifters are trained on (DiffPose sec. 5), by the data set's numbers."""

FRAMES: dict[tuple[str, str], tuple[int, float]] = {
    ("S1", "Seq1"): (6416, 25.0), ("S1", "Seq2"): (12430, 50.0), ("S2", "Seq1"): (6502, 25.0),
    ("S2", "Seq2"): (6081, 25.0), ("S3", "Seq1"): (12488, 50.0), ("S3", "Seq2"): (12283, 50.0),
    ("S4", "Seq1"): (6171, 25.0), ("S4", "Seq2"): (6675, 25.0), ("S5", "Seq1"): (12820, 50.0),
    ("S5", "Seq2"): (12312, 50.0), ("S6", "Seq1"): (6188, 25.0), ("S6", "Seq2"): (6145, 25.0),
    ("S7", "Seq1"): (6239, 25.0), ("S7", "Seq2"): (6320, 25.0), ("S8", "Seq1"): (6468, 25.0),
    ("S8", "Seq2"): (6054, 25.0),
}  # fmt: skip
"""How many frames of each take have an image, and frames per second (the data set's mpii_get_sequence_info)."""

_ADVICE = "download it again"


def read_training(
    folder: Path, subjects: Collection[str] = TRAINING, cameras: Collection[int] = CAMERAS
) -> Iterator[Recording]:
    """Takes one after the other, each by its cameras; one take's annotations are in memory at a time.

    Args:
        folder: that of the subjects' folders.
        subjects: whom to read, in this order.
        cameras: by which, by number.

    Raises:
        FileError: a file is missing, damaged or of another layout, or lacks a camera.
    """
    for subject in subjects:
        for take in TAKES:
            yield from _training_take(folder / subject / take, subject, take, cameras)


def _training_take(folder: Path, subject: str, take: str, cameras: Collection[int]) -> Iterator[Recording]:
    path = folder / "annot.mat"
    found = mat5.read(path, ("annot2", "annot3", "cameras"))
    lenses = mpi_inf_3dhp_cameras.read(folder / "camera.calibration")
    pixels, points, numbers = (found.get(key) for key in ("annot2", "annot3", "cameras"))
    if not isinstance(pixels, list) or not isinstance(points, list) or not isinstance(numbers, np.ndarray):
        raise FileError(f"{path.name} of {subject} {take} does not have annot2, annot3 and cameras; {_ADVICE}.")
    order = numbers.ravel().astype(np.int64).tolist()
    count, fps = FRAMES.get((subject, take), (None, None))
    for camera in cameras:
        if camera not in order or order.index(camera) >= min(len(pixels), len(points)) or camera not in lenses:
            raise FileError(f"{path.name} of {subject} {take} does not have camera {camera}; {_ADVICE}.")
        place = order.index(camera)
        in_2d, in_3d = (
            _rows(path, f"{subject} {take}", cells[place], sides) for cells, sides in ((pixels, 2), (points, 3))
        )
        yield recording(
            path.name, in_joints(in_3d[:count], ALL) / MILLIMETRES, in_joints(in_2d[:count], ALL), subject=subject,
            take=take, camera=str(camera), size=lenses[camera].size, lens=lenses[camera], scene="GS", fps=fps,
        )  # fmt: skip


def _rows(path: Path, of: str, cell: np.ndarray, sides: int) -> np.ndarray:
    """(T, 28, sides) of a row of numbers a frame."""
    if cell.ndim != 2 or cell.shape[1] != sides * len(ALL):
        raise FileError(f"{path.name} of {of} does not have {len(ALL)} joints in a row; {_ADVICE}.")
    return cell.reshape(len(cell), len(ALL), sides)


def read_test(folder: Path, subjects: Collection[str] = TEST, universal: bool = False) -> Iterator[Recording]:
    """The test set's people one after the other, frames that do not count marked as such.

    Their lens is fitted to joints and pixels, as no file tells it.

    Args:
        folder: that of the subjects' folders.
        subjects: whom to read, in this order.
        universal: give the joints of the skeleton of one size (``univ_annot3``), on which the data set's own evaluation
            is done; they do not project to the pixels. Otherwise those of the person's size (``annot3``).

    Raises:
        PackageError: h5py is not installed. FileError: a file is missing, damaged or of another layout.
    """
    for subject in subjects:
        path = folder / subject / "annot_data.mat"
        with hdf5.opened(path) as file:
            pixels, points = _relevant(path, hdf5.array(path, file, "annot2"), 2), hdf5.array(path, file, "annot3")
            points = _relevant(path, points, 3)
            given = _relevant(path, hdf5.array(path, file, "univ_annot3"), 3) if universal else points
            valid, activity = (hdf5.array(path, file, key).ravel() for key in ("valid_frame", "activity_annotation"))
        if not len(pixels) == len(points) == len(given) == len(valid) == len(activity):
            raise FileError(f"{path.name} of {subject} has parts of different numbers of frames; {_ADVICE}.")
        valid = valid != 0
        yield recording(
            path.name, given, pixels, subject=subject, take=subject, camera="0", scene=SCENES.get(subject, ""),
            size=size_of(subject), lens=_lens(path, subject, points[valid], pixels[valid]), valid=valid,
            activity=_numbers(path, activity),
        )  # fmt: skip


def _relevant(path: Path, found: np.ndarray, sides: int) -> np.ndarray:
    """(T, 17, sides), of metres where they are three; the file has (T, 1, 17, sides)."""
    if found.ndim not in (3, 4) or found.shape[-2:] != (len(RELEVANT), sides) or found.size != len(found) * 17 * sides:
        raise FileError(f"{path.name} does not have {len(RELEVANT)} joints in every frame; {_ADVICE}.")
    joints = in_joints(found.reshape(len(found), len(RELEVANT), sides), RELEVANT)
    return joints / MILLIMETRES if sides == 3 else joints


def _lens(path: Path, subject: str, points: np.ndarray, pixels: np.ndarray) -> Lens:
    try:
        return fitted(points.reshape(-1, 3) * (1.0, -1.0, -1.0), pixels.reshape(-1, 2), size_of(subject))
    except (ValueError, np.linalg.LinAlgError) as error:
        raise FileError(f"{path.name} of {subject} has joints that no lens takes to its pixels; {_ADVICE}.") from error


def _numbers(path: Path, activity: np.ndarray) -> np.ndarray:
    if not np.isin(activity, range(8)).all():
        raise FileError(f"{path.name} has an activity that is none of 1 to 7; {_ADVICE}.")
    return activity.astype(np.int64)
