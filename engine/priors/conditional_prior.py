# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses given some of their joints: a score network over the unknown joints, conditioned on the known ones.

Masks are drawn in training as GFPose does (Ci et al. 2023, sec. 3.3, hierarchical condition masks). What is new is
*doubt*: known joints are seen through Gaussian noise of a level s that the network is told. A prior learned from few
people believes too much in exact coincidences; at run time it is given exact joints and told to doubt them, which
weighs what it has seen by a Gaussian kernel of width s (exactly so for a network that has learned its data by heart).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from engine.diffusion.denoiser import Estimate
from engine.diffusion.networks import ConditionalScoreMLP
from engine.diffusion.samplers import Denoise
from engine.diffusion.sde import SubVP

_FARTHEST = 4.0  # standard deviations of a known coordinate


class Condition(NamedTuple):
    """What is known of a batch of events.

    Attributes:
        known: (B, 63) events; unknown coordinates are ignored.
        trust: (B, 21), 0 where a joint is unknown, else 1 / sqrt(1 + s^2).
    """

    known: Tensor
    trust: Tensor


class ConditionalPrior(nn.Module):
    """Score network, SDE and z-score statistics of axis-angle body poses some of whose joints are known.

    "Pose" is (B, 21, 3) axis-angle in radians; "event" its z-score (B, 63).

    Args:
        network: over 63 dimensions, joints of 3.
        mean, std: (63,) statistics of the training poses.
        sde: forward diffusion.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, network: ConditionalScoreMLP, mean: Tensor, std: Tensor, sde: SubVP | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.sde = sde or SubVP()
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())

    def normalise(self, pose: Tensor) -> Tensor:
        """(..., 21, 3) radians to events (..., 63)."""
        return (pose.flatten(-2) - self.mean) / self.std

    def denormalise(self, event: Tensor) -> Tensor:
        """Events (..., 63) to (..., 21, 3) radians."""
        return (event * self.std + self.mean).unflatten(-1, (-1, 3))

    def condition(self, event: Tensor, known: Tensor, doubt: float | Tensor) -> Condition:
        """Condition on the joints ``known`` (B, 21) bool of events (B, 63), doubted by s standard deviations.

        Nothing counts as farther than some standard deviations from the mean: toes hardly turned sideways in training
        (std 0.001 degrees), and beyond what a network has seen its answers have no meaning.
        """
        event = event.clamp(-_FARTHEST, _FARTHEST)
        trust = torch.rsqrt(1.0 + torch.as_tensor(doubt, device=event.device) ** 2)
        return Condition(event, torch.where(known, trust, 0.0).to(event))

    def under(self, condition: Condition) -> Denoise:
        """The denoiser of samplers and solvers under a condition of as many items."""

        def denoise(x_t: Tensor, t: Tensor) -> Estimate:
            alpha, sigma = (c.reshape(-1, 1) for c in self.sde.marginal(t))
            noise = self.network(x_t, t, condition.known, condition.trust).float()
            return Estimate((x_t - sigma * noise) / alpha, noise, -noise / sigma)

        return denoise
