# SPDX-License-Identifier: GPL-3.0-or-later
"""How far away a person of known size is, frame by frame: a picture alone cannot tell size from distance.

Lifted at a distance, bones come out as long as that distance makes them, for the priors know how poses look and do not
bend them to make up for it. So the ratio of their lengths to the body's is that of the distances, nearly.
"""

from __future__ import annotations

import numpy as np

from engine.motion.h36m import PARENTS
from engine.tasks.lift.camera_space import Sight
from engine.tasks.lift.lifters import Lifter
from engine.tasks.lift.proportions import BONES, RIGID, lengths, symmetric
from engine.tasks.lift.smoothing_spline import smoothing_spline

ROUNDS = 3
HYPOTHESES = 6
FRAMES_PER_SECOND, MOST_FRAMES = 6.0, 240
"""Of a clip, so many frames are asked: a person's distance changes slowly."""
NEAREST, FARTHEST = 0.7, 100.0  # metres

EXTENT_QUANTILE = 0.2
"""Of a bone's length over its extent in the picture, which foreshortening only makes larger."""
TRUSTED = 0.03  # metres of doubt of a joint at which its bones count half
POSE_DEVIATION = 0.04
"""Error of one frame's logarithm of distance that hypotheses share: what the priors take a pose for."""
POSE_SECONDS = 0.5
"""How long such an error lasts."""
ROUGHNESS = 1.0  # m^2 / s^3, of a person who walks to and fro
STEADIED = 8.0
"""Seconds' worth of the body's own length that a bone's measured length is averaged with."""


def first_guess(sight: Sight, body: np.ndarray) -> np.ndarray:
    """(T,) metres by similar triangles from bones' extents in the picture; one for the whole clip.

    Args:
        sight: the clip.
        body: (16,) lengths of the person's bones in metres.
    """
    extent = np.linalg.norm(np.diff(_ends(sight.tangents), axis=2)[:, :, 0], axis=-1)
    both = _ends(sight.confidence[..., None]).min(axis=(2, 3)) > 0
    chosen = np.zeros(BONES, bool)
    chosen[[bone for bone in RIGID if body[bone] > 0.5 * body.max()]] = True
    away = np.where(both & chosen & (extent > 1e-6), body / np.maximum(extent, 1e-6), np.nan)
    told = np.isfinite(away).any(axis=1)
    if not told.any():
        return np.full(len(sight), 3.0)
    each = np.nanquantile(away[told], EXTENT_QUANTILE, axis=1)
    return np.full(len(sight), np.clip(np.median(each), NEAREST, FARTHEST))


def find_distance(sight: Sight, lifter: Lifter, body: np.ndarray, fps: float) -> np.ndarray:
    """(T,) metres from the camera to the pelvis along its ray.

    Args:
        sight: the clip.
        lifter: draws hypotheses.
        body: (16,) lengths of the person's bones in metres.
        fps: frames per second.
    """
    every = max(1, round(fps / FRAMES_PER_SECOND), -(-len(sight) // MOST_FRAMES))
    shown = np.flatnonzero((sight.confidence > 0).sum(axis=1) >= 4)
    if not len(shown):
        return first_guess(sight, body)
    asked = np.unique(np.append(shown[::every], shown[-1]))
    part = sight.rows(asked)
    metres = first_guess(part, body)
    for _ in range(ROUNDS):
        metres = refined(part, part.ahead(lifter(part.seen(metres), HYPOTHESES), metres), metres, body, asked / fps)
    return np.exp(np.interp(np.arange(len(sight)), asked, np.log(metres)))


def refined(
    sight: Sight, joints: np.ndarray, metres: np.ndarray, body: np.ndarray, seconds: np.ndarray
) -> np.ndarray:
    """Better distances (T,) from joints (T, S, 17, 3) lifted at distances ``metres`` (T,), smooth in time.

    Args:
        sight: T frames.
        joints: in metres, any axes.
        metres: at which they were lifted.
        body: (16,) lengths of the person's bones in metres.
        seconds: (T,) ascending times of the frames.
    """
    rigid = list(RIGID)
    logs = np.log(np.maximum(lengths(joints)[..., rigid], 1e-4) / body[rigid])
    weight = _trust(sight, metres)[:, rigid] * body[rigid]
    each = weighted_median(logs, weight[:, None])
    found = np.log(metres) - np.median(each, axis=1)
    blind = weight.sum(axis=1) <= 0
    if blind.all():
        return metres
    deviation = np.hypot(each.std(axis=1), POSE_DEVIATION)
    rate = (len(seconds) - 1) / max(seconds[-1] - seconds[0], 1e-9) if len(seconds) > 1 else 1.0
    deviation = np.where(blind, np.inf, deviation * np.sqrt(max(1.0, POSE_SECONDS * rate)))
    typical = float(np.exp(np.median(found[~blind])))
    smooth = smoothing_spline(found[:, None], deviation[:, None], ROUGHNESS / typical**2, rate)[:, 0]
    return np.clip(np.exp(smooth), NEAREST, FARTHEST)


def bone_lengths(
    sight: Sight, joints: np.ndarray, metres: np.ndarray, body: np.ndarray, fps: float
) -> np.ndarray:
    """(16,) metres, one set for the clip, left and right alike: the person's, if as large on the whole as ``body``.

    Args:
        sight, joints, metres, body: as `refined` takes them.
        fps: frames per second.
    """
    logs = np.log(np.maximum(lengths(joints), 1e-4) / body)
    trust = _trust(sight, metres)
    middle = weighted_median(np.moveaxis(np.median(logs, axis=1), 0, 1), trust.T)
    share = trust.sum(axis=0) / (trust.sum(axis=0) + STEADIED * fps)
    rigid = list(RIGID)
    size = float(np.average(middle[rigid], weights=body[rigid]))
    return body * np.exp(symmetric(share * (middle - size)))


def weighted_median(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The weighted median over the last axis; the plain one's place where all weights are zero."""
    weight = np.broadcast_to(weight, values.shape) + 1e-12
    order = np.argsort(values, axis=-1)
    values, weight = (np.take_along_axis(array, order, axis=-1) for array in (values, weight))
    total = np.cumsum(weight, axis=-1)
    place = (total < 0.5 * total[..., -1:]).sum(axis=-1, keepdims=True)
    return np.take_along_axis(values, place, axis=-1)[..., 0]


def _trust(sight: Sight, metres: np.ndarray) -> np.ndarray:
    """(T, 16) from 0 to 1: how well the ends of each bone were seen."""
    trust = 1.0 / (1.0 + np.square(sight.doubt(metres) / TRUSTED))
    return _ends(trust[..., None])[..., 0].prod(axis=2)


def _ends(values: np.ndarray) -> np.ndarray:
    """(T, 16, 2, ...) of values (T, 17, ...): each bone's beginning and end."""
    return np.stack([values[:, list(PARENTS[1:])], values[:, 1:]], axis=2)
