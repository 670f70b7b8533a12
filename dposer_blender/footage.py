# SPDX-License-Identifier: GPL-3.0-or-later
"""The keypoints that were last read for each scene; gone when Blender quits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.motion.keypoint_times import sampled
from .by_uid import ByUid

if TYPE_CHECKING:
    from .client import Message

_KEPT = 8  # files may hold many minutes


@dataclass(frozen=True)
class Person:
    """One of the people of a file.

    Attributes:
        id: the file's name of the person, or a number.
        first, last: frames of the file, from which to which it is seen.
        frames: how many show it.
        confidence: the detector's, mean of what is seen, 0 to 1.
    """

    id: str
    first: int
    last: int
    frames: int
    confidence: float


@dataclass(frozen=True)
class Footage:
    """The keypoints of one person on the T frames of a file.

    Attributes:
        path: of the file.
        people: all that are told of, the most certain first.
        person: whose keypoints these are.
        first: the file's number of its first frame.
        fps: frames per second; 0 where the file does not say.
        size: (width, height) of the images in pixels; zeros where nobody says.
        focal: (fx, fy) of the file's camera in pixels, and centre: its principal point; None where it tells of none.
        pixels: (T, 17, 2) float64, u to the right and v down.
        confidence: (T, 17) float64 from 0, not seen, to 1.
        sigma: (T, 17) standard deviations in pixels, NaN where unknown; None where the file has none.
        heatmaps: what the engine is to be told of the file's heatmaps; None where it has none.
    """

    path: str
    people: tuple[Person, ...]
    person: str
    first: int
    fps: float
    size: tuple[int, int]
    focal: tuple[float, float] | None
    centre: tuple[float, float] | None
    pixels: np.ndarray
    confidence: np.ndarray
    sigma: np.ndarray | None
    heatmaps: dict[str, Any] | None

    def __len__(self) -> int:
        return len(self.pixels)

    def at(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Pixels (R, 17, 2), confidence (R, 17) and sigma of frames (R,), from 0, or between them; see `sampled`."""
        return sampled(self.pixels, self.confidence, self.sigma, rows)


def told(path: str, message: Message) -> Footage:
    """What the engine's answer to ``keypoints`` tells of a file."""
    said: dict[str, Any] = message.result
    camera = said["camera"]
    return Footage(
        path=path,
        people=tuple(Person(**person) for person in said["people"]),
        person=said["person"],
        first=said["first"],
        fps=said["fps"] or 0.0,
        size=tuple(said["size"] or (0, 0)),
        focal=tuple(camera["focal"]) if camera else None,
        centre=tuple(camera["centre"]) if camera else None,
        pixels=message.arrays["pixels"],
        confidence=message.arrays["confidence"],
        sigma=message.arrays.get("sigma"),
        heatmaps=said["heatmaps"],
    )


_footage: ByUid[Footage] = ByUid(_KEPT)
remember, recall, forget, forget_all, kept = (
    _footage.keep, _footage.of, _footage.drop, _footage.clear, _footage.items,
)  # fmt: skip
"""Keep, give and drop the keypoints for the scene of a ``session_uid``; drop and list those of all."""
