# SPDX-License-Identifier: GPL-3.0-or-later
"""The fewest keys that keep every joint within a tolerance of a motion that has one on every frame.

The channels of a bone's rotation share their key frames, and so do those of its location: together they are a
track. Between two keys each channel is a cubic that is given by values and slopes there (a piecewise cubic
Hermite interpolant), which a Bezier f-curve with handles at thirds shows exactly. The values are those of the
dense motion, and so are the slopes at first. Keys are inserted where the error is worst, as Douglas and Peucker
(1973) do on lines; slopes are turned to fit what lies between; keys that turn out superfluous are removed.

A rotation that is off by an angle moves joints by up to the angle's chord times the bone's reach. As many small
errors add up along a chain, what is kept is measured by forward kinematics, and the limits are tightened where,
and only where, a joint is still too far off.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np

from . import rotations
from .clip import Clip

# How much of the tolerance one track may take up at first. No joint is off by as much as a bone's reach says for
# long, nor do the errors of several bones add up fully: where they do, the limits are tightened.
_SHARE = 1.5
_MARGIN = 0.98  # f-curves are in single precision
_BLOCK = 1 << 15  # bones times frames posed at once
_SWEEPS = 2  # of fitting slopes
_SMALLEST_STEP, _LARGEST_STEP = 0.1, 0.85  # by what a limit is multiplied where a joint is too far off

Steps = Generator[None, None, None]
"""Work in short pieces."""


@dataclass(frozen=True)
class Reduction:
    """Which frames get a key, and how steep the channels are there.

    Attributes:
        rotation_keys, location_keys: (T, J) bool; every frame that does not change counts as a key.
        rotation_slopes: (T, J, 4), location_slopes: (T, J, 3); change per frame, for use on frames with keys.
        error: the farthest that any head or tail of a bone is from the dense motion, on any frame, in mm.
    """

    rotation_keys: np.ndarray
    location_keys: np.ndarray
    rotation_slopes: np.ndarray
    location_slopes: np.ndarray
    error: float


def reduce(
    clip: Clip,
    channels: np.ndarray,
    new_rotations: np.ndarray,
    new_translations: np.ndarray,
    rotations_changed: np.ndarray,
    translations_changed: np.ndarray,
    tolerance: float,
) -> Generator[None, None, Reduction]:
    """Choose the frames that keep a key, in short pieces of work; the generator returns them.

    Args:
        clip: the armature's bones, rotation modes and scale.
        channels: (T, J, 4) the dense rotation channels, in each bone's mode (Eulers: three).
        new_rotations: (T, J, 4) unit quaternions, what the channels show.
        new_translations: (T, J, 3) the dense location channels.
        rotations_changed, translations_changed: (T, J) bool; keys on other frames are not touched.
        tolerance: how far a bone's head or tail may be from the dense motion on whole frames, in millimetres.
            It holds for bones that inherit as new bones do.

    Raises:
        ValueError: the tolerance is not above zero, or a value is not finite.
    """
    if not tolerance > 0:
        raise ValueError("The tolerance must be above zero: give it in millimetres.")
    if not (np.isfinite(channels).all() and np.isfinite(new_translations).all()):
        raise ValueError("A value of the dense motion is not finite: nothing can be kept near it.")
    skeleton = _Skeleton(clip)
    tracks = _Tracks(
        clip, skeleton, channels, new_rotations, new_translations, rotations_changed, translations_changed
    )
    dense = yield from skeleton.points(new_rotations, new_translations)
    errors = np.zeros(dense.shape[:-1])
    limits = np.full(tracks.shape, _SHARE * tolerance)
    yield from tracks.insert(limits, np.ones(tracks.shape, bool))
    yield from tracks.remove(limits)
    for _ in range(_SWEEPS):
        yield from tracks.fit(limits)
        yield from tracks.remove(limits)
    while True:
        stale = yield from tracks.update()
        shown = yield from skeleton.points(tracks.turned[stale], tracks.moved[stale])
        errors[stale] = 1000 * clip.scale * np.linalg.norm(shown - dense[stale], axis=-1)
        error = float(errors.max(initial=0.0))
        if error <= _MARGIN * tolerance:
            return tracks.result(error)
        steps = np.clip(tolerance / np.maximum(errors, 1e-9), _SMALLEST_STEP, _LARGEST_STEP)
        steps = skeleton.gather(np.where(errors > _MARGIN * tolerance, steps, 1.0)).T[tracks.bones]
        limits *= steps
        yield from tracks.insert(limits, steps < 1)
        yield from tracks.remove(limits)


class _Skeleton:
    """The bones at rest, level by level from the roots, so that all frames and bones of a level go at once."""

    def __init__(self, clip: Clip) -> None:
        self.parents = clip.parents
        depth = np.zeros(len(clip.parents), int)
        for j, parent in enumerate(clip.parents):
            depth[j] = depth[parent] + 1 if parent >= 0 else 0
        self.levels = [np.flatnonzero(depth == level) for level in range(depth.max() + 1)]
        above = np.where((clip.parents >= 0)[:, None, None], clip.rest[clip.parents], np.eye(4))
        local = np.linalg.solve(above, clip.rest)
        self.turns, self.offsets = rotations.from_matrices(local[:, :3, :3]), local[:, :3, 3]
        ends = np.concatenate([clip.tails, np.ones((len(clip.tails), 1))], axis=1)
        self.tails = np.linalg.solve(clip.rest, ends[..., None])[:, :3, 0]

    def reach(self) -> np.ndarray:
        """(J,) the longest way along the bones from each bone's head to a head or tail below it."""
        reach = np.linalg.norm(self.tails, axis=-1)
        steps = np.linalg.norm(self.offsets, axis=-1)
        for level in self.levels[:0:-1]:
            np.maximum.at(reach, self.parents[level], reach[level] + steps[level])
        return reach

    def points(self, turned: np.ndarray, moved: np.ndarray) -> Generator[None, None, np.ndarray]:
        """(T, 2, J, 3) where the heads and the tails are, from local rotations (T, J, 4), displacements (T, J, 3)."""
        points = np.empty((len(turned), 2, len(self.parents), 3))
        size = max(1, _BLOCK // len(self.parents))
        for start in range(0, len(turned), size):
            block = slice(start, start + size)
            self._pose(turned[block], moved[block], points[block])
            yield
        return points

    def gather(self, values: np.ndarray) -> np.ndarray:
        """(T, J) the least of ``values`` (T, 2, J) at the points at and below each bone."""
        least = values.min(axis=1).T.copy()
        for level in self.levels[:0:-1]:
            np.minimum.at(least, self.parents[level], least[level])
        return least.T

    def _pose(self, turned: np.ndarray, moved: np.ndarray, points: np.ndarray) -> None:
        whole = np.empty_like(turned)
        for i, level in enumerate(self.levels):
            local = rotations.multiply(self.turns[level], turned[:, level])
            shift = self.offsets[level] + rotations.rotate(self.turns[level], moved[:, level])
            if i:
                above = whole[:, self.parents[level]]
                whole[:, level] = rotations.multiply(above, local)
                points[:, 0, level] = points[:, 0, self.parents[level]] + rotations.rotate(above, shift)
            else:
                whole[:, level], points[:, 0, level] = local, shift
        points[:, 1] = points[:, 0] + rotations.rotate(whole, self.tails)


class _Tracks:
    """N tracks of T frames: what they hold on each frame, and which frames have a key.

    Frames of all tracks are numbered through, track after track, in what follows: a *place* is n * T + t.

    Attributes:
        bones: (N,) the bone of each track; the rotations come first, then the locations.
        shape: N and T.
        turned, moved: (T, J, 4) and (T, J, 3) the rotations and displacements that the keys show, as of `update`.
    """

    def __init__(
        self,
        clip: Clip,
        skeleton: _Skeleton,
        channels: np.ndarray,
        new_rotations: np.ndarray,
        new_translations: np.ndarray,
        rotations_changed: np.ndarray,
        translations_changed: np.ndarray,
    ) -> None:
        turning = np.flatnonzero(rotations_changed.any(axis=0))
        moving = np.flatnonzero(translations_changed.any(axis=0))
        self.bones = np.concatenate([turning, moving])
        self._turning = len(turning)
        self._bones_in_all = len(clip.names)
        self._modes = [clip.modes[j] for j in turning]
        frames = len(channels)
        self.shape = (len(self.bones), frames)
        self._quaternions = np.ascontiguousarray(new_rotations[:, turning].swapaxes(0, 1)).reshape(-1, 4)
        self._values = np.zeros((*self.shape, 4))
        self._values[: len(turning)] = channels[:, turning].swapaxes(0, 1)
        self._values[len(turning) :, :, :3] = new_translations[:, moving].swapaxes(0, 1)
        changed = np.concatenate([rotations_changed[:, turning], translations_changed[:, moving]], axis=1).T
        ends = np.zeros((len(self.bones), 1), bool)
        starts = changed & ~np.concatenate([ends, changed[:, :-1]], axis=1)
        stops = changed & ~np.concatenate([changed[:, 1:], ends], axis=1)
        self._fixed = (~changed | starts | stops).ravel()
        self._keyed = self._fixed.copy()
        self._tried = np.zeros_like(self._keyed)  # keys that cannot go, as long as none is added beside them
        self._stale = ~self._keyed
        self.turned, self.moved = new_rotations.copy(), new_translations.copy()
        self._slopes = _slopes(self._values, starts, stops)
        lever = 1000 * clip.scale * skeleton.reach()[turning]
        self._levers = np.concatenate([lever, np.full(len(moving), 1000 * clip.scale)])
        self._values, self._slopes = self._values.reshape(-1, 4), self._slopes.reshape(-1, 4)

    def insert(self, limits: np.ndarray, todo: np.ndarray) -> Steps:
        """Add keys until each track is within its ``limits`` (N, T) in mm.

        Only segments with a frame in ``todo`` (N, T) are looked at.
        """
        limits = limits.ravel()
        keys, segment = self._segments()
        wanted = np.zeros(len(keys), bool)
        wanted[segment[todo.ravel()]] = True
        places = np.flatnonzero(wanted[segment] & ~self._keyed)
        while len(places):
            left, right = keys[segment[places]], keys[segment[places] + 1]
            ratio = self._error(places, left, right) / limits[places]
            firsts = np.flatnonzero(np.diff(left, prepend=-1))
            worst = np.maximum.reduceat(ratio, firsts)
            counts = np.diff(np.append(firsts, len(places)))
            over = np.repeat(worst > 1, counts)
            candidates = np.flatnonzero(over & (ratio == np.repeat(worst, counts)))
            chosen = candidates[np.diff(left[candidates], prepend=-1) > 0]
            self._keyed[places[chosen]] = self._stale[places[chosen]] = True
            for beside in (left[chosen], right[chosen]):
                self._tried[np.minimum(beside, len(self._tried) - 1)] = False
            places = places[over & ~self._keyed[places]]
            self._stale[places] = True
            keys, segment = self._segments()
            yield

    def remove(self, limits: np.ndarray) -> Steps:
        """Take away keys whose neighbours alone keep the track within its limits, every other one at a time."""
        limits = limits.ravel()
        while True:
            untried = False
            for parity in (0, 1):
                keys = np.flatnonzero(self._keyed)
                loose = np.flatnonzero(~self._fixed[keys] & ~self._tried[keys])
                loose = loose[loose % 2 == parity]
                if not len(loose):
                    continue
                untried = True
                left, right = keys[loose - 1], keys[loose + 1]
                places, group, counts = _between(left, right)
                errors = self._error(places, left[group], right[group])
                good = np.maximum.reduceat(errors / limits[places], np.cumsum(counts) - counts) <= 1
                self._keyed[keys[loose[good]]] = False
                self._tried[keys[loose[~good]]] = True
                self._stale[places[np.repeat(good, counts)]] = True
                yield
            if not untried:
                return

    def fit(self, limits: np.ndarray) -> Steps:
        """Turn the slopes at keys to where the segments on both sides fit best, by least squares.

        Every other key at a time, as the next one's segments depend on its slope; none where that would make
        the worst frame worse.
        """
        limits = limits.ravel()
        for parity in (0, 1):
            keys = np.flatnonzero(self._keyed)
            loose = np.flatnonzero(~self._fixed[keys])
            loose = loose[loose % 2 == parity]
            if not len(loose):
                continue
            middle = keys[loose]
            places, group, counts = _between(keys[loose - 1], keys[loose + 1])
            own = np.flatnonzero(places != middle[group])  # the key itself is where it should be
            places, group = places[own], group[own]
            before = places < middle[group]
            left = np.where(before, keys[loose - 1][group], middle[group])
            right = np.where(before, middle[group], keys[loose + 1][group])
            length = right - left
            u = (places - left) / length
            basis = length * u * (1 - u) * np.where(before, -u, 1 - u)
            wanted = self._values[places] - self._evaluate(places, left, right)
            starts = np.append(0, np.cumsum(counts - 1)[:-1])
            some = counts > 1
            starts = starts[some]
            if not len(starts):
                continue
            worst = np.maximum.reduceat(self._error(places, left, right) / limits[places], starts)
            change = np.add.reduceat(basis[:, None] * wanted, starts) / np.add.reduceat(basis**2, starts)[:, None]
            middle = middle[some]
            self._slopes[middle] += change
            better = np.maximum.reduceat(self._error(places, left, right) / limits[places], starts) < worst
            self._slopes[middle[~better]] -= change[~better]
            self._stale[places[np.repeat(better, counts[some] - 1)]] = True
            for beside in (keys[loose - 1], keys[loose + 1]):
                self._tried[beside[some][better]] = False
            yield

    def update(self) -> Generator[None, None, np.ndarray]:
        """Bring ``turned`` and ``moved`` up to date; gives the frames (F,) where they may have changed."""
        keys, segment = self._segments()
        stale = np.flatnonzero(self._stale)
        left, right = keys[segment[stale]], keys[segment[stale] + 1]
        for n, here in self._by_track(stale):
            values = self._evaluate(stale[here], left[here], right[here])
            frames, bone = stale[here] - n * self.shape[1], self.bones[n]
            if n < self._turning:
                self.turned[frames, bone] = self._quaternion(n, values)
            else:
                self.moved[frames, bone] = values[:, :3]
            yield
        frames = np.flatnonzero(self._stale.reshape(self.shape).any(axis=0))
        self._stale[:] = False
        return frames

    def result(self, error: float) -> Reduction:
        """The keys, by bone."""
        frames, count = self.shape[1], self._bones_in_all
        keyed, slopes = self._keyed.reshape(self.shape).T, self._slopes.reshape(*self.shape, 4).swapaxes(0, 1)
        turning, moving = self.bones[: self._turning], self.bones[self._turning :]
        rotation_keys, location_keys = np.ones((frames, count), bool), np.ones((frames, count), bool)
        rotation_slopes, location_slopes = np.zeros((frames, count, 4)), np.zeros((frames, count, 3))
        rotation_keys[:, turning], location_keys[:, moving] = keyed[:, : len(turning)], keyed[:, len(turning) :]
        rotation_slopes[:, turning] = slopes[:, : len(turning)]
        location_slopes[:, moving] = slopes[:, len(turning) :, :3]
        return Reduction(rotation_keys, location_keys, rotation_slopes, location_slopes, error)

    def _segments(self) -> tuple[np.ndarray, np.ndarray]:
        """Places of all keys, one past the end added, and for each place which key is at or before it."""
        return np.append(np.flatnonzero(self._keyed), len(self._keyed)), np.cumsum(self._keyed) - 1

    def _by_track(self, places: np.ndarray) -> Iterator[tuple[int, slice]]:
        """Each track that has some of the ascending places, and which these are."""
        bounds = np.searchsorted(places, np.arange(self.shape[0] + 1) * self.shape[1])
        for n in np.flatnonzero(np.diff(bounds)).tolist():
            yield n, slice(bounds[n], bounds[n + 1])

    def _quaternion(self, n: int, values: np.ndarray) -> np.ndarray:
        """What channels (M, 4) of a rotation's track show (M, 4)."""
        return rotations.to_quaternions(values[:, : rotations.channels(self._modes[n])[1]], self._modes[n])

    def _evaluate(self, places: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Channels (M, 4) at places (M,) between the keys at ``left`` and ``right``."""
        length = (right - left)[:, None]
        u = (places - left)[:, None] / length
        right = np.minimum(right, len(self._keyed) - 1)
        begin, end = self._values[left], self._values[right]
        rise, out, into = end - begin, length * self._slopes[left], length * self._slopes[right]
        return begin + u * (out + u * (3 * rise - 2 * out - into + u * (out + into - 2 * rise)))

    def _error(self, places: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(M,) how far the track by itself may move a point off, in mm, at ascending places between two keys."""
        errors = np.empty(len(places))
        for n, here in self._by_track(places):
            values = self._evaluate(places[here], left[here], right[here])
            if n < self._turning:
                cosine = (self._quaternion(n, values) * self._quaternions[places[here]]).sum(axis=-1)
                errors[here] = 2 * self._levers[n] * np.sqrt(np.maximum(0.0, 1.0 - cosine * cosine))
            else:
                errors[here] = self._levers[n] * np.linalg.norm(values - self._values[places[here]], axis=-1)
        return errors


def _between(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All places strictly between each left and right, which pair each belongs to, and how many each pair has."""
    counts = right - left - 1
    group = np.repeat(np.arange(len(left)), counts)
    return np.arange(counts.sum()) + (left + 1 - (np.cumsum(counts) - counts))[group], group, counts


def _slopes(values: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """(N, T, C) central differences of (N, T, C); one-sided where a run of changed frames starts or stops."""
    forward = np.zeros_like(values)
    forward[:, :-1] = np.diff(values, axis=1)
    backward = np.zeros_like(values)
    backward[:, 1:] = forward[:, :-1]
    slopes = (forward + backward) / 2
    slopes[starts] = forward[starts]
    slopes[stops] = backward[stops]
    slopes[starts & stops] = 0.0
    return slopes
