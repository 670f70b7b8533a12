# SPDX-License-Identifier: GPL-3.0-or-later
"""What GFPose's prior is for (Ci et al. 2023, sec. 5 and E): lifting, completion, denoising and generation of joints.

All joints here are (…, 17, 3) metres in the image frame: see `engine.priors.joint_prior`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.diffusion.noise import Noise
from engine.diffusion.samplers import (
    SAMPLERS,
    Denoise,
    OnIteration,
    Project,
    integrate,
    probability_flow_euler,
)
from engine.diffusion.schedule import bent, uniform
from engine.priors.joint_prior import DIM, UNIT, JointPrior, Seen, centre, from_event, to_event

APPROACHES = ("conditional", "imputation", "combined")
"""How an observation enters (sec. G): the network is told; known coordinates are replaced after every step; both."""
CHUNK = 16384
"""Events that go through the network at once: their activations then take some 300 MB."""


@dataclass(frozen=True)
class SamplingSettings:
    """How hypotheses are drawn.

    Attributes:
        hypotheses: S, of each person.
        approach: one of `APPROACHES`.
        sampler: a name of `engine.diffusion.samplers.SAMPLERS`; the paper's is Euler-Maruyama.
        steps: of the sampler; 1,000 in the paper.
        bend: how much steps shrink towards the end, 1 for equal ones as in the paper.
        t_min: where the sampler ends.
        seed: of the noise.
        alike: whether all people are given the same noise. Those of one clip then move alike: a sampler without noise
            of its own is continuous in what is seen, so each hypothesis goes on from frame to frame.
    """

    hypotheses: int = 1
    approach: str = "combined"
    sampler: str = "ddim"
    steps: int = 50
    bend: float = 2.0
    t_min: float = 1e-3
    seed: int = 0
    alike: bool = False


PAPER = SamplingSettings(sampler="euler-maruyama", steps=1000, bend=1.0)
"""The paper's sampler (sec. D)."""


