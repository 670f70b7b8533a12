# SPDX-License-Identifier: GPL-3.0-or-later
"""What every baseline can do."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class PoseBaseline(Protocol):
    """A model of body poses: 21 joints of axis-angle in radians, root left out."""

    def sample(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Poses (count, 21, 3) float32."""
        ...

    def complete(
        self, pose: np.ndarray, observed: np.ndarray, hypotheses: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Fill missing joints, differently each time.

        Args:
            pose: (N, 21, 3); missing joints are not read.
            observed: (21,) bool.
            hypotheses: S completions of every pose.
            rng: source of randomness.

        Returns:
            (S, N, 21, 3) float32, observed joints as given, best guess first where the model has one.
        """
        ...
