# SPDX-License-Identifier: GPL-3.0-or-later
"""DPoser's pose prior: a score network over normalised body poses (Lu et al. 2023)."""

from __future__ import annotations

from torch import Tensor, nn

from engine.diffusion.denoiser import Denoiser, Estimate
from engine.diffusion.networks import ScoreMLP
from engine.diffusion.sde import SubVP
from engine.priors.representation import NORMALISATIONS, REPRESENTATIONS, joint_coordinates

BODY_JOINTS = 21
POSE_DIM = 3 * BODY_JOINTS
"""Event size of a prior over axis-angle; `PosePrior.dim` is that of any prior."""


class PosePrior(nn.Module):
    """Score network, SDE, and how a pose is written and normalised.

    Root orientation and translation are not part of a pose. "Pose" is (B, 21, 3) axis-angle in radians with
    |angle| <= pi; "event" is its representation, normalised, (B, dim), the space of the diffusion.

    Args:
        network: the score network over ``dim`` dimensions.
        mean, std: (dim,) what is subtracted and what is divided by; mean and standard deviation of the training
            poses for the z-score, see `NORMALISATIONS` for the others.
        sde: forward diffusion.
        representation: a name of `REPRESENTATIONS`: axis-angle has dim 63, 6d has 126.
        normalisation: a name of `NORMALISATIONS`, kept with the weights.

    Raises:
        ValueError: unknown names, or statistics of another size.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: ScoreMLP,
        mean: Tensor,
        std: Tensor,
        sde: SubVP | None = None,
        representation: str = "axis-angle",
        normalisation: str = "z-score",
    ) -> None:
        super().__init__()
        if representation not in REPRESENTATIONS or normalisation not in NORMALISATIONS:
            raise ValueError(f"There is no representation {representation} or normalisation {normalisation}.")
        self.representation, self.normalisation = REPRESENTATIONS[representation], normalisation
        if mean.shape != (self.dim,) or std.shape != (self.dim,) or network.settings["dim"] != self.dim:
            raise ValueError(f"A prior over {representation} has {self.dim} coordinates.")
        self.sde = sde or SubVP()
        self.denoiser = Denoiser(network, self.sde)
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())

    @property
    def dim(self) -> int:
        """Numbers in an event."""
        return BODY_JOINTS * self.representation.size

    def normalise(self, pose: Tensor) -> Tensor:
        """(B, 21, 3) radians to events (B, dim)."""
        return (self.representation.encode(pose).flatten(1) - self.mean) / self.std

    def denormalise(self, event: Tensor) -> Tensor:
        """Events (B, dim) to (B, 21, 3) radians; gradients pass."""
        values = event * self.std + self.mean
        return self.representation.decode(values.unflatten(1, (BODY_JOINTS, self.representation.size)))

    def coordinates_of(self, joints: Tensor) -> Tensor:
        """A bool mask over joints (..., 21) as one over the event's coordinates (..., dim)."""
        return joint_coordinates(joints, self.representation.size)

    def estimate(self, event_t: Tensor, t: Tensor) -> Estimate:
        """Clean estimate of diffused events (B, dim) at times t, (B,) or (1,)."""
        return self.denoiser(event_t, t)
