# SPDX-License-Identifier: GPL-3.0-or-later
"""Our fit to 2D keypoints: several guesses of how the body stands, each solved by least squares, the best one kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from engine.diffusion.noise import Noise
from engine.memory import at_once
from engine.priors.pose_prior import PosePrior
from engine.tasks.fit.evidence import Evidence
from engine.tasks.fit.levenberg import Damping, minimise
from engine.tasks.fit.pull import Pull, Pulled, PullSettings
from engine.tasks.fit.state import BETAS, BODY, ROOT, Space
from engine.tasks.steps import OnStep

STIFF = 1e8
"""Precision that holds pose and shape still while the camera stage finds root and position."""

IMAGES_AT_ONCE = 32


@dataclass(frozen=True)
class Direct:
    """How to fit directly.

    Attributes:
        yaws: orientations about the vertical to begin from, radians; the first guess faces the camera.
        tolerances: of a keypoint from far to near, as shares of the person's size in the image.
        noise: of a keypoint of confidence 1 at the end, as a share of the person's size.
        robust: scale of Geman and McClure's loss, in tolerances.
        camera_iterations: of the stage for root and position alone.
        iterations: at each tolerance, and after each of the denoiser's targets.
        tilt_std: radians the root leans from upright, loosely: cameras stand about level.
        pull: the prior.
    """

    yaws: tuple[float, ...] = (0.0, 0.5 * np.pi, np.pi, 1.5 * np.pi)
    tolerances: tuple[float, ...] = (0.1, 0.04, 0.015)
    noise: float = 0.01
    robust: float = 4.0
    camera_iterations: int = 8
    iterations: int = 6
    tilt_std: float = 0.4
    pull: PullSettings = field(default_factory=lambda: PullSettings(denoised=1.0, times=(0.4, 0.3, 0.2, 0.1)))


def solve_directly(
    evidence: Evidence, prior: PosePrior, settings: Direct, seed: int, on_step: OnStep | None = None
) -> Tensor:
    """Rows x (N, D) of the bodies in the images."""
    solved = []
    size = at_once(IMAGES_AT_ONCE)
    for begin in range(0, len(evidence), size):
        index = torch.arange(begin, min(begin + size, len(evidence)), device=evidence.pixels.device)
        solved.append(_solve(evidence.rows(index), prior, settings, Noise(seed + index.cpu().numpy())))
        if on_step:
            on_step(begin + len(index), len(evidence), "Fitting keypoints")
    return torch.cat(solved)


def _solve(evidence: Evidence, prior: PosePrior, settings: Direct, noise: Noise) -> Tensor:
    space, count = evidence.space, len(evidence)
    pull = Pull(prior, space, settings.pull, _loose(space, settings))
    guesses = len(settings.yaws)
    every = evidence.rows(torch.arange(count, device=evidence.pixels.device).repeat(guesses))
    x = torch.cat([evidence.facing(space.zeros(count), yaw) for yaw in settings.yaws])
    x = _camera_stage(every, x, settings)
    cost = x[:, 0]
    damping = Damping(start=1e-2)
    for tolerance in settings.tolerances:
        measured = every.at(tolerance * every.size, settings.robust)
        x, cost, _ = minimise(measured, x, *pull.gaussian, settings.iterations, damping)
    best = cost.unflatten(0, (guesses, count)).argmin(dim=0)
    x = x.unflatten(0, (guesses, count))[best, torch.arange(count, device=x.device)]
    measured = evidence.at(settings.noise * evidence.size, settings.robust)

    def solve(x: Tensor, pulled: Pulled) -> Tensor:
        return minimise(measured, x, *pulled, settings.iterations, damping).x

    return pull.rounds(x, settings.pull.times, noise, solve)[0]


def _loose(space: Space, settings: Direct) -> Tensor:
    """(D,) precisions of what the pose prior does not know: shape is in standard deviations, leaning is rare."""
    loose = torch.zeros(space.size).to(space.mean)
    loose[BETAS] = 1.0
    loose[ROOT] = settings.tilt_std**-2.0 * torch.tensor([1.0, 0.0, 1.0]).to(loose)
    return loose


def _camera_stage(evidence: Evidence, x: Tensor, settings: Direct) -> Tensor:
    """Root and position alone, by every keypoint; the torso's would not tell where a guess looks."""
    stiff = _loose(evidence.space, settings)
    stiff[BODY] = STIFF
    stiff[BETAS] = STIFF
    measured = evidence.at(settings.tolerances[0] * evidence.size, settings.robust)
    return minimise(
        measured, x, x.clone(), torch.diag(stiff), settings.camera_iterations, Damping(start=1e-2)
    ).x
