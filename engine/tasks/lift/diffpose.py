# SPDX-License-Identifier: GPL-3.0-or-later
"""DiffPose's lifting of keypoints to 3D joints (Gong et al. 2023, sec. 4.4, testing)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.diffusion.noise import Noise
from engine.diffusion.samplers import SAMPLERS, OnIteration, integrate
from engine.diffusion.schedule import uniform
from engine.priors.joint_prior import DIM, Seen, centre, from_event
from engine.priors.lifting_prior import Context, LiftingPrior

SAMPLES = 1000
"""Of the starting distribution, to fit the mixture to (supplementary, sec. 3)."""
FRAMES_AT_ONCE = 512


@dataclass(frozen=True)
class DiffPoseSettings:
    """How hypotheses are drawn.

    Attributes:
        hypotheses: N; the paper's pose is the mean of 5.
        steps: of DDIM through the diffusion's K.
        seed: of components and noise.
        temperature: what the noise is scaled by that a hypothesis starts from in its component, 1 in the paper. Half of
            it leaves the hypotheses' best as near, and each of them and their mean nearer.
        alike: draw the same for all frames, so that a hypothesis goes on from frame to frame.
    """

    hypotheses: int = 5
    steps: int = 5
    seed: int = 0
    temperature: float = 0.5
    alike: bool = False


@torch.no_grad()
def hypotheses(
    seen: Seen, prior: LiftingPrior, settings: DiffPoseSettings, on_iteration: OnIteration | None = None
) -> Tensor:
    """Joints (T, N, 17, 3) in metres in the image frame, the pelvis where it was seen; their mean is the paper's pose.

    Args:
        seen: keypoints of the frames of one clip, in order; where the encoder is of single frames the order is nothing.
        prior: on the device that computes.
        settings: see `DiffPoseSettings`.
        on_iteration: told (done, total) steps; stops by raising.
    """
    centred, middle = centre(seen)
    context = clip_context(centred, prior)
    count, each = len(seen.joints), settings.hypotheses
    times = np.round(uniform(settings.steps, prior.sde.t_max, 0.0))
    parts = range(0, count, FRAMES_AT_ONCE)
    drawn = []
    for place, first in enumerate(parts):
        rows = slice(first, first + FRAMES_AT_ONCE)
        part = centred.rows(rows)
        here = Context(context.features[rows], context.mean[rows], context.std[rows])
        # Draws are of all frames, or of the first and for every one the same.
        begin, own = (0, 1) if settings.alike else (first, len(part.joints))
        times_over = len(part.joints) // own
        generator = torch.Generator().manual_seed(settings.seed + begin)
        mixtures = prior.start(part, here, SAMPLES, generator, settings.alike).repeated(each)
        frame = mixtures.draw(torch.rand(own * each, generator=generator).repeat(times_over))
        repeated = Context(*(a.repeat_interleave(each, dim=0) for a in (here.features, here.mean, here.std)))
        who = np.tile(begin * each + np.arange(own * each), times_over)
        noise = Noise(settings.seed * 1_000_003 + who, settings.temperature)

        def report(step: int, of: int, place: int = place) -> None:
            if on_iteration:
                on_iteration(place * of + step, len(parts) * of)

        start = noise.draw((DIM,), seen.joints.device)
        y = integrate(prior.under(repeated, frame), prior.sde, start, times, SAMPLERS["ddim"], None, None, report).x
        drawn.append(from_event(frame.colour(y)).unflatten(0, (-1, each)))
    return torch.cat(drawn) + middle[:, None]


@torch.no_grad()
def clip_context(centred: Seen, prior: LiftingPrior) -> Context:
    """Context of every frame of a clip, (T, 17, ...): of windows as long as the encoder's, half overlapping.

    A frame takes what is told of it in the window in which it is nearest the middle.
    """
    frames, length = len(centred.joints), prior.encoder.frames
    if length == 1:
        return prior.context(centred)
    if frames <= length:
        first = torch.zeros(1, dtype=torch.long)
    else:
        first = torch.arange(0, frames - length + length // 2, length // 2).clamp(max=frames - length)
    rows = (first[:, None] + torch.arange(length)).to(centred.joints.device)
    there = rows < frames
    windows = centred.without_draws().rows(rows.clamp(max=frames - 1).flatten())
    told = prior.context(windows, there)
    middle = first + min(length, frames) / 2.0 - 0.5
    nearest = (torch.arange(frames)[:, None] - middle).abs().argmin(dim=1)
    pick = (nearest * length + torch.arange(frames) - first[nearest]).to(rows.device)
    return Context(told.features[pick], told.mean[pick], told.std[pick])
