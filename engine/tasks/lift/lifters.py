# SPDX-License-Identifier: GPL-3.0-or-later
"""What lifts: hypotheses of 3D joints under 2D ones, from one of the priors."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from engine.device import pick_device
from engine.diffusion.samplers import OnIteration
from engine.errors import MotionError
from engine.priors.joint_prior import Seen
from engine.priors.joint_weights import load_joint_prior
from engine.priors.lifting_weights import load_lifting_prior
from engine.tasks.lift import diffpose, gfpose

STEPS = {"gfpose": 10, "diffpose": 5}
"""Of each prior's sampler, unless asked for."""
PRIORS = tuple(STEPS)


class Lifter(Protocol):
    """Draws hypotheses of all frames of a clip, hypothesis s going on from frame to frame."""

    def __call__(self, seen: Seen, hypotheses: int, on_iteration: OnIteration | None = None) -> Tensor:
        """Joints (T, S, 17, 3) in metres in the image frame, on the CPU.

        Args:
            seen: T frames of one person.
            hypotheses: S.
            on_iteration: told (done, total) network evaluations; stops by raising.
        """
        ...


def load_lifter(prior: str, steps: int | None, seed: int, device: str) -> Lifter:
    """The lifter of a prior by name.

    Args:
        prior: one of `PRIORS`; DiffPose's is the one whose encoder sees the clip.
        steps: of its sampler; None for `STEPS`.
        seed, device: of the draws.

    Raises:
        MotionError: there is no such prior. WeightsError, DeviceError: as named.
    """
    if prior not in PRIORS:
        raise MotionError(f"There is no prior {prior!r} that lifts; choose {' or '.join(PRIORS)}.")
    used = pick_device(device)
    return (_gfpose if prior == "gfpose" else _diffpose)(steps or STEPS[prior], seed, used)


def _gfpose(steps: int, seed: int, device: torch.device) -> Lifter:
    prior = load_joint_prior().to(device)

    def lift(seen: Seen, hypotheses: int, on_iteration: OnIteration | None = None) -> Tensor:
        settings = gfpose.SamplingSettings(hypotheses, steps=steps, seed=seed, alike=True)
        return gfpose.hypotheses(seen.without_draws().to(device), prior, settings, on_iteration).cpu()

    return lift


def _diffpose(steps: int, seed: int, device: torch.device) -> Lifter:
    prior = load_lifting_prior(encoder="clip").to(device)

    def lift(seen: Seen, hypotheses: int, on_iteration: OnIteration | None = None) -> Tensor:
        # As warm as the diffusion itself: how far hypotheses lie apart is what tells how sure a joint is.
        settings = diffpose.DiffPoseSettings(hypotheses, steps, seed, temperature=1.0, alike=True)
        return diffpose.hypotheses(seen.to(device), prior, settings, on_iteration).cpu()

    return lift
