# SPDX-License-Identifier: GPL-3.0-or-later
"""``camera.calibration`` of MPI-INF-3DHP: a text of the cameras of one sequence.

After a line that names the format, each camera has a line for its name (a number from 0), for its sensor, the size of
its image, whether it moves, its lens and its place as matrices of four rows, and its radial distortion.
"""

from __future__ import annotations

import math
from pathlib import Path

from engine.errors import FileError
from engine.motion import files
from engine.training.joint_sets.lens import Lens

MAX_BYTES = 1_000_000

_ADVICE = "download it again"


def read(path: Path) -> dict[int, Lens]:
    """The lenses by number of camera; joints of this data set are told in each camera's own axes.

    Raises:
        FileError: the file is missing, no such text, or has a lens that is none.
    """
    content = files.read_bytes(path, MAX_BYTES, _ADVICE).decode("utf-8", "replace")
    lenses: dict[int, Lens] = {}
    told: dict[str, list[str]] = {}
    for line in [*content.splitlines(), "name"]:
        key, *values = line.split() or [""]
        if key == "name" and told:
            number, lens = _lens(path, told)
            lenses[number] = lens
            told = {}
        if key == "name" or told:
            told[key] = values
    if not lenses:
        raise FileError(f"{path.name} has no cameras; {_ADVICE}.")
    return lenses


def _lens(path: Path, told: dict[str, list[str]]) -> tuple[int, Lens]:
    try:
        (name,), (width, height) = told["name"], told["size"]
        matrix = [float(value) for value in told["intrinsic"]]
        (radial,) = (float(value) for value in told.get("radial", ["0"]))
        size = (int(width), int(height))
        number = int(name)
    except (KeyError, ValueError) as error:
        raise FileError(f"{path.name} has a camera that is not told whole; {_ADVICE}.") from error
    if len(matrix) != 16 or not all(map(math.isfinite, matrix)) or min(matrix[0], matrix[5], *size) <= 0:
        raise FileError(f"{path.name} has a lens of camera {number} that is none; {_ADVICE}.")
    if radial:
        raise FileError(f"{path.name} has a lens of camera {number} with distortion, which is not known; {_ADVICE}.")
    return number, Lens((matrix[0], matrix[5]), (matrix[2], matrix[6]), size)
