# SPDX-License-Identifier: GPL-3.0-or-later
"""Normalisations against what they promise of the training poses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.priors.representation import NORMALISATIONS, REPRESENTATIONS
from engine.training.dataset import PoseSet, mirror
from engine.training.statistics import statistics


@pytest.fixture
def poses() -> PoseSet:
    rng = np.random.default_rng(0)
    return PoseSet(
        rng.normal(0.1, 0.3, (400, 21, 3)).astype(np.float32), np.repeat(np.arange(4), [10, 40, 150, 200])
    )


def events(poses: PoseSet, representation: str, normalisation: str) -> torch.Tensor:
    """(2 * N, dim), the poses and their mirror images, normalised."""
    centre, scale = statistics(poses, representation, normalisation)
    both = torch.from_numpy(np.concatenate([poses.poses, mirror(poses.poses)]))
    return (REPRESENTATIONS[representation].encode(both).flatten(1) - centre) / scale


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_min_max_fills_the_cube(poses: PoseSet, representation: str) -> None:
    event = events(poses, representation, "min-max")
    torch.testing.assert_close(event.amin(0), -torch.ones(event.shape[1]), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(event.amax(0), torch.ones(event.shape[1]), atol=1e-5, rtol=0.0)


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_z_scores_are_standard_under_the_sampling_weights(poses: PoseSet, representation: str) -> None:
    event = events(poses, representation, "z-score").double()
    weights = torch.from_numpy(np.tile(poses.subject_weights(), 2) / 2.0)[:, None]
    torch.testing.assert_close(
        (weights * event).sum(0), torch.zeros(event.shape[1]).double(), atol=1e-5, rtol=0.0
    )
    torch.testing.assert_close(
        (weights * event**2).sum(0), torch.ones(event.shape[1]).double(), atol=1e-4, rtol=0.0
    )


def test_none_leaves_the_poses_alone(poses: PoseSet) -> None:
    event = events(poses, "axis-angle", "none")
    torch.testing.assert_close(event[: len(poses)], torch.from_numpy(poses.poses).flatten(1))


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_a_coordinate_that_never_changes_divides_by_no_zero(normalisation: str) -> None:
    still = PoseSet(np.zeros((5, 21, 3), np.float32), np.zeros(5, np.int64))
    assert torch.isfinite(events(still, "axis-angle", normalisation)).all()


def test_unknown_normalisations_are_refused(poses: PoseSet) -> None:
    with pytest.raises(ValueError, match="whitening"):
        statistics(poses, "axis-angle", "whitening")
