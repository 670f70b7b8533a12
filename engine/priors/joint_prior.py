# SPDX-License-Identifier: GPL-3.0-or-later
"""GFPose's prior of 3D joints under 2D or 3D conditions (Ci et al. 2023): network, SDE, and what an event is.

Joints are in the *image frame* of their person: with the pelvis at distance D on the camera's axis, a joint at
(x, y, z) from the camera's own axes, z towards the camera, is at (x D/d, y D/d, z + D) where d = -z is its distance.
So the first two coordinates are what a picture shows, scaled to metres at the pelvis, and a 2D pose is a 3D one without
depth (as in GFPose's released code, which has pixels for metres).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from engine.diffusion.denoiser import Estimate
from engine.diffusion.joint_network import ConditionalJointMLP
from engine.diffusion.samplers import Denoise
from engine.diffusion.sde import SubVP
from engine.motion.h36m import JOINTS

JOINT_COUNT = len(JOINTS)
DIM = 3 * JOINT_COUNT
UNIT = 0.0625
"""Metres that an event counts as one: the spread of a joint is then some units, as with the paper's scale of 30."""


class Seen(NamedTuple):
    """What is known of a batch of people.

    Attributes:
        joints: (B, 17, 3) metres in the image frame; what is unknown is ignored.
        doubt: (B, 17, 3) standard deviation of each coordinate in metres, infinite where it is unknown.
    """

    joints: Tensor
    doubt: Tensor

    @property
    def known(self) -> Tensor:
        """(B, 17, 3) bool."""
        return torch.isfinite(self.doubt)

    def repeated(self, times: int) -> Seen:
        """Each person ``times`` over, one after the other."""
        return Seen(*(array.repeat_interleave(times, dim=0) for array in self))


def centre(seen: Seen) -> tuple[Seen, Tensor]:
    """The same with the pelvis, or where that is hidden the mean of what is seen, at 0; and what was taken off.

    Returns:
        The centred observation, and (B, 1, 3) metres: zero in coordinates of which nothing is known.
    """
    known = seen.known
    joints = torch.where(known, seen.joints, 0.0)
    mean = joints.sum(dim=1, keepdim=True) / known.sum(dim=1, keepdim=True).clamp_min(1)
    middle = torch.where(known[:, :1], joints[:, :1], mean)
    return Seen(joints - middle, seen.doubt), middle


class JointPrior(nn.Module):
    """Score network and SDE of joints in the image frame.

    "Joints" are (B, 17, 3) metres, the pelvis at 0; an "event" is those in units of `UNIT`, flat (B, 51).

    Args:
        network: over 51 dimensions, told 102 numbers.
        sde: forward diffusion.
    """

    def __init__(self, network: ConditionalJointMLP, sde: SubVP | None = None) -> None:
        super().__init__()
        self.network = network
        self.sde = sde or SubVP()

    def told(self, seen: Seen) -> Tensor:
        """What the network is told of a centred observation, (B, 102).

        Coordinates in units, scaled by trust, and the trust: 0 where unknown, else 1 / sqrt(1 + s^2) for a doubt of s.
        """
        return told(seen)

    def under(self, seen: Seen, hypotheses: int = 1) -> Denoise:
        """The denoiser of samplers for events (B * hypotheses, 51), those of one person side by side."""
        biases = self.network.condition_path(self.told(seen))
        if hypotheses > 1:
            biases = [bias.repeat_interleave(hypotheses, dim=0) for bias in biases]

        def denoise(x_t: Tensor, t: Tensor) -> Estimate:
            alpha, sigma = (c.reshape(-1, 1) for c in self.sde.marginal(t))
            noise = self.network(x_t, t, biases).float()
            return Estimate((x_t - sigma * noise) / alpha, noise, -noise / sigma)

        return denoise


def told(seen: Seen) -> Tensor:
    """(B, 102): see `JointPrior.told`."""
    doubt = torch.where(seen.known, seen.doubt / UNIT, 0.0)
    trust = torch.where(seen.known, torch.rsqrt(1.0 + doubt.square()), 0.0)
    joints = torch.where(seen.known, seen.joints / UNIT, 0.0) * trust
    return torch.cat([joints.flatten(1), trust.flatten(1)], dim=1)


def to_event(joints: Tensor) -> Tensor:
    """Joints (..., 17, 3) in metres as events (..., 51)."""
    return joints.flatten(-2) / UNIT


def from_event(event: Tensor) -> Tensor:
    """Events (..., 51) as joints (..., 17, 3) in metres."""
    return event.unflatten(-1, (JOINT_COUNT, 3)) * UNIT
