# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion prior asked about a whole clip: windows that overlap, answers that are blended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import roma
import torch
from torch import Tensor

from engine.device import pick_device
from engine.diffusion.samplers import SAMPLERS, integrate
from engine.diffusion.schedule import uniform
from engine.memory import at_once, within_memory
from engine.motion.windows import Windows, between
from engine.priors.motion_prior import EVENT, JOINTS, LEAST_DEVIATION, WINDOW, MotionPrior, Seen
from engine.tasks.evidence import CHANNELS, Evidence, moved, resampled
from engine.tasks.temporal import Advance

WINDOWS_AT_ONCE = 32


@dataclass(frozen=True)
class MotionEstimate:
    """What the motion prior says of a clip.

    Attributes:
        quat: (T, 22, 4) unit quaternions WXYZ.
        path: (T, 3) metres.
        damage: (T, 22) probability that a joint's measurement is none.
        contact: (T, 4) probability that ankles and balls of the feet (left, right, left, right) rest.
        deviation: (T, 23) standard deviation per axis of what is still unknown, radians and metres.
    """

    quat: np.ndarray
    path: np.ndarray
    damage: np.ndarray
    contact: np.ndarray
    deviation: np.ndarray


@within_memory
def estimate_motion(
    evidence: Evidence,
    fps: float,
    prior: MotionPrior,
    device: str = "auto",
    advance: Advance | None = None,
) -> MotionEstimate:
    """The mean of all motions that agree with the evidence, at the evidence's own frame rate.

    Args:
        evidence: (T, ...); what has a deviation of 0 stays bit-equal.
        fps: its frame rate.
        prior: the motion prior.
        device: auto, cpu, cuda or mps.
        advance: told the share done; stops by raising.
    """
    target = pick_device(device)
    prior = prior.to(target)
    slow = resampled(evidence, fps)
    cover = Windows.cover(len(slow), WINDOW)
    sizes = {"event": EVENT, "damage": JOINTS, "contact": 4, "spread": CHANNELS}
    totals = {name: np.zeros((len(slow), size)) for name, size in sizes.items()}
    with torch.inference_mode():
        for starts in cover.batches(at_once(WINDOWS_AT_ONCE)):
            out = prior.both_ways(seen(slow, cover, starts, target))
            answers = (out.event, out.quality.sigmoid(), out.contact.sigmoid(), out.log_spread.exp())
            for (_, total), answer in zip(totals.items(), answers, strict=True):
                cover.add(total, answer.double().cpu().numpy(), starts)
            if advance:
                advance(float(starts[-1] + cover.length) / len(slow))
    weight = cover.weight()[:, None]
    blended = {name: total / weight for name, total in totals.items()}
    deviation = slow.deviation * blended["spread"]
    step = blended["event"].reshape(len(slow), CHANNELS, 3) * slow.deviation[..., None]
    return _placed(evidence, fps, step, blended["damage"], blended["contact"], deviation)


@within_memory
def sample_motion(
    evidence: Evidence,
    fps: float,
    prior: MotionPrior,
    seed: int,
    steps: int = 12,
    temperature: float = 1.0,
    device: str = "auto",
    advance: Advance | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """One of the motions that agree with the evidence, rotations (T, 22, 4) and path (T, 3); the seed says which.

    Windows share the noise of the frames they share, and deterministic DDIM is continuous in it, so that they blend.
    """
    target = pick_device(device)
    prior = prior.to(target)
    slow = resampled(evidence, fps)
    cover = Windows.cover(len(slow), WINDOW)
    generator = torch.Generator().manual_seed(seed)
    noise = temperature * torch.randn(len(slow), EVENT, generator=generator)
    times = uniform(steps, prior.sde.t_max, prior.sde.t_min)
    total = np.zeros((len(slow), EVENT))
    with torch.inference_mode():
        for starts in cover.batches(at_once(WINDOWS_AT_ONCE)):
            told = prior.told(seen(slow, cover, starts, target))
            z = torch.stack([noise[s : s + cover.length] for s in starts]).to(target)
            answer = integrate(prior.under(told), prior.sde, z, times, SAMPLERS["ddim"]).x
            cover.add(total, answer.double().cpu().numpy(), starts)
            if advance:
                advance(float(starts[-1] + cover.length) / len(slow))
    step = (total / cover.weight()[:, None]).reshape(len(slow), CHANNELS, 3) * slow.deviation[..., None]
    none = np.zeros((len(slow), 1))
    estimate = _placed(evidence, fps, step, none, none, none)
    return estimate.quat, estimate.path


def _placed(
    evidence: Evidence,
    fps: float,
    step: np.ndarray,
    damage: np.ndarray,
    contact: np.ndarray,
    deviation: np.ndarray,
) -> MotionEstimate:
    """Answers at the prior's rate (N, ...) brought to the evidence's frames; steps are in the reference's axes."""
    frames = len(evidence)
    if len(step) != frames:
        at = np.linspace(0.0, len(step) - 1.0, frames)
        step, damage, contact, deviation = (between(c, at) for c in (step, damage, contact, deviation))
    free = evidence.deviation > LEAST_DEVIATION
    if not evidence.placed:
        free = free & (np.arange(CHANNELS) % JOINTS > 0)
    step = np.where(free[..., None], step, 0.0)
    forward = roma.unitquat_to_rotmat(torch.from_numpy(np.roll(evidence.quat[:, 0], -1, axis=-1))).numpy()
    shift = np.einsum("tij,tj->ti", forward, step[:, JOINTS])
    quat, path = moved(evidence, step[:, :JOINTS], shift)
    quat = np.where(free[:, :JOINTS, None], quat, evidence.quat)
    path = np.where(free[:, JOINTS:], path, evidence.path)
    return MotionEstimate(quat, path, damage, contact, deviation)


def seen(evidence: Evidence, cover: Windows, starts: np.ndarray, device: torch.device) -> Seen:
    """Windows of evidence as the prior takes them."""

    def cut(clip: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(cover.cut(clip, starts))).float().to(device)

    quat = np.roll(evidence.quat, -1, axis=-1)
    rows = torch.ones(len(starts), 1, device=device)
    return Seen(
        roma.unitquat_to_rotmat(cut(quat)),
        cut(evidence.path),
        cut(evidence.turn),
        cut(evidence.shift),
        cut(evidence.known.astype(np.float32)),
        rows * torch.from_numpy(evidence.noise).float().to(device),
        cut(evidence.deviation),
        rows[:, 0] * float(evidence.placed),
    )
