# SPDX-License-Identifier: GPL-3.0-or-later
"""What lifts: hypotheses of 3D joints under 2D ones, from one of the priors."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from engine.device import pick_device
from engine.errors import MotionError
from engine.priors.joint_prior import Seen
from engine.priors.joint_weights import load_joint_prior
from engine.tasks.lift import gfpose

PRIORS = ("gfpose",)


class Lifter(Protocol):
    """Draws hypotheses of all frames of a clip, hypothesis s going on from frame to frame."""

    def __call__(self, seen: Seen, hypotheses: int, on_iteration: gfpose.OnIteration | None = None) -> Tensor:
        """Joints (T, S, 17, 3) in metres in the image frame, on the CPU.

        Args:
            seen: T frames of one person.
            hypotheses: S.
            on_iteration: told (done, total) network evaluations; stops by raising.
        """
        ...


def load_lifter(prior: str, steps: int, seed: int, device: str) -> Lifter:
    """The lifter of a prior by name.

    Raises:
        MotionError: there is no such prior. WeightsError, DeviceError: as named.
    """
    if prior not in PRIORS:
        raise MotionError(f"There is no prior {prior!r} that lifts; choose {' or '.join(PRIORS)}.")
    network, used = load_joint_prior(), pick_device(device)
    network = network.to(used)

    def lift(seen: Seen, hypotheses: int, on_iteration: gfpose.OnIteration | None = None) -> Tensor:
        settings = gfpose.SamplingSettings(hypotheses, steps=steps, seed=seed, alike=True)
        there = Seen(seen.joints.to(used), seen.doubt.to(used))
        return gfpose.hypotheses(there, network, settings, on_iteration).cpu()

    return lift
