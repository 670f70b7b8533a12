# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph of oddness over time as vertices and colours. Needs no Blender."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .scale import LEVELS, colours

EDGE = 0.5  # frames by which the graph goes beyond its first and last one
BODY, FOOT = 0.75, 0.15  # opacity of the filled curve at its top and at its foot, in that of the colour


@dataclass(frozen=True)
class View:
    """The part of the time that a region shows.

    Attributes:
        left, right: frames at its left and right border.
        width: of the region, in pixels.
    """

    left: float
    right: float
    width: int

    @property
    def scale(self) -> float:
        """Pixels per frame."""
        return self.width / (self.right - self.left)

    def pixels(self, frames: np.ndarray) -> np.ndarray:
        """Where frames (...) are, in pixels from the left."""
        return (np.asarray(frames, np.float64) - self.left) * self.scale


def outline(frames: np.ndarray, heights: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray]:
    """What of a curve is to be seen: x in pixels (N,) and heights (N,), no more than a few for each pixel.

    Where many frames share a pixel, the highest of them stands for all, so that no peak is lost.

    Args:
        frames: (T,) ascending.
        heights: (T,).
        view: what is shown.
    """
    left, right = view.left - 1.0 / view.scale, view.right + 1.0 / view.scale
    if not len(frames) or frames[0] - EDGE > right or frames[-1] + EDGE < left:
        return np.empty(0), np.empty(0)
    first = max(0, int(np.searchsorted(frames, left)) - 1)
    last = min(len(frames), int(np.searchsorted(frames, right)) + 1)
    x, heights = view.pixels(frames[first:last]), heights[first:last]
    if view.scale < 1.0:
        starts = np.flatnonzero(np.diff(np.floor(x), prepend=-np.inf))
        x, heights = np.floor(x[starts]) + 0.5, np.maximum.reduceat(heights, starts)
    if first == 0:
        x, heights = np.append(x[0] - EDGE * view.scale, x), np.append(heights[0], heights)
    if last == len(frames):
        x, heights = np.append(x, x[-1] + EDGE * view.scale), np.append(heights, heights[-1])
    return x, heights


def crossed(x: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same curve (N,) with points where it crosses the levels of the colours, so that in between they blend."""
    levels = np.array(LEVELS)[:, None]
    rise = np.diff(heights)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (levels - heights[:-1]) / rise
    found, where = np.nonzero((share > 0.0) & (share < 1.0))
    at = x[where] + share[found, where] * (x[where + 1] - x[where])
    order = np.argsort(np.append(x, at), kind="stable")
    return np.append(x, at)[order], np.append(heights, levels[found, 0])[order]


def filled(x: np.ndarray, heights: np.ndarray, base: float, height: float) -> tuple[np.ndarray, np.ndarray]:
    """A strip of triangles below a curve (N,): vertices (2N, 2) in pixels and colours (2N, 4).

    Args:
        x, heights: the curve.
        base: where height 0 is, in pixels from below.
        height: of 1, in pixels.
    """
    vertices = np.stack([np.stack([x, np.full_like(x, base)], -1), np.stack([x, base + height * heights], -1)], 1)
    both = np.repeat(colours(heights)[:, None], 2, axis=1)
    both[:, 0, 3], both[:, 1, 3] = FOOT, BODY
    return vertices.reshape(-1, 2), both.reshape(-1, 4)


def band(x: np.ndarray, heights: np.ndarray, base: float, height: float) -> tuple[np.ndarray, np.ndarray]:
    """As `filled`, where there is no room for heights: the colours alone, in a band of one height."""
    vertices, both = filled(x, np.ones_like(x), base, height)
    both[:] = np.repeat(colours(heights), 2, axis=0)
    return vertices, both


def bars(frames: np.ndarray, view: View) -> np.ndarray:
    """Runs of consecutive frames (T,) as bars (N, 2): left and right border in pixels, of what is to be seen."""
    if not len(frames):
        return np.empty((0, 2))
    starts = np.flatnonzero(np.diff(frames, prepend=-np.inf) > 1.0 + 1e-3)
    ends = np.append(starts[1:], len(frames)) - 1
    found = np.stack([view.pixels(frames[starts] - EDGE), view.pixels(frames[ends] + EDGE)], axis=-1)
    found[:, 1] = np.maximum(found[:, 1], found[:, 0] + 1.0)
    return found[(found[:, 1] > 0.0) & (found[:, 0] < view.width)]
