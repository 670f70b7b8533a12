# SPDX-License-Identifier: GPL-3.0-or-later
"""Human3.6M (Ionescu et al. 2014) as the scripts h36m-fetch prepare it: ``annot.h5`` in a folder by subject and action.

Each file has the frames of four cameras, with the 32 joints in 2D and in 3D in each camera's axes, in millimetres.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from engine.errors import FileError
from engine.training.joint_sets import hdf5
from engine.training.joint_sets.human36m import FPS, KEPT, TEST, TRAINING, action_of
from engine.training.joint_sets.human36m_cameras import MILLIMETRES, SIZES
from engine.training.joint_sets.lens import Lens
from engine.training.joint_sets.recording import Recording, recording

FILE = "annot.h5"

_ADVICE = "prepare it again"
_IN_3D = ("pose/3d", "pose/3d-univ")
"""True to scale, where the file has that; or of the skeleton of one size that the data set has for everybody."""


def read(folder: Path, subjects: Collection[str] = TRAINING + TEST) -> Iterator[Recording]:
    """Takes one after the other, by subject and action, each by its cameras.

    Args:
        folder: that of the subjects' folders (``processed``).
        subjects: whom to read, in this order.

    Raises:
        PackageError: h5py is not installed. FileError: a file is missing, damaged or of another layout.
    """
    for subject in subjects:
        files = sorted((folder / subject).glob(f"*/{FILE}"))
        if not files:
            raise FileError(f"There is no {FILE} in the folders of {folder.name}/{subject}; {_ADVICE}.")
        for path in files:
            yield from _views(path, subject)


def _views(path: Path, subject: str) -> Iterator[Recording]:
    with hdf5.opened(path) as file:
        stored = hdf5.names(path, file, "pose")
        key = next((key for key in _IN_3D if key.partition("/")[2] in stored), _IN_3D[-1])
        points, pixels = hdf5.array(path, file, key), hdf5.array(path, file, "pose/2d")
        cameras, frames = (hdf5.array(path, file, key) for key in ("camera", "frame"))
        lenses = {name: hdf5.array(path, file, f"intrinsics/{name}") for name in hdf5.names(path, file, "intrinsics")}
    count = len(points) if points.ndim else 0
    if (points.shape, pixels.shape) != ((count, 32, 3), (count, 32, 2)) or {cameras.shape, frames.shape} != {(count,)}:
        raise FileError(f"{path.name} does not have 32 joints in 2D and 3D in every frame; {_ADVICE}.")
    for name, size in SIZES.items():
        rows = np.flatnonzero(cameras == int(name))
        if not len(rows):
            continue
        if name not in lenses or lenses[name].shape != (4,) or not np.isfinite(lenses[name]).all():
            raise FileError(f"{path.name} does not have the lens of camera {name}; {_ADVICE}.")
        across, u, down, v = map(float, lenses[name])
        take = path.parent.name
        in_3d, in_2d = points[rows][:, KEPT] / MILLIMETRES, pixels[rows][:, KEPT]
        yield recording(
            path.name, in_3d, in_2d, subject=subject, action=action_of(take), take=take, camera=name, size=size,
            lens=Lens((across, down), (u, v), size), fps=_rate(frames[rows]),
        )  # fmt: skip


def _rate(frames: np.ndarray) -> float | None:
    """Frames per second, if the numbers of frames of the video are equally far apart."""
    steps = np.unique(np.diff(frames.astype(np.int64)))
    return FPS / float(steps[0]) if len(steps) == 1 and steps[0] > 0 else None


