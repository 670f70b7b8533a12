# SPDX-License-Identifier: GPL-3.0-or-later
"""On which frames new values get keys: on every one, where the original has some, or on as few as will do."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable

import numpy as np
from bpy.types import FCurve

from . import curves, reduction, rotations
from .clip import Clip

MODES = EVERY, ORIGINAL, REDUCED = "EVERY", "ORIGINAL", "REDUCED"
TOLERANCE = 1.0  # millimetres

# Gives one channel of a bone, of these names, new values: (curve, bone, property, index, old, new, changed),
# the last three (T,), to the number of keys set.
Rewrite = Callable[[FCurve, int, str, int, np.ndarray, np.ndarray, np.ndarray], int]


def every(clip: Clip) -> Rewrite:
    """A key on every changed frame."""

    def rewrite(
        curve: FCurve, bone: int, channel: str, i: int, old: np.ndarray, new: np.ndarray, changed: np.ndarray
    ) -> int:
        return curves.rewrite(curve, clip.frames, old, new, changed)

    return rewrite


def original(clip: Clip, found: Iterable[tuple[int, str, FCurve]]) -> Rewrite:
    """Keys where there are keys; a channel without any gets them where others have some.

    Those others are the channels of the same property of the same bone, or else all that are written.

    Args:
        clip: what was read.
        found: bone, property and curve of every channel that is written and has a curve.
    """
    own: dict[tuple[int, str], np.ndarray] = {}
    whole = np.zeros(len(clip), bool)
    for bone, channel, curve in found:
        keyed = curves.keyed(curve, clip.frames)
        own[bone, channel] = own.get((bone, channel), False) | keyed
        whole |= keyed

    def rewrite(
        curve: FCurve, bone: int, channel: str, i: int, old: np.ndarray, new: np.ndarray, changed: np.ndarray
    ) -> int:
        if curves.has_values(curve):
            return curves.move(curve, clip.frames, old, new, changed)
        keyed = own.get((bone, channel), whole)
        return curves.rewrite(curve, clip.frames, old, new, changed, curves.Sparse(keyed))

    return rewrite


def poses(clip: Clip, rows: np.ndarray) -> Rewrite:
    """Keys on frames ``rows`` alone: the clip becomes a row of poses, and no other key is left among them."""
    keyed = np.zeros(len(clip), bool)
    keyed[rows] = True
    within = np.zeros(len(clip), bool)
    within[rows.min() : rows.max() + 1] = True

    def rewrite(
        curve: FCurve, bone: int, channel: str, i: int, old: np.ndarray, new: np.ndarray, changed: np.ndarray
    ) -> int:
        return curves.rewrite(curve, clip.frames, old, new, within, curves.Sparse(keyed))

    return rewrite


def reduced(
    clip: Clip,
    new_rotations: np.ndarray,
    new_translations: np.ndarray,
    rotations_changed: np.ndarray,
    translations_changed: np.ndarray,
    tolerance: float,
) -> Generator[None, None, Rewrite]:
    """As few keys as keep every bone's head and tail within ``tolerance`` millimetres; see `reduction.reduce`.

    They are found in short pieces of work; the generator returns them.
    """
    channels = np.zeros((*rotations_changed.shape, 4))
    for j, mode in enumerate(clip.modes):
        count = rotations.channels(mode)[1]
        raw, changed = clip.raw_rotations[:, [j], :count], rotations_changed[:, [j]]
        channels[:, [j], :count] = rotations.to_channels(new_rotations[:, [j]], mode, raw, changed)
        yield
    chosen = yield from reduction.reduce(
        clip, channels, new_rotations, new_translations, rotations_changed, translations_changed, tolerance
    )

    def rewrite(
        curve: FCurve, bone: int, channel: str, i: int, old: np.ndarray, new: np.ndarray, changed: np.ndarray
    ) -> int:
        if channel == "location":
            fit = curves.Sparse(chosen.location_keys[:, bone], chosen.location_slopes[:, bone, i])
        else:
            fit = curves.Sparse(chosen.rotation_keys[:, bone], chosen.rotation_slopes[:, bone, i])
        return curves.rewrite(curve, clip.frames, old, new, changed, fit)

    return rewrite
