# SPDX-License-Identifier: GPL-3.0-or-later
"""What a camera makes of directions: focal lengths and principal point, from JSON as people write it.

Accepted, at the top or under ``"camera"``:

* ``{"fx": ..., "fy": ..., "cx": ..., "cy": ...}``; fy is fx and the centre that of the image where they are left out;
* ``{"focal": f or [fx, fy], "centre": [cx, cy]}``;
* a matrix as ``K``, ``camera_matrix``, ``intrinsics`` or ``mtx``: three rows of three, nine numbers, or OpenCV's
  ``{"rows": 3, "cols": 3, "data": [...]}``;
* the image's size as ``width`` and ``height``, ``image_width`` and ``image_height``, or ``image_size`` [width, height].
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import FileError
from engine.motion.files import read_json

MAX_BYTES = 1_000_000
FARTHEST_PIXEL = 1e6
LARGEST_SIDE = 100_000
SKEW = 1e-3  # of the focal length: beyond it, pixels are not upright
STRETCH = 0.01  # by which two images of one camera may differ in their sides' proportion: sizes are whole pixels

_MATRIX = ("K", "camera_matrix", "intrinsics", "intrinsic_matrix", "mtx")
_CENTRE = ("centre", "center", "principal_point")
_DISTORTION = ("dist_coeffs", "dist_coeff", "dist", "distortion", "distortion_coefficients")
_SIDES = (("width", "height"), ("image_width", "image_height"), ("frame_width", "frame_height"))
_SIZE = ("image_size", "resolution", "size")
_ASKED = "write fx, fy, cx and cy in pixels"


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera; pixels count from the image's top left corner, v downwards.

    Attributes:
        focal: (fx, fy) in pixels, positive.
        centre: (cx, cy), the principal point in pixels.
        size: (width, height) of the image in pixels, where known.
        distorted: whether the file tells of lens distortion, which is not modelled.
    """

    focal: tuple[float, float]
    centre: tuple[float, float]
    size: tuple[int, int] | None = None
    distorted: bool = False

    def squared(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) as a camera of this centre whose two focal lengths are fx sees them."""
        stretch = np.array([1.0, self.focal[0] / self.focal[1]])
        return self.centre + (pixels - self.centre) * stretch

    def resized(self, size: tuple[int, int] | None) -> Intrinsics:
        """The camera for the same images in another size (width, height); as it is where either is not known.

        Raises:
            FileError: images of that size are no enlarged or reduced ones of this camera's.
        """
        if size is None or self.size is None or size == self.size:
            return self
        across, down = size[0] / self.size[0], size[1] / self.size[1]
        if abs(across - down) > STRETCH * down:
            raise FileError(
                f"The camera is one of images of {self.size[0]} x {self.size[1]} pixels, and these have {size[0]} x "
                f"{size[1]}; give theirs."
            )
        focal, centre = (self.focal[0] * across, self.focal[1] * down), (self.centre[0] * across, self.centre[1] * down)
        return replace(self, focal=focal, centre=centre, size=size)


def read(path: Path) -> Intrinsics:
    """Read a camera's file.

    Raises:
        FileError: missing, no JSON, without a focal length, or with numbers that no camera has.
    """
    content = read_json(path, MAX_BYTES, _ASKED)
    found = parse(path.name, content) if isinstance(content, dict) else None
    if found is None:
        raise FileError(f"{path.name} holds no camera; {_ASKED}.")
    return found


def parse(name: str, content: dict[str, Any]) -> Intrinsics | None:
    """The camera that a table of a file called ``name`` tells of; None where it tells of none.

    Raises:
        FileError: it tells of one with numbers that no camera has.
    """
    tables = [content["camera"], content] if isinstance(content.get("camera"), dict) else [content]
    for table in tables:
        numbers = _numbers(name, table, size_of(name, tables))
        if numbers is not None:
            fx, fy, cx, cy = numbers
            if not (min(fx, fy) > 0 and max(fx, fy, abs(cx), abs(cy)) <= FARTHEST_PIXEL):
                raise FileError(
                    f"{name} has a camera of which a focal length is not positive or a number is no pixel; correct it."
                )
            distorted = any(_bent(table.get(key)) for key in _DISTORTION)
            return Intrinsics((fx, fy), (cx, cy), size_of(name, tables), distorted)
    return None


def size_of(name: str, tables: Iterable[dict[str, Any]]) -> tuple[int, int] | None:
    """(width, height) in pixels that the first of some tables gives; None where none does.

    Raises:
        FileError: a size is none that images have.
    """
    for table in tables:
        for sides in _SIDES:
            if all(side in table for side in sides):
                return checked_size(name, [table[side] for side in sides])
        for key in _SIZE:
            value = table.get(key)
            if isinstance(value, dict) and {"width", "height"} <= value.keys():
                return checked_size(name, [value["width"], value["height"]])
            if isinstance(value, list) and len(value) == 2:
                return checked_size(name, value)
    return None


def checked_size(name: str, sides: list[Any]) -> tuple[int, int]:
    """Width and height as an image may have them.

    Raises:
        FileError: they are no whole numbers from 1 to `LARGEST_SIDE`.
    """
    width, height = (number(side) for side in sides)
    if width is None or height is None or not all(
        1 <= side <= LARGEST_SIDE and side == int(side) for side in (width, height)
    ):
        raise FileError(f"{name} gives an image size that no image has; write width and height in whole pixels.")
    return int(width), int(height)


def _numbers(name: str, table: dict[str, Any], size: tuple[int, int] | None) -> tuple[float, ...] | None:
    """fx, fy, cx, cy of a table that has any of them."""
    matrix = next((table[key] for key in _MATRIX if isinstance(table.get(key), dict | list)), None)
    if isinstance(matrix, dict) and "data" not in matrix:
        table, matrix = matrix, None
    if matrix is not None:
        return _of_matrix(name, matrix["data"] if isinstance(matrix, dict) else matrix)
    focal: list[Any] = [table[key] for key in ("fx", "fy") if key in table]
    if not focal and "focal" in table:
        focal = table["focal"] if isinstance(table["focal"], list) else [table["focal"]]
    if not focal:
        return None
    centre: list[Any] = [table[key] for key in ("cx", "cy") if key in table]
    if not centre:
        centre = next((table[key] for key in _CENTRE if isinstance(table.get(key), list)), [])
    if not centre and size is not None:
        centre = [size[0] / 2.0, size[1] / 2.0]
    numbers = [number(value) for value in (*focal, *focal)[:2]] + [number(value) for value in centre]
    if len(focal) > 2 or len(centre) != 2 or None in numbers:
        raise FileError(f"{name} has a camera that lacks its numbers; {_ASKED}.")
    return tuple(value for value in numbers if value is not None)


def _of_matrix(name: str, matrix: Any) -> tuple[float, ...]:
    rows = matrix if isinstance(matrix, list) else []
    flat = [value for row in rows for value in (row if isinstance(row, list) else [row])] if len(rows) < 10 else []
    numbers = np.array([math.nan if (found := number(value)) is None else found for value in flat[:10]])
    if len(numbers) != 9 or not np.isfinite(numbers).all():
        raise FileError(f"{name} has a camera matrix that is not three rows of three numbers; correct it.")
    (fx, skew, cx), (below, fy, cy), last = numbers.reshape(3, 3)
    if abs(skew) > SKEW * abs(fx) or below != 0 or last.tolist() != [0.0, 0.0, 1.0]:
        raise FileError(f"{name} has a camera matrix other than [fx 0 cx; 0 fy cy; 0 0 1]; {_ASKED}.")
    return float(fx), float(fy), float(cx), float(cy)


def number(value: Any) -> float | None:
    """A value of JSON, where it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def _bent(value: Any) -> bool:
    """Whether distortion coefficients, nested as may be in a few levels, hold any that is not zero."""
    level = [value["data"]] if isinstance(value, dict) and "data" in value else [value]
    for _ in range(3):
        level = [inner for entry in level for inner in (entry if isinstance(entry, list) else [entry])]
    return any(number(entry) not in (None, 0.0) for entry in level)
