# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking up the training poses that agree best with what is observed: a baseline that learns nothing."""

from __future__ import annotations

import numpy as np

from engine.body import Body, bundled
from engine.evaluation.places import places
from engine.training.dataset import mirror

STRIDE = 10  # every tenth pose (3 Hz): neighbours in time would all be the same hypothesis
CHUNK = 64  # poses looked up at once


class NearestPoses:
    """The training poses themselves and their reflections, as a model.

    Poses are compared by where the observed joints put the body: joint positions with missing rotations at rest.
    On validation poses this completes better than comparing the observed rotations.

    Args:
        poses: (M, 21, 3) axis-angle training poses.
        weights: (M,) sampling probabilities.
        body: whose joints are compared; the bundled one by default.
    """

    def __init__(self, poses: np.ndarray, weights: np.ndarray, body: Body | None = None) -> None:
        thin, share = poses[::STRIDE], weights[::STRIDE]
        self._bank = np.concatenate([thin, mirror(thin)])
        self._shares = np.tile(share, 2) / (2.0 * share.sum())
        self._body = body or bundled()

    def sample(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Training poses (count, 21, 3), drawn by weight."""
        return self._bank[rng.choice(len(self._bank), count, p=self._shares)]

    def complete(
        self, pose: np.ndarray, observed: np.ndarray, hypotheses: int, rng: np.random.Generator
    ) -> np.ndarray:
        """The missing joints of the S nearest training poses, nearest first; nothing is random.

        Args:
            pose: (N, 21, 3) axis-angle; missing joints are not read.
            observed: (21,) bool.
            hypotheses: S, at most as many as there are training poses.
            rng: not used.

        Returns:
            (S, N, 21, 3) float32, observed joints as given.
        """
        bank = self._places(self._bank, observed)
        wanted = self._places(pose, observed)
        squares = (bank**2).sum(axis=1)
        nearest = np.concatenate(
            [
                _smallest(squares - 2.0 * wanted[i : i + CHUNK] @ bank.T, hypotheses)
                for i in range(0, len(pose), CHUNK)
            ]
        )
        return np.where(observed[:, None], pose, self._bank[nearest.T]).astype(np.float32)

    def _places(self, poses: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """(N, 66) joint positions in metres with missing rotations at rest, root at the origin."""
        posed = np.where(observed[:, None], poses, 0.0).astype(np.float32)
        return places(self._body, posed).reshape(len(poses), -1)


def _smallest(distances: np.ndarray, count: int) -> np.ndarray:
    """(N, count) places of the least of each row, ascending."""
    if count < distances.shape[1]:
        places = np.argpartition(distances, count, axis=1)[:, :count]
    else:
        places = np.broadcast_to(np.arange(distances.shape[1]), distances.shape)
    order = np.argsort(np.take_along_axis(distances, places, axis=1), axis=1)
    return np.take_along_axis(places, order, axis=1)
