# SPDX-License-Identifier: GPL-3.0-or-later
"""People as a file tells of them, frame by frame, before anybody knows who is who."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import PurePath

import numpy as np

from engine.errors import FileError
from engine.motion.intrinsics import FARTHEST_PIXEL, Intrinsics
from engine.motion.keypoints.layouts import POINTS

MAX_FRAMES = 100_000
MAX_SIGHTINGS = 400_000  # people times frames
MAX_PEOPLE = 100  # of a frame
SPARSEST = 30
"""Frames for each name that there is, up to which numbers in names count frames: a detector may leave out as many."""
_LARGEST_NUMBER = 1_000_000_000
_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a file calls a frame.

    Attributes:
        kind: "frame": by its number; "image": by the name or number of its image; "place": not at all, so that its
            place in the file counts.
        value: the number or name.
    """

    kind: str
    value: int | str


@dataclass(frozen=True, slots=True)
class Sighting:
    """One person in one frame.

    Attributes:
        stamp: the frame.
        rows: (K, 4) u, v, confidence and standard deviation in pixels (NaN where not given) of `POINTS`.
        person: who the file says it is; None where it does not.
        entry: the entry's own number, which may be a person's or nobody's.
        score: of the whole person; None where not given.
    """

    stamp: Stamp
    rows: np.ndarray
    person: str | None = None
    entry: str | None = None
    score: float | None = None


@dataclass
class Sightings:
    """All people of a file or a folder, as they are found.

    Attributes:
        name: of the file, for sentences.
        fps: frames per second that it gives.
        size: (width, height) of its images that it gives.
        camera: that it gives.
        normalised: whether it says that places are shares of the image; None where it does not.
        landmarks: whether places are MediaPipe's, which are shares of the image and may lie outside it.
        found: the people.
    """

    name: str
    fps: float | None = None
    size: tuple[int, int] | None = None
    camera: Intrinsics | None = None
    normalised: bool | None = None
    landmarks: bool = False
    found: list[Sighting] = field(default_factory=list)
    _stamps: dict[Stamp, None] = field(default_factory=dict)
    _people: dict[Stamp, int] = field(default_factory=dict)

    def frame(self, stamp: Stamp) -> None:
        """Note that there is a frame, whoever is seen in it.

        Raises:
            FileError: there are more than `MAX_FRAMES`.
        """
        self._stamps[stamp] = None
        if len(self._stamps) > MAX_FRAMES:
            raise FileError(f"{self.name} comes to more than {MAX_FRAMES} frames; cut it into shorter clips.")

    def add(self, sighting: Sighting) -> None:
        """Note a person, and the frame; one of whom no point is seen is nobody.

        Raises:
            FileError: there are more people than `MAX_SIGHTINGS`, or than `MAX_PEOPLE` in a frame.
        """
        self.frame(sighting.stamp)
        if not sighting.rows[:, 2].any():
            return
        count = self._people[sighting.stamp] = self._people.get(sighting.stamp, 0) + 1
        if count > MAX_PEOPLE:
            raise FileError(f"{self.name} has more than {MAX_PEOPLE} people in a frame; keep only some of them.")
        if len(self.found) >= MAX_SIGHTINGS:
            raise FileError(f"{self.name} comes to more than {MAX_SIGHTINGS} people; cut it into shorter clips.")
        self.found.append(sighting)

    def join(self, other: Sightings, stamp: str) -> None:
        """Take in what another file of the same folder holds; its frame is called ``stamp`` if it is one without name.

        Raises:
            FileError: as `frame` and `add`.
        """
        single = len(other._stamps) == 1
        names = {
            old: Stamp("image", stamp) if single else Stamp("place", len(self._stamps) + place)
            for place, old in enumerate(old for old in other._stamps if old.kind == "place")
        }
        self.name = other.name
        for old in other._stamps:
            self.frame(names.get(old, old))
        for sighting in other.found:
            self.add(replace(sighting, stamp=names.get(sighting.stamp, sighting.stamp)))
        self.fps = self.fps if other.fps is None else other.fps
        self.size = self.size if other.size is None else other.size
        self.camera = self.camera if other.camera is None else other.camera
        self.normalised = self.normalised if other.normalised is None else other.normalised
        self.landmarks = self.landmarks or other.landmarks

    def rename(self, names: dict[Stamp, Stamp]) -> None:
        """Call frames otherwise, and put those that are named first, in the order of ``names``."""
        order = [*names, *(stamp for stamp in self._stamps if stamp not in names)]
        self._stamps = {names.get(stamp, stamp): None for stamp in order}
        self.found = [replace(one, stamp=names.get(one.stamp, one.stamp)) for one in self.found]

    def numbers(self) -> dict[Stamp, int]:
        """The number of each frame: its own, that in its image's name, or else its place.

        Numbers in names count only if all names have one, each another, and they lie as close as `SPARSEST` says:
        those of pictures out of a large collection do not.

        Raises:
            FileError: the first and the last frame are more than `MAX_FRAMES` apart.
        """
        stamps = list(self._stamps)
        if stamps and all(stamp.kind == "frame" for stamp in stamps):
            given = [int(stamp.value) for stamp in stamps]
            if max(given) - min(given) >= MAX_FRAMES:
                raise FileError(
                    f"{self.name} has frames from {min(given)} to {max(given)}, and {MAX_FRAMES} is the most; cut it "
                    "into shorter clips."
                )
            return dict(zip(stamps, given, strict=True))
        if stamps and all(stamp.kind == "image" for stamp in stamps):
            named = [number_in(stamp.value) for stamp in stamps]
            known = [number for number in named if number is not None]
            if len(set(known)) == len(stamps) and max(known) - min(known) < min(MAX_FRAMES, SPARSEST * len(stamps)):
                return dict(zip(stamps, known, strict=True))
        return {stamp: place for place, stamp in enumerate(stamps)}


def number_in(value: int | str) -> int | None:
    """A frame's number: the last in an image's name, before its ending."""
    if isinstance(value, str):
        digits = _DIGITS.findall(PurePath(value).stem)
        if not digits or len(digits[-1]) > 18:
            return None
        value = int(digits[-1])
    return value if 0 <= value <= _LARGEST_NUMBER else None


def rows_of(name: str, points: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(K, 4) rows of a sighting.

    Args:
        name: of the file.
        points: (P,) which of `POINTS` they are.
        values: (P, 2 to 4) u, v, confidence (1 if there is none) and standard deviation in pixels.

    Raises:
        FileError: a number is not finite, a confidence negative, a deviation not positive, or a pixel too far away.
    """
    rows = np.zeros((len(POINTS), 4))
    rows[:, 3] = np.nan
    given = np.ones((len(values), 3))
    given[:, : min(values.shape[1], 3)] = values[:, :3]
    if not np.isfinite(given).all() or (given[:, 2] < 0).any():
        raise FileError(f"{name} holds a keypoint that is not finite or of negative confidence; correct it.")
    if len(given) and np.abs(given[:, :2]).max() > FARTHEST_PIXEL:
        raise FileError(f"{name} holds a keypoint more than {FARTHEST_PIXEL:.0f} pixels away; correct it.")
    given[:, 2] = given[:, 2].clip(max=1.0)
    given[given[:, 2] == 0] = 0.0
    rows[points, :3] = given
    if values.shape[1] > 3:
        sigma = values[:, 3]
        if (sigma <= 0).any() or (sigma > FARTHEST_PIXEL).any():
            raise FileError(f"{name} holds a standard deviation that is not positive; give it in pixels.")
        rows[points, 3] = np.where(given[:, 2] > 0, sigma, np.nan)
    return rows
