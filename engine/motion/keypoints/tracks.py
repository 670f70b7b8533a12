# SPDX-License-Identifier: GPL-3.0-or-later
"""People followed through a clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.errors import FileError
from engine.motion.intrinsics import Intrinsics
from engine.wording import few, fit


@dataclass(frozen=True)
class Track:
    """One person.

    Attributes:
        id: the file's name of the person, or a number from 1, the most certain first.
        frames: (T,) int64, ascending: where the person is seen, or each frame of a dense track.
        pixels: (T, K, 2) float64, u to the right and v down, of `layouts.POINTS`; zero where not seen.
        confidence: (T, K) float64 from 0, not seen, to 1.
        sigma: (T, K) standard deviation in pixels, NaN where the file gives none; None if it gives none at all.
        certainty: that this is the person who is filmed: the longer and surer detectors see them, and the more of the
            picture they fill, the greater.
    """

    id: str
    frames: np.ndarray
    pixels: np.ndarray
    confidence: np.ndarray
    sigma: np.ndarray | None
    certainty: float

    def __len__(self) -> int:
        return len(self.frames)

    def dense(self, first: int | None = None, last: int | None = None) -> Track:
        """The same with a row for each frame, of confidence 0 where the person is not seen.

        Args:
            first: where it begins; by default where the person is first seen. Frames before it are left out.
            last: its last frame; by default where the person is last seen.
        """
        first = int(self.frames[0]) if first is None else first
        last = int(self.frames[-1]) if last is None else last
        within = (self.frames >= first) & (self.frames <= last)
        rows = self.frames[within] - first
        count, points = max(0, last - first + 1), self.pixels.shape[1]
        pixels, confidence = np.zeros((count, points, 2)), np.zeros((count, points))
        pixels[rows], confidence[rows] = self.pixels[within], self.confidence[within]
        sigma = None
        if self.sigma is not None:
            sigma = np.full((count, points), np.nan)
            sigma[rows] = self.sigma[within]
        frames = np.arange(first, first + count, dtype=np.int64)
        return Track(self.id, frames, pixels, confidence, sigma, self.certainty)


@dataclass(frozen=True)
class People:
    """All people of a clip.

    Attributes:
        name: the file's, for sentences.
        tracks: the most certain first.
        first: number of the clip's first frame, whether anybody is seen there or not.
        last: of its last.
        fps: frames per second, where the file gives them.
        size: (width, height) of the images in pixels, where known.
        camera: where the file gives it.
    """

    name: str
    tracks: tuple[Track, ...]
    first: int
    last: int
    fps: float | None = None
    size: tuple[int, int] | None = None
    camera: Intrinsics | None = None

    def choose(self, who: str | int | None = None) -> Track:
        """A person with a row for each frame from `first` to `last`.

        Args:
            who: the track's id, or, as an int, its place in `tracks`; the most certain by default.

        Raises:
            FileError: there is nobody, or nobody of that name or place.
        """
        if not self.tracks:
            raise FileError(f"Nobody is seen in {self.name}; run the detector again.")
        if who is None:
            track = self.tracks[0]
        elif isinstance(who, int):
            if not 0 <= who < len(self.tracks):
                raise FileError(f"{self.name} has {len(self.tracks)} people; choose a place below that, from 0.")
            track = self.tracks[who]
        else:
            named = [track for track in self.tracks if track.id == who]
            if not named:
                ids = few((track.id for track in self.tracks), 8)
                raise FileError(f"{self.name} has no person {fit(who)}; choose one of {ids}.")
            track = named[0]
        return track.dense(self.first, self.last)
