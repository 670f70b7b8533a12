# SPDX-License-Identifier: GPL-3.0-or-later
"""DPoser's pose prior: a score network over normalised body poses (Lu et al. 2023)."""

from __future__ import annotations

from torch import Tensor, nn

from engine.diffusion.denoiser import Denoiser, Estimate
from engine.diffusion.networks import ScoreMLP
from engine.diffusion.sde import SubVP

BODY_JOINTS = 21
POSE_DIM = 3 * BODY_JOINTS


class PosePrior(nn.Module):
    """Score network, SDE and z-score statistics of axis-angle body poses.

    Root orientation and translation are not part of a pose. "Pose" is (B, 21, 3) axis-angle in radians with
    |angle| <= pi; "event" is its z-score (B, 63), the space of the diffusion.

    Args:
        network: the score network over 63 dimensions.
        mean, std: (63,) statistics of the training poses.
        sde: forward diffusion.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: ScoreMLP, mean: Tensor, std: Tensor, sde: SubVP | None = None) -> None:
        super().__init__()
        self.sde = sde or SubVP()
        self.denoiser = Denoiser(network, self.sde)
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())

    def normalise(self, pose: Tensor) -> Tensor:
        """(B, 21, 3) radians to events (B, 63)."""
        return (pose.flatten(1) - self.mean) / self.std

    def denormalise(self, event: Tensor) -> Tensor:
        """Events (B, 63) to (B, 21, 3) radians."""
        return (event * self.std + self.mean).unflatten(1, (BODY_JOINTS, 3))

    def estimate(self, event_t: Tensor, t: Tensor) -> Estimate:
        """Clean estimate of diffused events (B, 63) at times t, (B,) or (1,)."""
        return self.denoiser(event_t, t)
