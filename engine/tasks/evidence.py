# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a motion before the motion prior sees it, in the form that it is trained on.

A reference motion (smoothed, splined, completed) with, for every joint and frame, what was measured, how far that is
trusted, and how far the truth may be from the reference. The prior works on the difference to the reference in units
of that deviation, so that one network serves cleaning, gaps, missing limbs and in-betweening, and what is known
exactly stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.motion.windows import between, continuous, exp_around, log_around
from engine.tasks.temporal import gap_seconds

FPS = 30.0  # of the motion prior
CHANNELS = 23  # 22 joints and the path
SPREAD = np.append(
    np.deg2rad(
        [20, 16, 16, 7, 15, 15, 6, 12, 12, 6, 7, 7, 9, 8, 8, 12, 27, 27, 20, 20, 14, 14],
    ),
    0.3,
)
"""(23,) how far a joint (radians) or the path (metres) strays, per axis, from the middle of a few seconds."""
SPREAD_SECONDS = 0.5  # from the nearest known sample, until all of that is possible


@dataclass(frozen=True)
class Evidence:
    """A reference motion and what was measured; channels are the 22 joints and, last, the path.

    Attributes:
        quat: (T, 22, 4) unit quaternions WXYZ of the reference; index 0 is the root.
        path: (T, 3) metres.
        turn: (T, 22, 3) log-rotation in radians from the reference to what was measured, be it a measurement or
            not; 0 where nothing was.
        shift: (T, 3) metres, the same of the path.
        known: (T, 23) bool, what is a measurement.
        noise: (23,) standard deviation per axis of the measurements, radians and metres.
        deviation: (T, 23) standard deviation per axis of the truth around the reference; 0 keeps the reference.
        placed: whether root orientation and path mean anything.
    """

    quat: np.ndarray
    path: np.ndarray
    turn: np.ndarray
    shift: np.ndarray
    known: np.ndarray
    noise: np.ndarray
    deviation: np.ndarray
    placed: bool = True

    def __len__(self) -> int:
        return len(self.quat)


def deviation(known: np.ndarray, left: np.ndarray, fps: float) -> np.ndarray:
    """(T, 23) deviation of the truth from a reference that is off by ``left`` (23,) where there are measurements.

    In gaps it grows with the time to the nearest measurement.
    """
    away = np.minimum(gap_seconds(known, fps) / SPREAD_SECONDS, 1.0)
    return np.sqrt(left**2 + (SPREAD * away) ** 2)


def gather(
    quat: np.ndarray,
    path: np.ndarray,
    measured_quat: np.ndarray,
    measured_path: np.ndarray,
    known: np.ndarray,
    noise: np.ndarray,
    left: np.ndarray,
    fps: float,
    placed: bool = True,
    measured: np.ndarray | None = None,
) -> Evidence:
    """Evidence from a reference (T, 22, 4) and (T, 3), what was measured, and what of it is ``known`` (T, 23).

    Where something was ``measured`` (T, 23) that is not known to be right, it is told all the same, for the prior to
    judge; by default nothing else was.
    """
    told = known if measured is None else measured
    turn = np.where(told[:, :22, None], log_around(quat, measured_quat), 0.0)
    shift = np.where(told[:, 22:], measured_path - path, 0.0)
    return Evidence(quat, path, turn, shift, known, noise, deviation(known, left, fps), placed)


def resampled(evidence: Evidence, fps: float, target: float = FPS) -> Evidence:
    """Evidence at another rate; measurements are averaged over the new frames, and their noise falls accordingly."""
    if abs(fps - target) < 1e-6 or len(evidence) < 2:
        return evidence
    frames = max(2, round((len(evidence) - 1) * target / fps) + 1)
    at = np.linspace(0.0, len(evidence) - 1.0, frames)
    turned = between(continuous(evidence.quat), at)
    turned /= np.linalg.norm(turned, axis=-1, keepdims=True)
    weight = evidence.known.astype(float)
    if fps > target:
        known = averaged(weight, at, fps / target) > 0.5
        # What is known is averaged over what is, what is not over all that was measured.
        turn, shift = averaged(evidence.turn, at, fps / target), averaged(evidence.shift, at, fps / target)
        heavy = np.maximum(averaged(weight, at, fps / target), 1e-9)
        own = averaged(evidence.turn * weight[:, :22, None], at, fps / target) / heavy[:, :22, None]
        turn = np.where(known[:, :22, None], own, turn)
        own = averaged(evidence.shift * weight[:, 22:], at, fps / target) / heavy[:, 22:]
        shift = np.where(known[:, 22:], own, shift)
        noise = evidence.noise * np.sqrt(target / fps)
    else:
        turn, shift, known, noise = (
            between(evidence.turn, at),
            between(evidence.shift, at),
            between(weight, at) > 0.99,
            evidence.noise,
        )
    return replace(
        evidence,
        quat=turned,
        path=between(evidence.path, at),
        turn=turn,
        shift=shift,
        known=known,
        noise=noise,
        deviation=between(evidence.deviation, at),
    )


def averaged(curve: np.ndarray, at: np.ndarray, width: float) -> np.ndarray:
    """Mean of a curve (T, ...) over ``width`` frames around each of the places ``at`` (N,)."""
    total = np.concatenate([np.zeros((1, *curve.shape[1:])), np.cumsum(curve, axis=0)])

    def integral(x: np.ndarray) -> np.ndarray:
        return between(total, np.clip(x, 0.0, len(curve)))

    begin, end = np.maximum(at + 0.5 - width / 2, 0.0), np.minimum(at + 0.5 + width / 2, len(curve))
    return (integral(end) - integral(begin)) / (end - begin).reshape(-1, *[1] * (curve.ndim - 1))


def moved(evidence: Evidence, turn: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (T, 22, 4) and path (T, 3) at ``turn`` (T, 22, 3) and ``shift`` (T, 3) from the reference."""
    return exp_around(evidence.quat, turn), evidence.path + shift


def has_place(quat: np.ndarray, path: np.ndarray) -> bool:
    """Whether root orientation (T, 22, 4) and path (T, 3) say anything: in some files and tests they stand still."""
    return bool(np.ptp(path, axis=0).any() or np.ptp(quat[:, 0], axis=0).any())
