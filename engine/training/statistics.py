# SPDX-License-Identifier: GPL-3.0-or-later
"""Centre and scale of the training poses, by which a prior normalises (DPoser sec. D)."""

from __future__ import annotations

import numpy as np
import torch

from engine.priors.representation import REPRESENTATIONS
from engine.training import dataset

SMALLEST_SCALE = 1e-3
"""Least scale of a coordinate, so that one that hardly ever changes does not blow up in a body that moves it."""


def statistics(
    poses: dataset.PoseSet, representation: str, normalisation: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Centre and scale, (dim,) float32 each, of poses and their mirror images.

    Args:
        poses: the training poses; mean and deviation are over subjects' weights, the range over all.
        representation: a name of `REPRESENTATIONS`.
        normalisation: a name of `engine.priors.representation.NORMALISATIONS`.

    Raises:
        ValueError: an unknown normalisation.
    """
    both = np.stack([poses.poses, dataset.mirror(poses.poses)])
    flat = REPRESENTATIONS[representation].encode(torch.from_numpy(both)).numpy().reshape(*both.shape[:2], -1)
    if normalisation == "none":
        centre, scale = np.zeros(flat.shape[-1]), np.ones(flat.shape[-1])
    elif normalisation == "min-max":
        low, high = flat.min(axis=(0, 1)), flat.max(axis=(0, 1))
        centre, scale = (high + low) / 2.0, (high - low) / 2.0
    elif normalisation == "z-score":
        weights = poses.subject_weights()[:, None]
        centre = (flat.mean(axis=0) * weights).sum(axis=0)
        scale = np.sqrt((((flat - centre) ** 2).mean(axis=0) * weights).sum(axis=0))
    else:
        raise ValueError(f"There is no normalisation {normalisation}.")
    return torch.from_numpy(centre).float(), torch.from_numpy(np.maximum(scale, SMALLEST_SCALE)).float()
