# SPDX-License-Identifier: GPL-3.0-or-later
"""SMPLify's stages by Adam with DPoser as the pose prior (DPoser sec. 4.2, eq. 11 and 12; ``run/smplify.py``)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from engine.diffusion.noise import Noise
from engine.diffusion.schedule import SCHEDULES
from engine.diffusion.solvers import descend
from engine.priors.pose_prior import PosePrior
from engine.tasks.fit.evidence import Evidence
from engine.tasks.fit.marks import TORSO
from engine.tasks.fit.state import BETAS, BODY, ROOT, TRANSL
from engine.tasks.fit.terms import bending, geman_mcclure
from engine.tasks.pose_prior_term import DPoserTerm, PosePriorTerm
from engine.tasks.steps import OnStep


@dataclass(frozen=True)
class Staged:
    """Settings of the staged fit.

    Attributes:
        iterations: of each stage.
        camera_iterations: of the stage for root and position, from the torso's keypoints.
        learning_rate: Adam's, in radians and metres.
        depth_weight: of the squared change of depth in the camera stage, pixels per metre, squared.
        robust: scale of Geman and McClure's loss in pixels.
        prior_weights, shape_weights: per stage, squared when used.
        bending_weights: per stage, squared when used.
        scale: factor on the pose prior's weight, where it stands in other units than L_DPoser.
        strategy: of the diffusion times over all stages: random, fixed, full or truncated (Table 5).
        t_max, t_min: their range.
        denoise_steps: 1, or more (Table S-1).
        signal: weigh L_DPoser by 0.5 sqrt(1 + SNR), as released.
        squared_bending: exp(theta)^2, as released; else exp(theta).
    """

    iterations: int = 100
    camera_iterations: int = 100
    learning_rate: float = 0.01
    depth_weight: float = 100.0
    robust: float = 100.0
    prior_weights: tuple[float, ...] = (50.0, 20.0, 10.0, 5.0, 2.0)
    shape_weights: tuple[float, ...] = (50.0, 20.0, 10.0, 5.0, 2.0)
    bending_weights: tuple[float, ...] = (150.0, 50.0, 30.0, 15.0, 5.0)
    scale: float = 1.0
    strategy: str = "truncated"
    t_max: float = 0.2
    t_min: float = 0.001
    denoise_steps: int = 1
    signal: bool = False
    squared_bending: bool = False

    def times(self) -> np.ndarray:
        """(stages * iterations,) diffusion times."""
        return SCHEDULES[self.strategy](self.iterations * len(self.prior_weights), self.t_max, self.t_min)

    def scheduled(self, strategy: str, t_max: float, t_min: float) -> Staged:
        """The same with other diffusion times."""
        return replace(self, strategy=strategy, t_max=t_max, t_min=t_min)


def solve_in_stages(
    evidence: Evidence,
    prior: PosePrior,
    settings: Staged,
    seed: int,
    term: PosePriorTerm | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """Rows x (N, D) of the bodies in the images; all images take the same steps."""
    chosen = term or DPoserTerm(
        prior,
        settings.times(),
        Noise(seed + np.arange(len(evidence))),
        settings.signal,
        settings.denoise_steps,
    )
    stages = len(settings.prior_weights)
    total = settings.camera_iterations + stages * settings.iterations
    x = evidence.facing(evidence.space.zeros(len(evidence)), 0.0)
    back = evidence.facing(evidence.space.zeros(len(evidence)), np.pi)
    x = torch.where((evidence.yaw_of_shoulders() > 0)[:, None], back, x)
    x = _camera_stage(evidence, x, settings)
    pose = evidence.space.pose(x)[:, 1:].clone().requires_grad_(True)
    root, transl, betas = (x[:, part].clone().requires_grad_(True) for part in (ROOT, TRANSL, BETAS))

    def row() -> Tensor:
        event = (pose.flatten(1) - evidence.space.mean) / evidence.space.std
        return torch.cat([root, transl, event, betas], dim=1)

    def loss(iteration: int) -> Tensor:
        stage = iteration // settings.iterations
        data = (evidence.confidence**2 * geman_mcclure(evidence.squared(row()), settings.robust)).sum(dim=1)
        every = data + settings.scale * settings.prior_weights[stage] ** 2 * chosen(
            pose, iteration, stages * settings.iterations
        )
        every = every + settings.shape_weights[stage] ** 2 * betas.square().sum(dim=1)
        every = every + settings.bending_weights[stage] ** 2 * bending(pose, settings.squared_bending)
        return every.sum()

    def told(done: int, _: int) -> None:
        if on_step:
            on_step(settings.camera_iterations + done, total, "Fitting keypoints")

    descend([pose, root, transl, betas], loss, stages * settings.iterations, settings.learning_rate, told)
    with torch.no_grad():
        return row()


def _camera_stage(evidence: Evidence, x: Tensor, settings: Staged) -> Tensor:
    """Root and position from the torso alone (Bogo et al. 2016, sec. 3.3); depth stays near its first guess."""
    torso = evidence.confidence[:, list(TORSO)]
    seen = (torso > 0).sum(dim=1, keepdim=True) >= len(TORSO) - 1
    weight = torch.zeros_like(evidence.confidence)
    weight[:, list(TORSO)] = torso
    weight = torch.where(seen, weight, evidence.confidence)
    root, transl = (x[:, part].clone().requires_grad_(True) for part in (ROOT, TRANSL))

    def loss(_: int) -> Tensor:
        moved = torch.cat([root, transl, x[:, BODY.start :]], dim=1)
        change = settings.depth_weight**2 * (transl[:, 2] - x[:, TRANSL][:, 2]).square()
        return (weight**2 * evidence.squared(moved)).sum() + change.sum()

    descend([root, transl], loss, settings.camera_iterations, settings.learning_rate)
    return torch.cat([root.detach(), transl.detach(), x[:, BODY.start :]], dim=1)
