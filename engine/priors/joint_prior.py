# SPDX-License-Identifier: GPL-3.0-or-later
"""GFPose's prior of 3D joints under 2D or 3D conditions (Ci et al. 2023): network, SDE, and what an event is.

Joints are in the *image frame* of their person: with the pelvis at distance D on the camera's axis, a joint at
(x, y, z) from the camera's own axes, z towards the camera, is at (x D/d, y D/d, z + D) where d = -z is its distance.
So the first two coordinates are what a picture shows, scaled to metres at the pelvis, and a 2D pose is a 3D one without
depth (as in GFPose's released code, which has pixels for metres).
"""

from __future__ import annotations

from collections.abc import Callable
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
CAUTION = 2.0
UNKNOWN_PLACE = 0.15
"""Metres from the pelvis to the mean of what is seen, a standard deviation."""


class Seen(NamedTuple):
    """What is known of a batch of people.

    Attributes:
        joints: (B, 17, 3) metres in the image frame; what is unknown is ignored.
        doubt: (B, 17, 3) standard deviation of each coordinate in metres, infinite where it is unknown.
        draws: (B, N, 17, 2) places like the first two coordinates, drawn from all that a detector holds possible, each
            joint's by themselves; None where it does not tell.
    """

    joints: Tensor
    doubt: Tensor
    draws: Tensor | None = None

    @property
    def known(self) -> Tensor:
        """(B, 17, 3) bool."""
        return torch.isfinite(self.doubt)

    def repeated(self, times: int) -> Seen:
        """Each person ``times`` over, one after the other."""
        return self._each(lambda array: array.repeat_interleave(times, dim=0))

    def rows(self, index: slice | Tensor) -> Seen:
        """Some of the people."""
        return self._each(lambda array: array[index])

    def to(self, device: torch.device) -> Seen:
        """The same on a device."""
        return self._each(lambda array: array.to(device))

    def without_draws(self) -> Seen:
        """The same for those who do not use draws."""
        return self._replace(draws=None)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Seen:
        return Seen(change(self.joints), change(self.doubt), None if self.draws is None else change(self.draws))


def centre(seen: Seen) -> tuple[Seen, Tensor]:
    """The same with the pelvis, or where that is hidden the mean of what is seen, at 0; and what was taken off.

    Returns:
        The centred observation, and (B, 1, 3) metres: zero in coordinates of which nothing is known.
    """
    known = seen.known
    joints = torch.where(known, seen.joints, 0.0)
    mean = joints.sum(dim=1, keepdim=True) / known.sum(dim=1, keepdim=True).clamp_min(1)
    middle = torch.where(known[:, :1], joints[:, :1], mean)
    draws = None if seen.draws is None else seen.draws - middle[:, None, :, :2]
    return Seen(joints - middle, seen.doubt, draws), middle


class JointPrior(nn.Module):
    """Score network and SDE of joints in the image frame.

    "Joints" are (B, 17, 3) metres, the pelvis at 0; an "event" is those in units of `UNIT`, flat (B, 51).

    What can be known of each coordinate by itself, from the data's spread and from what is seen of it, needs no
    network: given x0 ~ N(c, s^2), the noise in x_t = alpha x0 + sigma z has the mean sigma (x_t - alpha c) / d^2 and
    the standard deviation alpha s / d, where d^2 = alpha^2 s^2 + sigma^2. The network is shown (x_t - alpha c) / d and
    tells what is left in units of that deviation (as Karras et al. 2022, sec. 5, do without a condition). So an exact
    coordinate comes out exact, and all of the network is there for the others.

    Args:
        network: over 51 dimensions, told 102 numbers.
        mean, std: (51,) units, of events.
        sde: forward diffusion.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: ConditionalJointMLP, mean: Tensor, std: Tensor, sde: SubVP | None = None) -> None:
        super().__init__()
        self.network = network
        self.sde = sde or SubVP()
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())

    def gaussian(self, seen: Seen) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (B, 51) in units of each coordinate of an event, given what is seen of it alone.

        What is seen is centred, so a doubt of the pelvis is every joint's, and a hidden one makes the place doubtful;
        and since detectors are now and then more certain than right, doubt is taken for `CAUTION` times as much.
        """
        own, pelvis = seen.doubt, seen.doubt[:, :1]
        shift = torch.where(torch.isfinite(pelvis), pelvis, UNKNOWN_PLACE)
        doubt = CAUTION * (own.square() + shift.square()).sqrt().flatten(1) / UNIT
        variance = self.std.square()
        known = torch.isfinite(doubt)
        squared = torch.where(known, doubt, 0.0).square()
        gain = torch.where(known, variance / (variance + squared).clamp_min(1e-12), 0.0)
        event = torch.where(seen.known, seen.joints, 0.0).flatten(1) / UNIT
        mean = self.mean + gain * (event - self.mean)
        return mean, torch.where(known, gain * squared, variance).sqrt()

    def noise(self, x_t: Tensor, t: Tensor, mean: Tensor, std: Tensor, seen: Tensor | list[Tensor]) -> Tensor:
        """The predicted noise (B, 51).

        Args:
            x_t: (B, 51) diffused events.
            t: (B',) times, each for B / B' consecutive events.
            mean, std: (B, 51) or (1, 51), of `gaussian`.
            seen: what the network is told.
        """
        alpha, sigma = (c.reshape(-1, 1) for c in self.sde.marginal(t))
        if 1 < len(alpha) < len(x_t):
            alpha, sigma = (c.repeat_interleave(len(x_t) // len(t), dim=0) for c in (alpha, sigma))
        around = x_t - alpha * mean
        spread = ((alpha * std).square() + sigma.square()).sqrt()
        left = self.network(around / spread, t, seen).float()
        return sigma * around / spread.square() + alpha * std / spread * left

    def under(self, seen: Seen, hypotheses: int = 1) -> Denoise:
        """The denoiser of samplers for events (B * hypotheses, 51), those of one person side by side."""
        shared = (*self.gaussian(seen), *self.network.condition_path(told(seen)))
        if hypotheses > 1:
            shared = tuple(rows.repeat_interleave(hypotheses, dim=0) for rows in shared)
        mean, std, *biases = shared

        def denoise(x_t: Tensor, t: Tensor) -> Estimate:
            alpha, sigma = (c.reshape(-1, 1) for c in self.sde.marginal(t))
            noise = self.noise(x_t, t, mean, std, biases)
            return Estimate((x_t - sigma * noise) / alpha, noise, -noise / sigma)

        return denoise


def told(seen: Seen) -> Tensor:
    """What networks are told of a centred observation, (B, 102).

    Coordinates in units, scaled by trust, and the trust: 0 where unknown, else 1 / sqrt(1 + s^2) for s units of doubt.
    """
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
