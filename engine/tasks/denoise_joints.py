# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion denoising from noisy 3D joints alone, as DPoser does it (sec. 5.5, C.2, eq. 19 and 20).

`fit_joints` with measured noise and learned dynamics is what Clean Motion's research row uses and does better; this
is the paper's own objective, for its tables and ablations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.body import pose_joints
from engine.device import pick_device
from engine.diffusion.noise import Noise
from engine.diffusion.schedule import truncated
from engine.diffusion.solvers import descend
from engine.errors import MotionError
from engine.memory import within_memory
from engine.priors.pose_prior import PosePrior
from engine.tasks.pose_prior_term import DPoserTerm, PosePriorTerm
from engine.tasks.steps import OnStep

START_SPREAD = 0.01  # radians around the mean pose ("initialised from mean poses with small noise")


@dataclass(frozen=True)
class DenoiseSettings:
    """How to denoise.

    Attributes:
        times: (N,) diffusion time of each iteration.
        stages: the N iterations are split into so many of equal length; weights change between them.
        squared: eq. 19 and 20 as printed, squared distances; else plain distances, as in the code.
        data_weight, temporal_weight, prior_weight: stage (from 0) -> weight.
        learning_rate: Adam's.
        denoise_steps: DDIM steps of the denoised target (Table S-1).
        seed, device: as elsewhere.
    """

    times: np.ndarray
    stages: int
    squared: bool
    data_weight: Callable[[int], float]
    temporal_weight: Callable[[int], float]
    prior_weight: Callable[[int], float]
    learning_rate: float = 0.03
    denoise_steps: int = 1
    seed: int = 0
    device: str = "auto"


RANGES: dict[float, tuple[int, float]] = {0.02: (40, 0.1), 0.04: (60, 0.25), 0.1: (80, 0.333)}
"""Noise in metres -> (iterations per stage, t_max) of the authors' motion denoising."""


def paper(noise: float) -> DenoiseSettings:
    """Equations as printed, the truncated range [0.2, 0.001]; weights, which the text does not give, tuned on our
    validation split."""
    steps, _ = RANGES[noise]
    return DenoiseSettings(
        truncated(3 * steps, 0.2, 0.001), 1, True, lambda stage: 1.0, lambda stage: 2.0, lambda stage: 1e-4
    )


def released(noise: float) -> DenoiseSettings:
    """``run/motion_denoising.py`` of the authors: plain distances, three stages of changing weights.

    Their temporal term runs over 10,475 vertices, which is why its weight is 10 (1 + it); over joints it is the same.
    """
    steps, t_max = RANGES[noise]
    return DenoiseSettings(
        truncated(3 * steps, t_max, 0.003),
        3,
        False,
        lambda stage: 100.0 / (1.0 + stage**2),
        lambda stage: 10.0 * (1.0 + stage),
        lambda stage: 0.1 * (1.0 + stage),
    )


PRESETS: dict[str, Callable[[float], DenoiseSettings]] = {"paper": paper, "released": released}


@within_memory
def denoise_joints(
    positions: np.ndarray,
    settings: DenoiseSettings,
    prior: PosePrior,
    on_step: OnStep | None = None,
    term: PosePriorTerm | None = None,
) -> np.ndarray:
    """Poses of windows of noisy joints, all windows at once.

    Args:
        positions: (W, F, 22, 3) metres, in frames in which the root does not turn; joint 0 is the pelvis. The body is
            the bundled one.
        settings: see `DenoiseSettings`.
        prior: the pose prior.
        on_step: told (done, total, stage); stops the work by raising.
        term: another pose prior in place of L_DPoser.

    Returns:
        (W, F, 21, 3) axis-angle in radians.

    Raises:
        MotionError: shapes do not fit, or positions are not finite. DeviceError: no such device.
    """
    if positions.ndim != 4 or positions.shape[2:] != (22, 3) or not np.isfinite(positions).all():
        raise MotionError("Joints to denoise must be finite positions (windows, frames, 22, 3).")
    device = pick_device(settings.device)
    prior = prior.to(device)
    windows, frames = positions.shape[:2]
    target = torch.from_numpy(positions[:, :, 1:] - positions[:, :, :1]).float().to(device)
    noise = Noise(settings.seed * windows * frames + np.arange(windows * frames))
    start = START_SPREAD * noise.draw((21, 3), device)
    pose = start.unflatten(0, (windows, frames)).requires_grad_(True)
    total = len(settings.times)

    chosen = term or DPoserTerm(prior, settings.times, noise, steps=settings.denoise_steps)

    def size(difference: Tensor) -> Tensor:
        """Sum over items of the mean over joints of (squared) lengths (..., J, 3)."""
        lengths = difference.square().sum(dim=-1)
        return (lengths if settings.squared else torch.sqrt(lengths + 1e-12)).mean(dim=-1).sum()

    def loss(iteration: int) -> Tensor:
        stage = iteration * settings.stages // total
        joints = pose_joints(pose)[:, :, 1:]
        data = settings.data_weight(stage) * size(joints - target)
        data = data + settings.temporal_weight(stage) * size(joints[:, 1:] - joints[:, :-1])
        return data + settings.prior_weight(stage) * 0.5 * chosen(pose.flatten(0, 1), iteration, total).sum()

    def told(done: int, total: int) -> None:
        if on_step:
            on_step(done, total, "Denoising joints")

    descend([pose], loss, total, settings.learning_rate, told)
    return pose.detach().cpu().numpy().astype(np.float64)
