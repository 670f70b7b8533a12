# SPDX-License-Identifier: GPL-3.0-or-later
"""Cleaning with the motion prior: damage is found and left out, and the smoother's answer is bettered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from engine.motion.joints import JOINTS
from engine.motion.windows import exp_around, log_around
from engine.priors.motion_prior import MotionPrior
from engine.priors.pose_gaussian import PoseGaussian
from engine.tasks.anatomy import bent_backwards
from engine.tasks.completion_reference import completion_reference
from engine.tasks.confidence import bridge
from engine.tasks.evidence import Evidence, gather, has_place
from engine.tasks.motion_estimate import MotionEstimate, estimate_motion
from engine.tasks.temporal import CORRELATION_SECONDS, Advance
from engine.tasks.wiener import Smoothed, smooth_again

DAMAGED = 0.5  # probability from which a measurement is left out
STEADY_SECONDS = 4.0  # standard deviation of the Gaussian that a slow mean is taken with
BIAS = 0.6  # error of the prior that does not change, against what smoothing leaves; on the validation split
ENDS = tuple(JOINTS.index(j) for j in ("left_foot", "right_foot", "left_wrist", "right_wrist"))
"""Joints that rigs differ in most: on some the prior errs twice as far as the smoother, on none is it much nearer."""
LEAST_HEARD = 0.1  # share of known samples under which a slow mean says little
LOST = 0.8  # share of a joint's frames from which it counts as never measured: the rest is not to be trusted either


def steadied(found: MotionEstimate, quat: np.ndarray, smoothed: Smoothed, fps: float) -> MotionEstimate:
    """The prior's estimate, with the measurements' slow mean having its say; hands and toes are the smoother's.

    Averaged over seconds, noise is nearly gone, but what a network errs by on a body unlike those it has seen is not:
    the mean of both is weighted by their variances.

    Args:
        found: the prior's estimate.
        quat: (T, 22, 4) what was measured.
        smoothed: what is known of it and its noise.
        fps: frame rate.
    """
    known, noise, left = smoothed.known[:, :22], smoothed.noise[:22], smoothed.left[:22]

    def slowly(curve: np.ndarray) -> np.ndarray:
        return gaussian_filter1d(curve, STEADY_SECONDS * fps, axis=0, mode="reflect")

    miss = np.where(known[..., None], log_around(found.quat, quat), 0.0)
    slow = slowly(miss) / np.maximum(slowly(known.astype(float)), LEAST_HEARD)[..., None]
    # A Gaussian averages over 2 sqrt(pi) of its standard deviations; correlated samples count for less.
    apart = 2.0 * CORRELATION_SECONDS if smoothed.correlated else 1.0 / fps
    averaged = noise**2 * min(1.0, apart / (2.0 * np.sqrt(np.pi) * STEADY_SECONDS))
    error = (BIAS * left) ** 2
    share = np.divide(error, error + averaged, out=np.zeros_like(error), where=error > 0)
    free = (share > 0) & (found.deviation[:, :22] > 0)
    moved = np.where(free[..., None], exp_around(found.quat, share[:, None] * slow), found.quat)
    ends = known & np.isin(np.arange(22), ENDS)
    return replace(found, quat=np.where(ends[..., None], smoothed.quat, moved))


def bridged(found: MotionEstimate, smoothed: Smoothed, lost: np.ndarray) -> MotionEstimate:
    """The prior's estimate with gaps filled by the smoother, moved as the prior moves what is on both sides of them.

    Between measurements of the same joint, the dynamics know better than a network how people it has not seen move.
    There is then nothing left for poses to decide: the deviation there is 0.

    Args:
        found: the prior's estimate.
        smoothed: the smoother's.
        lost: (22,) bool, joints without measurements, which stay as the prior has them.
    """
    gaps = ~smoothed.known[:, :22] & ~lost & smoothed.known[:, :22].any(axis=0)
    if not gaps.any():
        return found
    moved = bridge(log_around(smoothed.quat, found.quat), ~gaps)
    quat = np.where(gaps[..., None], exp_around(smoothed.quat, moved), found.quat)
    deviation = found.deviation.copy()
    deviation[:, :22][gaps] = 0.0
    return replace(found, quat=quat, deviation=deviation)


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

    It is asked twice: first which measurements are damaged, then for the motion with the others.

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
        told = gather(
            of.quat, of.transl, quat, transl, of.known, of.noise, of.left, fps, placed, np.ones_like(of.known)
        )
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
    # What rules reject stays rejected: taken back where the prior was sure, one spike in ten came with the punches.
    damaged = ~smoothed.known[:, :22] | (found.damage > DAMAGED) | bent_backwards(quat)
    damaged[:, 0] = ~smoothed.known[:, 0]
    if (damaged == ~smoothed.known[:, :22]).all():
        return smoothed, bridged(steadied(found, quat, smoothed, fps), smoothed, np.zeros(22, bool))
    smoothed = smooth_again(smoothed, quat, damaged, fps, strength)
    told, lost = evidence(smoothed), damaged.mean(axis=0) > LOST
    if lost.any():
        told = guessed(told, lost)
        smoothed = replace(smoothed, known=told.known)
    again = estimate_motion(told, fps, prior, device, half(0.5))
    again = steadied(again, quat, smoothed, fps)
    again = bridged(again, smoothed, lost)
    return smoothed, replace(again, damage=np.maximum(again.damage, found.damage))
