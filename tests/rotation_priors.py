# SPDX-License-Identifier: GPL-3.0-or-later
"""Small priors of rotations, which know nothing and so only do as they are guided."""

from __future__ import annotations

import torch

from engine.diffusion.keypoint_encoder import KeypointEncoder
from engine.diffusion.rotation_network import RotationMLP
from engine.priors.rotation_prior import DIM, RotationPrior


def untrained(features: int | None = None, seed: int = 0) -> RotationPrior:
    """A prior of contexts of keypoints, or of so many features."""
    torch.manual_seed(seed)
    size = 8 if features is None else features
    encoder = None if features is not None else KeypointEncoder(context=size, dim=DIM, hidden=16, blocks=1)
    prior = RotationPrior(RotationMLP(DIM, size, 16, 1), encoder)
    # Of noise it tells little, as of little noise there is little to tell.
    torch.nn.init.normal_(prior.network.end.weight, std=0.01)
    torch.nn.init.zeros_(prior.network.end.bias)
    return prior.eval().requires_grad_(False)
