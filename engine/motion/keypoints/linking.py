# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is who from frame to frame, where the detector did not follow people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

LONGEST_GAP = 30
"""Frames after which somebody who was not seen is taken for another: one second of most films."""
REACH = 0.5
"""Mean distance of the points to where they are expected, over the person's size, beyond which it is another."""
REACH_PER_FRAME = 0.05
"""How much the reach grows with each frame in which the person is not seen."""
SMALLEST = 8.0
"""Pixels, the least size of a person: of a few points alone it says little."""
MAX_OPEN = 200
"""People who may come back; those not seen for longest are given up first."""
FAR = 2.0
"""Sizes at which a single point is as far as it can be: one that jumps must not outweigh all others."""
FEWEST = 3
"""Points that two sightings must share to be compared point by point; else their middles are."""


@dataclass
class _Open:
    """A person who may be seen again.

    Attributes:
        label: the number.
        frame: of the last sighting.
        pixels: (K, 2) there.
        seen: (K,) bool.
        velocity: (2,) pixels a frame of the whole body.
    """

    label: int
    frame: int
    pixels: np.ndarray
    seen: np.ndarray
    velocity: np.ndarray


def link(frames: np.ndarray, pixels: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(N,) a number for each person, from 0 in the order of first appearance.

    Each frame's sightings are assigned to the people seen before so that the sum of their distances is least (Kuhn
    1955). A distance is the mean of the points' from where the person's last sighting and movement let expect them,
    over the person's size. If no frame has two people, all sightings are one person's: the detector may lose and find
    somebody who has moved far in between.

    Args:
        frames: (N,) frame of each sighting, ascending.
        pixels: (N, K, 2).
        seen: (N, K) bool.
    """
    labels = np.zeros(len(frames), dtype=np.intp)
    starts = np.flatnonzero(np.r_[True, frames[1:] != frames[:-1]]) if len(frames) else np.zeros(0, np.intp)
    if len(starts) == len(frames):
        return labels
    people: list[_Open] = []
    count = 0
    for begin, end in zip(starts, [*starts[1:], len(frames)], strict=True):
        here = range(begin, end)
        frame = int(frames[begin])
        people = sorted((one for one in people if frame - one.frame <= LONGEST_GAP), key=lambda one: -one.frame)
        del people[MAX_OPEN:]
        taken: dict[int, _Open] = {}
        if people:
            costs, reach = _costs(people, frame, pixels[begin:end], seen[begin:end])
            # What is out of reach costs more than all that is within, so that it is never preferred to that.
            far = costs > reach[:, None]
            for row, column in zip(*linear_sum_assignment(np.where(far, 1e6, costs)), strict=True):
                if not far[row, column]:
                    taken[begin + int(column)] = people[row]
        for place in here:
            known = taken.get(place)
            if known is None:
                people.append(_Open(count, frame, pixels[place], seen[place], np.zeros(2)))
                labels[place] = count
                count += 1
            else:
                known.velocity = _moved(known, pixels[place], seen[place]) / (frame - known.frame)
                known.frame, known.pixels, known.seen = frame, pixels[place], seen[place]
                labels[place] = known.label
    return labels


def _costs(
    people: list[_Open], frame: int, pixels: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distances (P, Q) of Q sightings from P people, in their sizes, and how far each person reaches (P,)."""
    gap = np.array([frame - one.frame for one in people], dtype=np.float64)
    last = np.stack([one.pixels for one in people]) + (
        gap[:, None] * np.stack([one.velocity for one in people])
    )[:, None]
    was = np.stack([one.seen for one in people])
    size = np.maximum(sizes(last, was)[:, None], sizes(pixels, seen)[None])
    reach = REACH + REACH_PER_FRAME * (gap - 1.0)
    costs = np.linalg.norm(_middles(last, was)[:, None] - _middles(pixels, seen)[None], axis=-1) / size
    # Point by point only where it may matter: those far apart stay as far as their middles are.
    rows, columns = np.nonzero(costs <= reach[:, None] + FAR)
    both = was[rows] & seen[columns]
    shared = both.sum(axis=-1)
    away = np.linalg.norm(last[rows] - pixels[columns], axis=-1) / size[rows, columns, None]
    away = np.where(both, np.minimum(away, FAR), 0.0).sum(axis=-1) / np.maximum(shared, 1)
    costs[rows, columns] = np.where(shared >= FEWEST, away, costs[rows, columns])
    return costs, reach


def _moved(before: _Open, pixels: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(2,) how far the whole body has moved: the median of the points'."""
    both = before.seen & seen
    if both.sum() < FEWEST:
        return np.zeros(2)
    return np.median(pixels[both] - before.pixels[both], axis=0)


def sizes(pixels: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(N,) the longer side of the box around the points seen."""
    low = np.where(seen[..., None], pixels, np.inf).min(axis=1)
    high = np.where(seen[..., None], pixels, -np.inf).max(axis=1)
    return np.maximum((high - low).max(axis=-1), SMALLEST)


def _middles(pixels: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(N, 2) mean of the points seen."""
    return np.where(seen[..., None], pixels, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)[:, None]
