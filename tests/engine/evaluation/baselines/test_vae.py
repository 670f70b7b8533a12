# SPDX-License-Identifier: GPL-3.0-or-later
"""The VAE on poses of a known two-dimensional family, trained for seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.evaluation.baselines import vae_training
from engine.evaluation.baselines.vae import CodingVae, OptimisedVae, PoseVae
from engine.evaluation.baselines.vae_training import VaeSettings, trained_vae
from engine.training.dataset import PoseSet, mirror

SETTINGS = VaeSettings(iterations=400)
HALF = np.arange(21) < 11


@pytest.fixture(scope="module")
def family() -> PoseSet:
    """All joints are driven by two numbers: half the joints determine the other half."""
    rng = np.random.default_rng(0)
    directions = 0.3 * rng.standard_normal((2, 63))
    poses = (rng.standard_normal((4000, 2)) @ directions).reshape(-1, 21, 3)
    return PoseSet(poses.astype(np.float32), np.zeros(4000, np.int64))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("baselines")


@pytest.fixture(scope="module")
def model(family: PoseSet, cache: Path) -> PoseVae:
    return trained_vae(family, SETTINGS, cache)


def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles in degrees between rotations (..., 3)."""
    turns = [Rotation.from_rotvec(x.reshape(-1, 3)) for x in (a, b)]
    return np.rad2deg((turns[0].inv() * turns[1]).magnitude()).reshape(a.shape[:-1])


def test_reconstruction_is_near(model: PoseVae, family: PoseSet) -> None:
    poses = family.poses[:200]
    error = apart(model.reconstruct(poses), poses).mean()
    assert error < 0.35 * apart(poses, np.zeros_like(poses)).mean()


@pytest.mark.parametrize("way", [CodingVae, OptimisedVae])
def test_completion_reads_the_observed_joints_only(
    way: type[CodingVae], model: PoseVae, family: PoseSet
) -> None:
    truth = family.poses[:20]
    blank = np.where(HALF[:, None], truth, np.float32(np.nan))
    completed = way(model).complete(blank, HALF, 4, np.random.default_rng(1))
    assert completed.shape == (4, 20, 21, 3)
    np.testing.assert_array_equal(completed[:, :, HALF], np.broadcast_to(truth, completed.shape)[:, :, HALF])
    assert np.isfinite(completed).all()
    assert (completed[0] != completed[1])[:, ~HALF].any()


def test_optimised_completion_beats_rest(model: PoseVae, family: PoseSet) -> None:
    truth = family.poses[:50]
    completed = OptimisedVae(model).complete(truth, HALF, 1, np.random.default_rng(1))[0]
    error = apart(completed, truth)[:, ~HALF].mean()
    assert error < 0.6 * apart(truth, np.zeros_like(truth))[:, ~HALF].mean()


def test_samples_lie_in_the_family(model: PoseVae, family: PoseSet) -> None:
    """They vary, and stay near the four dimensions of the family and its reflection, of 63."""
    seen = np.concatenate([family.poses, mirror(family.poses)]).reshape(-1, 63)
    sampled = CodingVae(model).sample(1000, np.random.default_rng(2)).reshape(-1, 63)
    ratio = np.linalg.norm(sampled.std(axis=0)) / np.linalg.norm(seen.std(axis=0))
    assert 0.3 < ratio < 1.2
    basis = np.linalg.svd(seen, full_matrices=False)[2][:4]
    assert ((sampled @ basis.T) ** 2).sum() > 0.8 * (sampled**2).sum()


def test_the_cache_gives_the_same_model_without_training(
    model: PoseVae, family: PoseSet, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> PoseVae:
        raise AssertionError("trained again")

    monkeypatch.setattr(vae_training, "train_vae", refuse)
    again = trained_vae(family, SETTINGS, cache)
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    (file,) = cache.iterdir()
    file.write_bytes(b"damaged")
    with pytest.raises(AssertionError, match="trained again"):
        trained_vae(family, SETTINGS, cache)