@torch.no_grad()
def hypotheses(
    seen: Seen, prior: JointPrior, settings: SamplingSettings, on_iteration: OnIteration | None = None
) -> Tensor:
    """Joints (B, S, 17, 3) drawn under what is seen of B people, the pelvis where it was seen.

    Where the depth of nothing is known, that of the pelvis is 0; where the pelvis was not seen, the hypothesis is put
    where its seen joints fit best.

    Args:
        seen: 2D, 3D or both, all of some or of none of the joints; of any place.
        prior: on the device that computes.
        settings: see `SamplingSettings`.
        on_iteration: told (done, total) network evaluations; stops by raising.

    Raises:
        ValueError: an approach that there is none of.
    """
    if settings.approach not in APPROACHES:
        raise ValueError(f"There is no approach {settings.approach}.")
    centred, middle = centre(seen)
    count, each = len(seen.joints), settings.hypotheses
    times = bent(settings.steps, prior.sde.t_max, settings.t_min, settings.bend)
    people = max(1, CHUNK // each)
    drawn, total = [], -(-count // people) * settings.steps
    for first in range(0, count, people):
        part = centred.rows(slice(first, first + people))
        who = np.arange(first, first + len(part.joints)) * (not settings.alike)
        seeds = _seeds(settings.seed, who, each)
        noise = Noise(seeds)
        known = part if settings.approach != "imputation" else Seen(part.joints, torch.full_like(part.doubt, torch.inf))
        start = float(prior.sde.marginal(torch.tensor(prior.sde.t_max))[1]) * noise.draw((DIM,), seen.joints.device)
        project = None if settings.approach == "conditional" else _imputation(part.repeated(each), prior, noise)

        def report(step: int, _: int, before: int = first // people * settings.steps) -> None:
            if on_iteration:
                on_iteration(before + step, total)

        step = SAMPLERS[settings.sampler]
        x = integrate(prior.under(known, each), prior.sde, start, times, step, noise, project, report).x
        drawn.append(from_event(x).unflatten(0, (-1, each)))
    return _placed(torch.cat(drawn), centred) + middle[:, None]


def _seeds(seed: int, people: np.ndarray, each: int) -> np.ndarray:
    """Of every hypothesis of some people, (B * S,): the same whoever else is there."""
    return (np.uint64(seed) << np.uint64(40)) + (
        people[:, None].astype(np.uint64) * np.uint64(1 << 20) + np.arange(each, dtype=np.uint64)
    ).ravel()


def _imputation(seen: Seen, prior: JointPrior, noise: Noise) -> Project:
    """Puts what is known, diffused, in the place of what was sampled (Song et al. 2021, app. I.2).

    A coordinate measured with noise of standard deviation s is what the diffusion makes of it at sigma = alpha s, so
    the rest of sigma is added, and short of that time the sampler is left alone. Where the pelvis is unknown, known
    coordinates are replaced but for their mean, of which nothing is known.
    """
    known = seen.known
    anchored = known[:, :1]
    # What is relative to a doubtful pelvis has its doubt, too.
    doubt = torch.where(anchored, (seen.doubt.square() + seen.doubt[:, :1].square()).sqrt(), seen.doubt)
    doubt = torch.where(known, doubt / UNIT, 0.0).flatten(1)
    mask, event = known.flatten(1), to_event(torch.where(known, seen.joints, 0.0))
    loose = known & ~anchored
    share = loose / loose.sum(dim=1, keepdim=True).clamp_min(1)

    def mean_of_loose(x: Tensor) -> Tensor:
        rows = x.unflatten(1, (-1, 3))
        return (((rows * share).sum(dim=1, keepdim=True)) * loose).flatten(1)

    def project(x: Tensor, s: float) -> Tensor:
        alpha, sigma = (float(c) for c in prior.sde.marginal(torch.tensor(s, dtype=torch.float64)))
        left = sigma**2 - (alpha * doubt).square()
        there = alpha * event + left.clamp_min(0.0).sqrt() * noise.draw(x.shape[1:], x.device)
        there = there - mean_of_loose(there) + mean_of_loose(x)
        return torch.where(mask & (left >= 0.0), there, x)

    return project


def _placed(joints: Tensor, seen: Seen) -> Tensor:
    """Hypotheses (B, S, 17, 3) of people whose pelvis was not seen, moved to where their seen joints fit best."""
    known = seen.known[:, None]
    weight = torch.where(known, 1.0 / (seen.doubt[:, None].square() + UNIT**2), 0.0)
    miss = torch.where(known, seen.joints[:, None] - joints, 0.0)
    shift = (weight * miss).sum(dim=2, keepdim=True) / weight.sum(dim=2, keepdim=True).clamp_min(1e-9)
    return joints + torch.where(seen.known[:, None, :1], 0.0, shift)


@torch.no_grad()
def generate(
    count: int, prior: JointPrior, settings: SamplingSettings, on_iteration: OnIteration | None = None
) -> Tensor:
    """Joints (count, 17, 3) of poses drawn without a condition (sec. 5.6), the pelvis at 0."""
    device = next(prior.parameters()).device
    return hypotheses(_nothing(count, device), prior, settings, on_iteration)[:, 0]


RELEASED_TIMES = (0.05, 0.1)
LARGE_NOISE = 0.05
"""Metres of noise from which the second is taken."""


@torch.no_grad()
def denoise(
    joints: Tensor,
    std: float,
    prior: JointPrior,
    steps: int = 10,
    on_iteration: OnIteration | None = None,
    released: bool = False,
) -> Tensor:
    """Joints (B, 17, 3) with Gaussian noise of ``std`` metres taken out (sec. 5.5), the pelvis where it was.

    The reverse process starts at the time whose diffusion makes such noise, from the noisy joints brought to that
    time's scale, and its steps are as long as the way is: the paper chooses one of two times by hand. ``released`` does
    as the released code, see `denoise_as_released`, from the one of its two times that is nearer.
    """
    if released:
        return denoise_as_released(joints, RELEASED_TIMES[std >= LARGE_NOISE], prior, on_iteration=on_iteration)
    time = float(prior.sde.time_of_noise(torch.tensor(std / UNIT)))
    alpha = float(prior.sde.marginal(torch.tensor(time))[0])
    pelvis = joints[:, :1]
    start = alpha * to_event(joints - pelvis)
    times = uniform(steps, time, min(1e-3, 0.1 * time))
    x = integrate(_unconditional(prior, start), prior.sde, start, times, SAMPLERS["ddim"], None, None, on_iteration).x
    return from_event(x) + pelvis


@torch.no_grad()
def denoise_as_released(
    joints: Tensor, start: float, prior: JointPrior, steps: int = 1000, on_iteration: OnIteration | None = None
) -> Tensor:
    """What the released code does: the noisy pose, unscaled, at time ``start`` (0.05 or 0.1), and Euler steps on the
    probability flow of 1 / ``steps`` each, whatever ``start`` is: ten to twenty times the way there is to go."""
    pelvis = joints[:, :1]
    x = to_event(joints - pelvis)
    under = _unconditional(prior, x)
    for i, t in enumerate(np.linspace(start, 1e-3, steps)):
        x = probability_flow_euler(under, prior.sde, x, float(t), float(t) - 1.0 / steps, None)
        if on_iteration:
            on_iteration(i + 1, steps)
    return from_event(x) + pelvis


def _unconditional(prior: JointPrior, like: Tensor) -> Denoise:
    return prior.under(_nothing(1, like.device))


def _nothing(count: int, device: torch.device) -> Seen:
    """An observation of nothing."""
    empty = torch.zeros(count, DIM // 3, 3, device=device)
    return Seen(empty, torch.full_like(empty, torch.inf))
