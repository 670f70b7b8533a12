# SPDX-License-Identifier: GPL-3.0-or-later
"""One person's heatmaps in a NumPy archive (``.npz``), as those who run a detector themselves save them.

Arrays: ``heatmaps`` (T, J, H, W), floats that are not negative or bytes of which 255 is 1, of any sum; ``layout``, the
name of one of `LAYOUTS` (Human3.6M's order by default where J is 17, else as their count tells); ``size`` (2,) of the
images in pixels; ``box`` (T, 4), x, y, width and height in pixels of what each frame's heatmaps cover (the whole image
by default); ``fps``. Frames are read one after the other, so that a file may be larger than memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine import physical_memory
from engine.errors import FileError
from engine.motion import npz, npz_rows
from engine.motion.intrinsics import FARTHEST_PIXEL, checked_size
from engine.motion.keypoints.h36m import DERIVED
from engine.motion.keypoints.heatmaps import drawn, moments, peaks, strongest_mode
from engine.motion.keypoints.layouts import BY_COUNT, H36M_17, LAYOUTS, POINTS, places
from engine.motion.keypoints.sightings import MAX_FRAMES, Sighting, Sightings, Stamp, rows_of
from engine.motion.motion import MAX_FPS
from engine.wording import fit

HEATMAP_ENDING = ".npz"
MAX_CELLS = 1 << 22  # of a frame: seventeen joints of 496 x 496
DRAWS = 256
"""Places of each joint and frame: enough to tell a mode that holds a twentieth, and 35 kB a frame."""

_CELLS_AT_ONCE = 1 << 18
_COPIES = 4  # times that draws are in memory until lifting is done with them
_ADVICE = "save the heatmaps again"


@dataclass(frozen=True)
class _Film:
    """Heatmaps of a file that is open.

    Attributes:
        rows: the heatmaps.
        order: the points that they are of.
        size: (width, height) of the images in pixels, where known.
        corner, cell: (T, 2) pixels, across and down: where a frame's heatmaps begin, and a cell's sides.
        fps: where the file says.
    """

    rows: npz_rows.Rows
    order: tuple[str | None, ...]
    size: tuple[int, int] | None
    corner: np.ndarray
    cell: np.ndarray
    fps: float | None

    @property
    def name(self) -> str:
        """Of the file."""
        return self.rows.archive.name

    @property
    def points(self) -> np.ndarray:
        """Which of `POINTS` the heatmaps of `parts` are."""
        return places(self.order)[1]

    def parts(self) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Frames, and of their `points` what `peaks` tells: shares (B, P, H, W), and peaks (B, P) from 0.

        Raises:
            FileError: a value is negative or not finite.
        """
        source = places(self.order)[0]
        exact = np.float64 if self.rows.dtype.itemsize > 4 else np.float32
        for first, block in self.rows.blocks(max(1, _CELLS_AT_ONCE // math.prod(self.rows.shape[1:]))):
            maps: np.ndarray = block[:, source].astype(exact)
            if not np.isfinite(maps).all() or (maps < 0).any():
                raise FileError(f"{self.name} holds a heatmap that is negative or not finite; save it clipped at 0.")
            shares, largest = peaks(maps)
            yield slice(first, first + len(block)), shares, largest


def holds_heatmaps(path: Path) -> bool:
    """Whether a file is an archive with heatmaps.

    Raises:
        FileError: it is called one, and is none or damaged.
    """
    if path.suffix.lower() != HEATMAP_ENDING or path.is_dir():
        return False
    with npz_rows.opened(path) as archive:
        return "heatmaps" in archive.keys


def read(path: Path, size: tuple[int, int] | None = None, layout: str | None = None) -> Sightings:
    """One person's points: of every heatmap the mean of its strongest mode, its peak, and how wide that mode is.

    Args:
        path: the file.
        size: (width, height) of the images in pixels; None for what the file says.
        layout: one of `LAYOUTS`; None for what the file says.

    Raises:
        FileError: it is no archive of heatmaps, or they are damaged, too many, or of an unknown place.
    """
    with _opened(path, size, layout) as film:
        found = Sightings(path.name, film.fps, film.size, normalised=False)
        full = 255.0 if film.rows.dtype.kind == "u" else 1.0
        for frames, shares, largest in film.parts():
            mean, variance = moments(_strongest(shares))
            mean, variance = (a.reshape(*largest.shape, 2) for a in (mean, variance))
            values = np.zeros((*largest.shape, 4))
            values[..., :2] = film.corner[frames, None] + mean * film.cell[frames, None]
            values[..., 2] = np.minimum(largest / full, 1.0)
            values[..., 3] = np.sqrt((variance * np.square(film.cell[frames, None])).mean(axis=-1))
            values[largest == 0] = (0.0, 0.0, 0.0, np.nan)
            for t, rows in zip(range(frames.start, frames.stop), values, strict=True):
                found.add(Sighting(Stamp("place", t), rows_of(path.name, film.points, rows)))
    return found


def draw(
    path: Path, size: tuple[int, int] | None = None, layout: str | None = None, seed: int = 0, count: int = DRAWS
) -> np.ndarray | None:
    """Places in pixels, (T, N, 17, 2) float32, of Human3.6M's joints as `to_h36m` orders them; None of other files.

    Each joint's are drawn from its heatmap by itself, by the same numbers in every frame. Where there is no heatmap of
    the pelvis or the neck, theirs are the middles of both hips' or both shoulders'. They are 0 where nothing was seen.

    Args:
        path: any keypoint file.
        size, layout: as of `read`.
        seed: of the draws.
        count: N.

    Raises:
        FileError: as `read`, or there is not memory enough for so many.
    """
    if not holds_heatmaps(path):
        return None
    with _opened(path, size, layout) as film:
        total = film.rows.shape[0]
        physical_memory.check(path.name, _COPIES * 8 * total * count * len(H36M_17))
        uniform = np.random.default_rng(seed).random((len(film.points), count, 2))
        found = np.zeros((total, count, len(H36M_17), 2), np.float32)
        order = [POINTS.index(point) for point in H36M_17]
        for frames, shares, largest in film.parts():
            for t in range(frames.start, frames.stop):
                row = t - frames.start
                every = np.zeros((len(POINTS), count, 2))
                seen = np.zeros(len(POINTS), bool)
                for place, point in enumerate(film.points):
                    if largest[row, place] > 0:
                        every[point] = drawn(shares[row, place], uniform[place])
                        seen[point] = True
                for middle, (first, second) in DERIVED:
                    between = [POINTS.index(first), POINTS.index(second)]
                    if not seen[POINTS.index(middle)] and seen[between].all():
                        every[POINTS.index(middle)] = every[between].mean(axis=0)
                        seen[POINTS.index(middle)] = True
                pixels = np.where(seen[:, None, None], film.corner[t] + every * film.cell[t], 0.0)
                found[t] = pixels[order].swapaxes(0, 1)
    return found


def _strongest(shares: np.ndarray) -> np.ndarray:
    """Shares (B, P, H, W) as (B * P, H, W), zero where they are not of the strongest mode."""
    flat = shares.reshape(-1, *shares.shape[2:])
    return np.where(strongest_mode(flat), flat, 0.0)


@contextmanager
def _opened(path: Path, size: tuple[int, int] | None, layout: str | None) -> Iterator[_Film]:
    with npz_rows.opened(path, advice=_ADVICE) as archive:
        rows = archive.rows("heatmaps", "fu")
        if len(rows.shape) != 4 or (rows.dtype.kind == "u" and rows.dtype.itemsize > 1) or not all(rows.shape[1:]):
            raise FileError(f"{path.name} must hold heatmaps (T, J, H, W) of floats or uint8; {_ADVICE}.")
        if rows.shape[0] > MAX_FRAMES:
            raise FileError(f"{path.name} comes to more than {MAX_FRAMES} frames; cut it into shorter clips.")
        if math.prod(rows.shape[1:]) > MAX_CELLS:
            raise FileError(f"{path.name} has more than {MAX_CELLS} cells a frame; make its heatmaps smaller.")
        beside = archive.members(("layout", "size", "box", "fps"))
        order = _order(path.name, beside, layout, rows.shape[1])
        size = size or _size(path.name, beside)
        corner, cell = _boxes(path.name, beside, size, rows.shape)
        yield _Film(rows, order, size, corner, cell, _fps(path.name, beside))


def _order(name: str, members: dict[str, bytes], layout: str | None, count: int) -> tuple[str | None, ...]:
    """The points that the heatmaps are of."""
    if layout is None and "layout" in members:
        found = npz.array(name, members, "layout", "SU", _ADVICE)
        layout = npz.texts(found)[0] if found.size == 1 else ""
        if layout not in LAYOUTS:
            raise FileError(f"{name} gives a layout that is not known; name one of {', '.join(LAYOUTS)}.")
    order = LAYOUTS[layout] if layout else H36M_17 if count == len(H36M_17) else BY_COUNT.get(count)
    if order is None or len(order) != count:
        what = f"the layout {fit(layout)} has {len(order or ())}" if layout else "no layout has so many"
        raise FileError(f"{name} holds heatmaps of {count} joints, and {what}; name one of {', '.join(LAYOUTS)}.")
    return order


def _size(name: str, members: dict[str, bytes]) -> tuple[int, int] | None:
    if "size" not in members:
        return None
    found = _numbers(name, members, "size", (2,))
    return checked_size(name, found.tolist())


def _boxes(
    name: str, members: dict[str, bytes], size: tuple[int, int] | None, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Corner and side of a cell (T, 2) in pixels."""
    frames, _, height, width = shape
    if "box" in members:
        box = _numbers(name, members, "box", (frames, 4))
        if np.abs(box).max(initial=0.0) > FARTHEST_PIXEL / 2.0 or box[:, 2:].min(initial=1.0) < 1.0:
            raise FileError(f"{name} has a box that is no part of an image; give x, y, width and height in pixels.")
    elif size is not None:
        box = np.tile([0.0, 0.0, *size], (frames, 1))
    else:
        raise FileError(
            f"{name} does not say what its heatmaps cover; add size, width and height of the images in pixels, or box."
        )
    return box[:, :2], box[:, 2:] / (width, height)


def _fps(name: str, members: dict[str, bytes]) -> float | None:
    if "fps" not in members:
        return None
    fps = float(_numbers(name, members, "fps", ()))
    if not 1.0 <= fps <= MAX_FPS:
        raise FileError(f"{name} gives a frame rate that is not from 1 to {MAX_FPS:g}; correct fps.")
    return fps


def _numbers(name: str, members: dict[str, bytes], key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Finite numbers of a shape as float64; a single one may be in a list."""
    found = npz.array(name, members, key, advice=_ADVICE)
    if found.shape != shape and not (found.size == 1 and shape == ()):
        raise FileError(f"{name} has {key} of the shape {found.shape}, which must be {shape}; {_ADVICE}.")
    if not np.isfinite(found).all():
        raise FileError(f"{name} has {key} that is not finite; {_ADVICE}.")
    return found.astype(np.float64).reshape(shape)
