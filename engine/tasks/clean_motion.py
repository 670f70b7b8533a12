# SPDX-License-Identifier: GPL-3.0-or-later
"""Cleaning with the motion prior: damage is found and left out, and the smoother's answer is bettered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.priors.motion_prior import MotionPrior
from engine.priors.pose_gaussian import PoseGaussian
from engine.tasks.completion_reference import completion_reference
from engine.tasks.evidence import Evidence, gather, has_place
from engine.tasks.motion_estimate import MotionEstimate, estimate_motion
from engine.tasks.temporal import Advance
from engine.tasks.wiener import Smoothed, smooth_again

DAMAGED = 0.5  # probability from which a measurement is left out
LOST = 0.8  # share of a joint's frames from which it counts as never measured: the rest is not to be trusted either


def better(
    smoothed: Smoothed,
    quat: np.ndarray,
    transl: np.ndarray,
    fps: float,
    strength: float,
    prior: MotionPrior,
    device: str = "auto",
    advance: Advance | None = None,
) -> tuple[Smoothed, MotionEstimate]:
    """What the motion prior makes of a smoothed body.

    It is asked twice: first which measurements are damaged, then for the motion without those.

    Args:
        smoothed: as `smooth_body` made it of ``quat`` (T, 22, 4) and ``transl`` (T, 3).
        fps, strength: as there.
        prior: the motion prior.
        device: auto, cpu, cuda or mps.
        advance: told the share done; stops by raising.

    Returns:
        The body as smoothed without what the prior rejects, and the estimate.
    """
    placed = has_place(quat, transl)

    def evidence(of: Smoothed) -> Evidence:
        told = gather(of.quat, of.transl, quat, transl, of.known, of.noise, of.left, fps, placed)
        return replace(told, noise=strength * of.noise)

    def guessed(told: Evidence, lost: np.ndarray) -> Evidence:
        """Joints ``lost`` (22,) for the whole clip taken as never seen."""
        known = told.known & ~np.append(lost, False)
        guess = completion_reference(told.quat, told.path, known, fps, PoseGaussian.load(), told.noise, placed)
        chosen = np.append(lost, False)
        return replace(
            told,
            quat=np.where(lost[:, None], guess.quat, told.quat),
            turn=np.where(lost[:, None], 0.0, told.turn),
            known=known,
            deviation=np.where(chosen, guess.deviation, told.deviation),
        )

    def half(first: float) -> Advance | None:
        return (lambda share: advance(first + 0.5 * share)) if advance else None

    found = estimate_motion(evidence(smoothed), fps, prior, device, half(0.0))
    rejected = (found.damage > DAMAGED) & smoothed.known[:, :22]
    rejected[:, 0] = False
    if not rejected.any():
        return smoothed, found
    smoothed = smooth_again(smoothed, quat, rejected, fps, strength)
    told, lost = evidence(smoothed), rejected.mean(axis=0) > LOST
    if lost.any():
        told = guessed(told, lost)
        smoothed = replace(smoothed, known=told.known)
    again = estimate_motion(told, fps, prior, device, half(0.5))
    return smoothed, replace(again, damage=np.maximum(again.damage, found.damage))
