# SPDX-License-Identifier: GPL-3.0-or-later
"""Few hypotheses that stand for many: what is drawn lies thick where poses are likely, and leaves gaps elsewhere."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor

ROUNDS = 5
"""Of k-means: the last changes are of no account for poses."""


def representatives(drawn: Tensor, count: int, seed: int = 0) -> Tensor:
    """Means (B, count, 17, 3) of groups of hypotheses (B, S, 17, 3), from which those are off the least.

    By k-means (Lloyd 1982) from a start far apart (Arthur and Vassilvitskii 2007); distances are over all joints. Where
    hypotheses differ in fewer places than that, some means are the same.

    Raises:
        ValueError: there are fewer hypotheses than representatives.
    """
    if not 1 <= count <= drawn.shape[1]:
        raise ValueError(f"{drawn.shape[1]} hypotheses have no {count} representatives.")
    found = []
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):  # SciPy's, of groups without members
        warnings.simplefilter("ignore", UserWarning)
        for one in drawn.flatten(2).double().cpu().numpy():
            means, _ = kmeans2(one, count, iter=ROUNDS, minit="++", missing="warn", seed=np.random.default_rng(seed))
            found.append(means)
    return torch.from_numpy(np.stack(found)).to(drawn).unflatten(2, drawn.shape[2:])
