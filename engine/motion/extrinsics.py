# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a camera stands, from JSON as calibrations write it.

Accepted, at the top or under ``"camera"``, by OpenCV's convention: a point X of the world, in metres, is at R X + t in
the camera's axes, x to the right, y down, z ahead.

* ``"rotation"``, ``R`` or ``rvec``: three rows of three, or Rodrigues' rotation vector in radians;
* ``"translation"``, ``t``, ``T`` or ``tvec``: three numbers, as a row or a column;
* ``"up"``: "y" (the default) or "z", the world's axis that points up.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from engine.errors import FileError
from engine.motion.files import read_json
from engine.motion.intrinsics import MAX_BYTES, number

FARTHEST = 1000.0  # metres: who is farther off has written millimetres
SQUARE = 1e-3  # by which rows of a rotation may fail to be unit and upright

_ROTATION = ("rotation", "R", "rvec")
_TRANSLATION = ("translation", "t", "T", "tvec")
_OURS = np.diag([1.0, -1.0, -1.0])  # from OpenCV's axes of a camera to y up, looking along -z
_Y_UP = {"y": np.eye(3), "z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])}


@dataclass(frozen=True)
class Extrinsics:
    """A camera in a world whose Y is up.

    Attributes:
        turn: of the camera's axes (x to the right, y up, looking along -z) in the world's.
        place: (3,) metres.
    """

    turn: Rotation
    place: np.ndarray


def read(path: Path) -> Extrinsics | None:
    """Read where a camera's file has it; None where it does not tell.

    Raises:
        FileError: missing, no JSON, or with numbers that are no rotation and translation in metres.
    """
    content = read_json(path, MAX_BYTES, "write a rotation and a translation")
    return parse(path.name, content) if isinstance(content, dict) else None


def parse(name: str, content: dict[str, Any]) -> Extrinsics | None:
    """Where a table of a file called ``name`` has the camera; None where it does not tell.

    Raises:
        FileError: its numbers are no rotation and translation in metres.
    """
    for table in [content["camera"], content] if isinstance(content.get("camera"), dict) else [content]:
        rotation, translation = (
            next((table[key] for key in keys if key in table), None) for keys in (_ROTATION, _TRANSLATION)
        )
        if rotation is None and not {"translation", "tvec"} & table.keys():  # "t" alone may be anything
            continue
        turn, shift = _turn(name, rotation), _numbers(translation)
        if len(shift) != 3 or np.abs(shift).max() > FARTHEST:
            raise FileError(f"{name} has no translation of three numbers in metres; correct it.")
        up = table.get("up", "y")
        if up not in ("y", "Y", "z", "Z"):
            raise FileError(f'{name} has a world whose "up" is neither "y" nor "z"; correct it.')
        back = _Y_UP[up.lower()] @ turn.T
        return Extrinsics(Rotation.from_matrix(back @ _OURS), -back @ shift)
    return None


def _turn(name: str, value: Any) -> np.ndarray:
    """The (3, 3) matrix of a rotation."""
    numbers = _numbers(value)
    if len(numbers) == 3:
        return Rotation.from_rotvec(numbers).as_matrix()
    if len(numbers) == 9:
        matrix = numbers.reshape(3, 3)
        if np.abs(matrix @ matrix.T - np.eye(3)).max() < SQUARE and np.linalg.det(matrix) > 0:
            return matrix
    raise FileError(f"{name} has no rotation of three rows of three numbers; correct it.")


def _numbers(value: Any) -> np.ndarray:
    """The numbers of a list, or of a list of lists; none where one is no number, or there are more than nine."""
    rows = value if isinstance(value, list) and len(value) < 10 else []
    flat = [inner for row in rows for inner in (row if isinstance(row, list) else [row])]
    found = [number(entry) for entry in flat[:10]]
    return np.zeros(0) if len(found) > 9 or None in found else np.array(found, np.float64)
