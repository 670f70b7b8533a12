# SPDX-License-Identifier: GPL-3.0-or-later
"""Either data set in any of its formats, told by the names of files, for those who are given one path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from engine.errors import FileError
from engine.training.joint_sets import human36m, human36m_h5, mpi_inf_3dhp, mpi_inf_3dhp_npz
from engine.training.joint_sets.recording import Recording

Part = Literal["training", "test"]

HUMAN36M = "data_3d_h36m.npz"
KEYPOINTS = "data_2d_h36m_{}.npz"
CAMERAS = ("metadata.xml", "camera-parameters.json")
PACKED: dict[Part, str] = {"training": "data_train_3dhp.npz", "test": "data_test_3dhp.npz"}


def read(path: Path, part: Part, keypoints: str = "") -> Iterator[Recording]:
    """The recordings of a data set's training or test part.

    Args:
        path: ``data_3d_h36m.npz``, with the files of cameras and keypoints beside it; ``data_train_3dhp.npz`` or
            ``data_test_3dhp.npz``, with the other beside it; or a folder of subjects: Human3.6M's with ``annot.h5``,
            MPI-INF-3DHP's with ``annot.mat`` or ``annot_data.mat``.
        part: which subjects.
        keypoints: the detector of ``data_2d_h36m_*.npz``, such as "cpn_ft_h36m_dbb"; empty for the true ones, which the
            other formats have alone.

    Raises:
        FileError: there is none of these files, or one is damaged. PackageError: one needs h5py, which is missing.
    """
    if path.name == HUMAN36M:
        subjects = human36m.TRAINING if part == "training" else human36m.TEST
        cameras = next((path.with_name(name) for name in CAMERAS if path.with_name(name).exists()), None)
        if cameras is None:
            raise FileError(f"There is no file of cameras beside {path.name}; put {' or '.join(CAMERAS)} there.")
        detected = path.with_name(KEYPOINTS.format(keypoints)) if keypoints else None
        return human36m.read(path, cameras, detected, subjects)
    if keypoints:
        raise FileError(f"Only {HUMAN36M} has keypoints of detectors beside it, not {path.name}; leave them out.")
    if path.name in PACKED.values():
        reader = mpi_inf_3dhp_npz.read_training if part == "training" else mpi_inf_3dhp_npz.read_test
        return reader(path.with_name(PACKED[part]))
    if any(path.glob(f"S*/*/{human36m_h5.FILE}")):
        return human36m_h5.read(path, human36m.TRAINING if part == "training" else human36m.TEST)
    if part == "training" and any(path.glob("S*/Seq*/annot.mat")):
        return mpi_inf_3dhp.read_training(path)
    if part == "test" and any(path.glob("TS*/annot_data.mat")):
        return mpi_inf_3dhp.read_test(path)
    raise FileError(
        f"{path.name} is no {part} part of Human3.6M or MPI-INF-3DHP; name a file or folder of docs/datasets.md."
    )
