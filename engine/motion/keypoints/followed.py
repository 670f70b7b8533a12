# SPDX-License-Identifier: GPL-3.0-or-later
"""From sightings to people: by the file's own tracks, or by linking."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np

from engine.errors import FileError
from engine.motion.intrinsics import FARTHEST_PIXEL
from engine.motion.keypoints.image_shares import are_shares
from engine.motion.keypoints.linking import link, sizes
from engine.motion.keypoints.sightings import Sighting, Sightings
from engine.motion.keypoints.tracks import People, Track

TELLING = 0.25
"""Share of the confidence of a sighting's surest point below which a point does not tell who it is: MediaPipe guesses
what it does not see, and that may be somebody else's."""


def follow(
    found: Sightings, size: tuple[int, int] | None, otherwise: tuple[int, int] | None = None
) -> People:
    """The people of a file.

    Args:
        found: what the file holds.
        size: (width, height) of the images in pixels; None for what the file gives.
        otherwise: that size where places are shares of the image and nobody gives it.

    Raises:
        FileError: there are no frames, they are too far apart, or the image's size is needed and not known.
    """
    numbers = found.numbers()
    if not numbers:
        raise FileError(f"{found.name} holds no frames; run the detector again.")
    size = size or found.size or (found.camera.size if found.camera else None)
    first, last = min(numbers.values()), max(numbers.values())
    one_by_one = sorted(found.found, key=lambda sighting: numbers[sighting.stamp])
    tracks: list[Track] = []
    if one_by_one:
        frames = np.array([numbers[sighting.stamp] for sighting in one_by_one], dtype=np.int64)
        table = np.stack([sighting.rows for sighting in one_by_one])
        confidence, sigma = table[..., 2], table[..., 3]
        seen = confidence > 0
        pixels = table[..., :2]
        if are_shares(found.name, pixels, seen, found.normalised, found.landmarks):
            size = size or otherwise
            if size is None:
                raise FileError(
                    f"{found.name} gives places as shares of the image but not its size; add width and height in "
                    "pixels."
                )
            pixels = pixels * np.asarray(size, dtype=np.float64)
        if np.abs(pixels[seen]).max() > FARTHEST_PIXEL:
            raise FileError(f"{found.name} holds a keypoint more than {FARTHEST_PIXEL:.0f} pixels away; correct it.")
        pixels = np.where(seen[..., None], pixels, 0.0)
        scores = np.array([np.nan if one.score is None else one.score for one in one_by_one])
        telling = confidence > TELLING * confidence.max(axis=1, keepdims=True)
        certainty = np.where(np.isfinite(scores), scores, confidence.mean(axis=1)) * sizes(pixels, telling) ** 2
        labels, names = _who(one_by_one, frames, pixels, telling)
        known = bool(np.isfinite(sigma).any())
        order = np.argsort(labels, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
            tracks.append(
                Track(
                    names.get(int(labels[rows[0]]), ""),
                    frames[rows],
                    pixels[rows],
                    confidence[rows],
                    sigma[rows] if known else None,
                    float(certainty[rows].sum()),
                )
            )
    tracks.sort(key=lambda track: -track.certainty)
    camera = None if found.camera is None else found.camera.resized(size)
    return People(found.name, _numbered(tracks), first, last, found.fps, size, camera)


def _who(
    sightings: list[Sighting], frames: np.ndarray, pixels: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, dict[int, str]]:
    """(N,) a number for each person, and the names of those whom the file names; the others are linked.

    Names that two people of one frame have are none: detectors that follow nobody write the same for everybody.
    """
    given = [sighting.person or None for sighting in sightings]
    if not any(name is not None for name in given):
        given = [sighting.entry for sighting in sightings]
        if len(set(given)) == len(sightings) and frames[0] != frames[-1]:
            given = [None] * len(sightings)  # numbers of entries, each of which has its own
    named = [(int(frame), name) for frame, name in zip(frames, given, strict=True) if name is not None]
    if len(set(named)) < len(named):
        given = [None] * len(sightings)
    numbers = {name: i for i, name in enumerate(dict.fromkeys(name for name in given if name is not None))}
    labels = np.array([-1 if name is None else numbers[name] for name in given], dtype=np.intp)
    rest = np.flatnonzero(labels < 0)
    labels[rest] = len(numbers) + link(frames[rest], pixels[rest], seen[rest])
    return labels, {i: name for name, i in numbers.items()}


def _numbered(tracks: list[Track]) -> tuple[Track, ...]:
    """Tracks whose names are missing get the numbers from 1 that no other has."""
    taken = {track.id for track in tracks}
    free = (str(i) for i in count(1) if str(i) not in taken)
    return tuple(track if track.id else replace(track, id=next(free)) for track in tracks)
