# SPDX-License-Identifier: GPL-3.0-or-later
"""Where poses without a root put the joints of a body."""

from __future__ import annotations

import numpy as np
import torch

from engine.body import Body


def places(body: Body, poses: np.ndarray) -> np.ndarray:
    """Joint positions (..., 22, 3) float32 in metres of poses (..., 21, 3), root at rest and at the origin."""
    full = with_root(poses)
    return body.joints(full, torch.zeros(3)).numpy()


def with_root(poses: np.ndarray) -> np.ndarray:
    """Poses (..., 21, 3) float32 with a root at rest put before them: (..., 22, 3)."""
    return np.concatenate([np.zeros_like(poses[..., :1, :]), poses], axis=-2).astype(np.float32)
