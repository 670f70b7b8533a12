# SPDX-License-Identifier: GPL-3.0-or-later
"""Which joint each vertex of the bundled body follows, for errors of vertices (MPVPE)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from engine.body import bundled
from engine.motion.joints import JOINTS

THIN = 10  # every tenth vertex: errors of neighbours are alike
TURN = 0.5  # radians
MOVED = 1e-4  # metres


@lru_cache(maxsize=1)
def owners() -> np.ndarray:
    """(V,) index of the deepest of the 22 joints whose rotation moves a vertex, for every `THIN`-th vertex."""
    poses = torch.zeros(len(JOINTS) + 1, len(JOINTS), 3)
    for joint in range(len(JOINTS)):
        # No vertex lies on such an axis for every joint, as it would on a bone's own.
        poses[joint + 1, joint] = TURN * torch.tensor([0.48, 0.6, 0.64])
    placed = bundled().vertices(poses, torch.zeros(3))[:, ::THIN].numpy()
    moved = np.linalg.norm(placed[1:] - placed[0], axis=-1) > MOVED
    # Joints come parents first, so the last one that moves a vertex is the deepest.
    return len(JOINTS) - 1 - np.argmax(moved[::-1], axis=0)


def vertices(pose: torch.Tensor) -> torch.Tensor:
    """Every `THIN`-th vertex (N, V, 3) in metres of poses (N, 21, 3), root at rest, pelvis at 0."""
    whole = torch.cat([torch.zeros(len(pose), 1, 3), pose.float()], dim=1)
    return bundled().vertices(whole, torch.zeros(3))[:, ::THIN]
