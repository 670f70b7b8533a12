# SPDX-License-Identifier: GPL-3.0-or-later
"""The four cameras of Human3.6M (Ionescu et al. 2014), read from a file of the user's.

Either of two: ``metadata.xml`` of the data set's own code, or ``camera-parameters.json``, which is made of it and is
public. Both have, for each of 11 subjects and 4 cameras, where the camera stands, and the four lenses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from engine.errors import FileError
from engine.motion import files
from engine.training.joint_sets.lens import Lens

SIZES: dict[str, tuple[int, int]] = {
    "54138969": (1000, 1002),
    "55011271": (1000, 1000),
    "58860488": (1000, 1000),
    "60457274": (1000, 1002),
}
"""Width and height of each camera's images, pixels, in the data set's order of cameras."""

MAX_BYTES = 10_000_000
MILLIMETRES = 1000.0

_ADVICE = "name metadata.xml of Human3.6M's code or camera-parameters.json"
_SUBJECTS = 11
_NUMBERS = 6 * _SUBJECTS * len(SIZES) + 9 * len(SIZES)
_W0 = re.compile(rb"<w0>\s*\[([^\]<]{1,20000})\]\s*</w0>")
_FARTHEST = 100.0  # metres


@dataclass(frozen=True)
class Camera:
    """A camera in its room, whose axes are X to the right, Y down, Z forward.

    Attributes:
        rotation: (3, 3) from the room's axes to the camera's.
        shift: (3,) metres: a point p of the room is at rotation @ p + shift.
        lens: its lens.
    """

    rotation: np.ndarray
    shift: np.ndarray
    lens: Lens

    def sees(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) of the room in the camera's axes."""
        return points @ self.rotation.T + self.shift


Cameras = Mapping[tuple[str, str], Camera]
"""(subject, camera) -> where it stands, such as ("S9", "54138969")."""


def read(path: Path) -> Cameras:
    """The cameras of a file.

    Raises:
        FileError: the file is missing, neither of the two, or holds numbers that are no cameras.
    """
    if path.suffix.lower() == ".json":
        content = files.read_json(path, MAX_BYTES, _ADVICE)
        try:
            cameras = _of_json(content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FileError(f"{path.name} does not have Human3.6M's cameras; {_ADVICE}.") from error
    else:
        found = _W0.search(files.read_bytes(path, MAX_BYTES, _ADVICE))
        words = found[1].split() if found else []
        try:
            numbers = np.array([float(word) for word in words])
        except ValueError as error:
            raise FileError(f"{path.name} holds a camera's number that is none; {_ADVICE}.") from error
        if len(numbers) != _NUMBERS:
            raise FileError(f"{path.name} does not have the {_NUMBERS} numbers of Human3.6M's cameras; {_ADVICE}.")
        cameras = _of_numbers(numbers)
    for (subject, name), camera in cameras.items():
        if not _is_one(camera):
            raise FileError(f"{path.name} has numbers for {subject}'s camera {name} that are no camera; {_ADVICE}.")
    return cameras


def _of_numbers(numbers: np.ndarray) -> dict[tuple[str, str], Camera]:
    """Of the 300 numbers of metadata.xml: by camera and subject, three angles and a place in mm; by camera, a lens."""
    places, lenses = np.split(numbers, [6 * _SUBJECTS * len(SIZES)])
    cameras = {}
    by_camera = zip(SIZES.items(), places.reshape(-1, _SUBJECTS, 6), lenses.reshape(-1, 9), strict=True)
    for (name, size), rows, values in by_camera:
        focal, centre, radial, tangential = (tuple(part.tolist()) for part in np.split(values, [2, 4, 7]))
        lens = Lens(focal, centre, size, radial, tangential)
        for number, row in enumerate(rows, 1):
            rotation = Rotation.from_euler("XYZ", row[:3]).as_matrix()
            cameras[f"S{number}", name] = Camera(rotation, -rotation @ row[3:] / MILLIMETRES, lens)
    return cameras


def _of_json(content: Any) -> dict[tuple[str, str], Camera]:
    lenses = {}
    for name, size in SIZES.items():
        told = content["intrinsics"][name]
        matrix = np.array(told["calibration_matrix"], dtype=np.float64)
        k1, k2, p1, p2, k3 = (float(number) for number in told["distortion"])
        (across, _, u), (_, down, v), _ = matrix.tolist()
        lenses[name] = Lens((across, down), (u, v), size, (k1, k2, k3), (p1, p2))
    cameras = {}
    for subject, places in content["extrinsics"].items():
        for name, lens in lenses.items():
            rotation = np.array(places[name]["R"], dtype=np.float64).reshape(3, 3)
            shift = np.array(places[name]["t"], dtype=np.float64).reshape(3) / MILLIMETRES
            cameras[subject, name] = Camera(rotation, shift, lens)
    return cameras


def _is_one(camera: Camera) -> bool:
    """Whether the numbers are finite, the rotation is one, and the rest is of a size that a room has."""
    lens = camera.lens
    numbers = np.array([*lens.focal, *lens.centre, *lens.radial, *lens.tangential, *camera.shift])
    turned = camera.rotation @ camera.rotation.T
    return bool(
        np.isfinite(numbers).all()
        and np.allclose(turned, np.eye(3), atol=1e-4)
        and np.linalg.det(camera.rotation) > 0
        and min(lens.focal) > 0
        and np.abs(camera.shift).max() < _FARTHEST
    )
