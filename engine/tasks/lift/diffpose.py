# SPDX-License-Identifier: GPL-3.0-or-later
"""DiffPose's lifting of keypoints to 3D joints (Gong et al. 2023, sec. 4.4, testing)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.device import prefers_bfloat16
from engine.diffusion.mixture import GaussianMixtures
from engine.diffusion.noise import Noise
from engine.diffusion.samplers import SAMPLERS, OnIteration, integrate
from engine.diffusion.schedule import uniform
from engine.priors.joint_prior import DIM, Seen, centre, from_event
from engine.priors.lifting_prior import Context, LiftingPrior, in_mode

SAMPLES = 1000
"""Of the starting distribution, to fit the mixture to (supplementary, sec. 3)."""
FRAMES_AT_ONCE = 512  # whose mixtures are fitted
POSES_AT_ONCE = 1024  # of the network: many hypotheses of few frames, or few of many


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
    mixtures, chosen = _starts(centred, context, prior, settings)
    contexts, which = _of_components(centred, context, mixtures, prior)
    device, (count, each) = middle.device, chosen.shape
    times = np.round(uniform(settings.steps, prior.sde.t_max, 0.0))
    frames = torch.arange(count, device=device).split(max(1, POSES_AT_ONCE // each))
    drawn = []
    for place, part in enumerate(frames):
        rows, of_row = part.repeat_interleave(each), chosen[part].flatten()
        frame = mixtures.component(rows, of_row)
        here = contexts.rows(which[of_row] * count + rows)
        who = np.tile(np.arange(each), len(part)) + (0 if settings.alike else each * rows.cpu().numpy())
        noise = Noise(settings.seed * 1_000_003 + who, settings.temperature)

        def report(step: int, of: int, place: int = place) -> None:
            if on_iteration:
                on_iteration(place * of + step, len(frames) * of)

        start = noise.draw((DIM,), device)
        # Networks are trained so, too; it takes two fifths of the time where processors are made for it.
        with torch.autocast(device.type, torch.bfloat16, enabled=prefers_bfloat16(device)):
            y = integrate(prior.under(here, frame), prior.sde, start, times, SAMPLERS["ddim"], None, None, report).x
        drawn.append(from_event(frame.colour(y)).unflatten(0, (-1, each)))
    return torch.cat(drawn) + middle[:, None]


def _starts(
    centred: Seen, context: Context, prior: LiftingPrior, settings: DiffPoseSettings
) -> tuple[GaussianMixtures, Tensor]:
    """The mixture of each frame, and which components (T, N) hypotheses start from."""
    mixtures, chosen = [], []
    for first in range(0, len(centred.joints), FRAMES_AT_ONCE):
        rows = slice(first, first + FRAMES_AT_ONCE)
        part = centred.rows(rows)
        # Draws are of all frames, or of the first and for every one the same.
        begin, own = (0, 1) if settings.alike else (first, len(part.joints))
        generator = torch.Generator().manual_seed(settings.seed + begin)
        mixtures.append(prior.start(part, context.rows(rows), SAMPLES, generator, settings.alike))
        uniform = torch.rand(own, settings.hypotheses, generator=generator)
        chosen.append(mixtures[-1].choose(uniform.expand(len(part.joints), -1)))
    joined = (torch.cat([getattr(one, name) for one in mixtures]) for name in ("weights", "means", "stds"))
    return GaussianMixtures(*joined), torch.cat(chosen)


def _of_components(
    centred: Seen, context: Context, mixtures: GaussianMixtures, prior: LiftingPrior
) -> tuple[Context, Tensor]:
    """Contexts of the clip one after the other, and which of them each component (M,) goes with.

    The encoder is told one place of each joint, and what it makes of that outweighs where a hypothesis sets out. So
    where a component is in another mode of a heatmap, it is told that one.
    """
    contexts, which = [context], [0] * mixtures.weights.shape[1]
    for number in range(len(which) if centred.draws is not None else 0):
        seen = in_mode(centred, mixtures.means[:, number], mixtures.stds[:, number])
        if seen is not None:
            which[number] = len(contexts)
            contexts.append(clip_context(seen, prior))
    joined = (torch.cat([getattr(one, name) for one in contexts]) for name in ("features", "mean", "std"))
    return Context(*joined), torch.tensor(which, device=context.mean.device)


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
    return told.rows(pick)
