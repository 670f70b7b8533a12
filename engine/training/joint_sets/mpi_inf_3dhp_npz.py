# SPDX-License-Identifier: GPL-3.0-or-later
"""MPI-INF-3DHP as P-STMO (Shan et al. 2022) packs it for lifters: ``data_train_3dhp.npz``, ``data_test_3dhp.npz``.

The joints are those of the skeleton of one size, in millimetres and the camera's axes; they do not project to the
pixels, and no file tells a lens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import FileError
from engine.motion import npz
from engine.training.joint_sets import pickled
from engine.training.joint_sets.mpi_inf_3dhp_joints import (
    MILLIMETRES,
    RELEVANT,
    SCENES,
    TRAINING_SIZE,
    in_joints,
    size_of,
)
from engine.training.joint_sets.recording import Recording, recording
from engine.wording import fit

_ADVICE = "download or prepare it again"
_TAKE = re.compile(r"(S\d+) (Seq\d+)")


def read_training(path: Path) -> Iterator[Recording]:
    """Takes one after the other, each by its cameras.

    Raises:
        FileError: the file is missing, damaged or of another layout.
    """
    for name, content in _table(path).items():
        take = _TAKE.fullmatch(str(name))
        views, *rate = content if isinstance(content, list | tuple) and content else (None,)
        if take is None or not isinstance(views, dict):
            raise FileError(f"{path.name} has no cameras for {fit(str(name))}; {_ADVICE}.")
        fps = float(rate[0]) if rate and isinstance(rate[0], int | float) and rate[0] > 0 else None
        for camera, view in views.items():
            points, pixels = _arrays(path, str(name), view)
            yield recording(
                path.name, points, pixels, subject=take[1], take=take[2], camera=fit(str(camera)), size=TRAINING_SIZE,
                lens=None, scene="GS", fps=fps,
            )  # fmt: skip


def read_test(path: Path) -> Iterator[Recording]:
    """The test set's people one after the other, frames that do not count marked as such; activities are not told.

    Raises:
        FileError: the file is missing, damaged or of another layout.
    """
    for name, view in _table(path).items():
        subject = str(name)
        if subject not in SCENES:
            raise FileError(f"{path.name} has {fit(subject)}, who is not of the test set; {_ADVICE}.")
        points, pixels = _arrays(path, subject, view)
        valid = view.get("valid")
        if not isinstance(valid, np.ndarray) or valid.size != len(points):
            raise FileError(f"{path.name} does not tell which frames of {subject} count; {_ADVICE}.")
        yield recording(
            path.name, points, pixels, subject=subject, take=subject, camera="0", scene=SCENES[subject],
            size=size_of(subject), lens=None, valid=valid.ravel() != 0,
        )  # fmt: skip


def _table(path: Path) -> dict[Any, Any]:
    found = pickled.read(path.name, npz.read(path, keys=("data",)), "data")
    if not isinstance(found, dict) or not found:
        raise FileError(f"{path.name} holds no takes by name; {_ADVICE}.")
    return found


def _arrays(path: Path, name: str, view: Any) -> tuple[np.ndarray, np.ndarray]:
    """(T, 17, 3) metres and (T, 17, 2) pixels."""
    found = [view.get(key) for key in ("data_3d", "data_2d")] if isinstance(view, dict) else []
    arrays = [array for array in found if isinstance(array, np.ndarray)]
    if [array.shape[1:] for array in arrays] != [(len(RELEVANT), 3), (len(RELEVANT), 2)]:
        raise FileError(f"{path.name} does not have {len(RELEVANT)} joints in 2D and 3D for {fit(name)}; {_ADVICE}.")
    return in_joints(arrays[0], RELEVANT) / MILLIMETRES, in_joints(arrays[1], RELEVANT)
