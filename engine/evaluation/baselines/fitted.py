# SPDX-License-Identifier: GPL-3.0-or-later
"""What ScoreHMR is compared with: its guidance minimised by Adam from the same start, under a pose prior or none.

SMPLify on top of a regression (Bogo et al. 2016, as single stage in Kolotouros et al. 2019), ProHMR's fitting and
VIBE-opt differ in the prior; what was observed, and the place that is solved along, are the same as in the refinement.
"""

from __future__ import annotations

import numpy as np
import roma
import torch
from torch import Tensor

from engine.diffusion.guidance import weighted
from engine.diffusion.schedule import truncated
from engine.diffusion.solvers import optimise
from engine.evaluation.baselines.mixture import Mixture
from engine.priors.pose_prior import PosePrior
from engine.priors.rotation_prior import from_event, to_event
from engine.tasks.refine.refine import PoseProblem

ITERATIONS = 300
LEARNING_RATE = 0.01
TIMES = (0.2, 0.001)  # DPoser's for this task


def fit(
    problem: PoseProblem,
    prior: PosePrior,
    mixture: Mixture | None = None,
    mixture_weight: float = 0.0,
    prior_weight: float = 0.0,
    seed: int = 0,
) -> Tensor:
    """Events (B, 144) that minimise the guidance of a problem from its start.

    Args:
        problem: what was observed, and the start.
        prior: DPoser's.
        mixture: SMPLify's prior; None for none.
        mixture_weight: of its energy.
        prior_weight: of L_DPoser.
        seed: of its noise.
    """
    start = problem.start()
    rows = torch.arange(len(start), device=start.device)
    pose = roma.rotmat_to_rotvec(from_event(start)).requires_grad_(True)

    def event() -> Tensor:
        return to_event(roma.rotvec_to_rotmat(pose))

    def loss(iteration: int) -> Tensor:
        x0 = event()
        now = x0.detach()
        observed = (problem.guidance(rows, now), problem.implicit_guidance(rows, now))
        total = weighted([(1.0, each) for each in observed if each is not None])(x0).sum()
        return total if mixture is None else total + mixture_weight * mixture.energy(pose[:, 1:]).sum()

    times = truncated(ITERATIONS, *TIMES) if prior_weight else np.full(ITERATIONS, TIMES[0])
    optimise(
        [pose],
        loss,
        lambda: prior.normalise(pose[:, 1:]),
        prior.estimate,
        prior.sde,
        times,
        lambda _: prior_weight * len(pose),
        LEARNING_RATE,
        torch.Generator().manual_seed(seed),
    )
    with torch.no_grad():
        return event()
