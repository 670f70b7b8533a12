# SPDX-License-Identifier: GPL-3.0-or-later
"""ScoreHMR's prior of rotations under a context (Stathopoulos et al. 2024): network, diffusion, and what an event is.

An event is the first two columns of 24 joints' rotation matrices, SMPL's, the root's orientation in the camera's axes
first; the person is on the camera's axis, or the axes are turned such that they are. The hands, which nothing here
moves, are the last two and stay as the forearms.
"""

from __future__ import annotations

import roma
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from engine.diffusion.denoiser import Estimate
from engine.diffusion.keypoint_encoder import KeypointEncoder
from engine.diffusion.rotation_network import RotationMLP
from engine.diffusion.samplers import Denoise
from engine.diffusion.sde import CosineVP
from engine.motion.joints import JOINTS
from engine.priors.representation import SHORTEST_COLUMN

JOINT_COUNT, HANDS = 24, 24 - len(JOINTS)
DIM = 6 * JOINT_COUNT
ROOT = slice(0, 6)
"""Columns of an event that are the root's orientation; the others are the body's pose."""
CHUNK = 1024
"""Events that go through the network together, which bounds its memory."""
CROP_DOUBT = 0.125
"""Of the size of a person in a picture: a keypoint of such a standard deviation is trusted by 0.7."""


class RotationPrior(nn.Module):
    """A denoiser of rotations, and where its context comes from.

    Args:
        network: of the noise.
        encoder: makes contexts of keypoints; None where they are the features of an image that a file gives.
        mean, std: (F,) of those features in training, which they are standardised by.
        sde: the cosine schedule in 1,000 steps.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: RotationMLP,
        encoder: KeypointEncoder | None,
        mean: Tensor | None = None,
        std: Tensor | None = None,
        sde: CosineVP | None = None,
    ) -> None:
        super().__init__()
        self.network, self.encoder = network, encoder
        self.sde = sde or CosineVP()
        size = network.settings["context"]
        self.register_buffer("mean", torch.zeros(size) if mean is None else mean.clone())
        self.register_buffer("std", torch.ones(size) if std is None else std.clone())

    def context(self, seen: Tensor) -> Tensor:
        """Contexts (B, F) of keypoints as `crop` tells them (B, 51), or of features (B, F)."""
        return (seen - self.mean) / self.std if self.encoder is None else self.encoder(seen)

    def under(self, context: Tensor) -> Denoise:
        """The denoiser of samplers for events (B, 144) of contexts (B, F), at times (1,)."""
        parts = [self.network.context_path(rows) for rows in context.split(CHUNK)]

        def predict(x_t: Tensor, t: Tensor) -> Tensor:
            if len(parts) == 1:
                return self.network(x_t, t, parts[0])
            # A gradient keeps what every layer made: of many events it is made again when it is asked for.
            rows = zip(x_t.split(CHUNK), parts, strict=True)
            return torch.cat([checkpoint(self.network, some, t, part, use_reentrant=False) for some, part in rows])

        def denoise(x_t: Tensor, t: Tensor) -> Estimate:
            alpha, sigma = (c.reshape(-1, 1) for c in self.sde.marginal(t))
            noise = predict(x_t, t).float()
            return Estimate((x_t - sigma * noise) / alpha, noise, -noise / sigma.clamp_min(1e-12))

        return denoise


def to_event(turns: Tensor) -> Tensor:
    """Events (B, 144) of local rotation matrices (B, 22, 3, 3)."""
    hands = torch.eye(3).to(turns).expand(len(turns), HANDS, 3, 3)
    return torch.cat([turns, hands], dim=1)[..., :2].flatten(1)


def from_event(event: Tensor) -> Tensor:
    """Local rotation matrices (B, 22, 3, 3) of events (B, 144), by Gram-Schmidt; differentiable."""
    columns = event.unflatten(1, (JOINT_COUNT, 3, 2))[:, : len(JOINTS)]
    return roma.special_gramschmidt(columns, SHORTEST_COLUMN)


def crop(places: Tensor, doubt: Tensor) -> Tensor:
    """What the encoder is told of keypoints, (B, 51): as in a picture that is cropped to the person.

    Two coordinates in units of the person's size, scaled by trust, and the trust, joint by joint: 0 where a joint was
    not seen, else 1 / sqrt(1 + s^2) for s of `CROP_DOUBT`.

    Args:
        places: (B, 17, 2) in any unit, u to the right and v up.
        doubt: (B, 17) standard deviations in that unit, infinite where a joint was not seen.
    """
    known = torch.isfinite(doubt)[..., None]
    count = known.sum(dim=1, keepdim=True).clamp_min(1)
    seen = torch.where(known, places, 0.0)
    away = torch.where(known, seen - seen.sum(dim=1, keepdim=True) / count, 0.0)
    size = (away.square().sum(dim=(1, 2), keepdim=True) / count).sqrt().clamp_min(1e-6)
    trust = torch.where(known, torch.rsqrt(1.0 + (doubt[..., None] / size / CROP_DOUBT).square()), 0.0)
    return torch.cat([away / size * trust, trust], dim=2).flatten(1)
