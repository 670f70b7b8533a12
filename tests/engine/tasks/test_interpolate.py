# SPDX-License-Identifier: GPL-3.0-or-later
"""Equation 22 against SciPy, and paths between poses through the bundled prior's latents."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial import geometric_slerp

from engine.errors import Cancelled, MotionError
from engine.priors.pose_prior import PosePrior
from engine.priors.weights import load_pose_prior
from engine.tasks.generate import GenerateSettings, generate
from engine.tasks.interpolate import interpolate, interpolate_pairs, slerp


@pytest.fixture(scope="module")
def prior() -> PosePrior:
    return load_pose_prior()


@pytest.fixture(scope="module")
def poses(prior: PosePrior) -> np.ndarray:
    return generate(2, GenerateSettings(steps=15, seed=4, device="cpu"), prior)


def test_slerp_of_unit_vectors_is_scipys() -> None:
    ends = np.random.default_rng(0).standard_normal((2, 5))
    ends /= np.linalg.norm(ends, axis=1, keepdims=True)
    share = np.linspace(0.0, 1.0, 7)
    a, b = (torch.from_numpy(np.tile(end, (7, 1))) for end in ends)
    np.testing.assert_allclose(
        slerp(a, b, torch.from_numpy(share)).numpy(), geometric_slerp(*ends, share), atol=1e-12
    )


def test_slerp_between_lengths_is_equation_22() -> None:
    """At right angles sin and cos of the share's angle are the weights, whatever the lengths."""
    a, b = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    found = slerp(a, b, torch.tensor([1.0 / 3.0]))
    np.testing.assert_allclose(found.numpy(), [[3.0 * np.cos(np.pi / 6), 2.0 * np.sin(np.pi / 6)]], rtol=1e-6)


def test_slerp_of_equal_latents_is_the_latent() -> None:
    a = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    assert torch.allclose(slerp(a, a, torch.tensor([0.3], dtype=torch.float64)), a)


def test_ends_are_the_poses_and_the_way_is_continuous(prior: PosePrior, poses: np.ndarray) -> None:
    path = interpolate(*poses, 9, prior, device="cpu")
    assert path.shape == (9, 21, 3)
    np.testing.assert_array_equal(path[[0, -1]], poses)
    steps = np.abs(np.diff(path, axis=0)).max(axis=(1, 2))
    assert steps.max() < 0.5 * np.abs(poses[1] - poses[0]).max()


def test_the_way_back_is_the_same_way(prior: PosePrior, poses: np.ndarray) -> None:
    there = interpolate(poses[0], poses[1], 5, prior, device="cpu")
    back = interpolate(poses[1], poses[0], 5, prior, device="cpu")
    np.testing.assert_allclose(there, back[::-1], atol=1e-4)


def test_decoding_an_end_gives_its_pose_again(prior: PosePrior, poses: np.ndarray) -> None:
    left, right = np.array([0, 0]), np.array([1, 1])
    found = interpolate_pairs(poses, left, right, np.array([0.0, 1.0]), prior)
    np.testing.assert_allclose(found, poses, atol=2e-3)


@pytest.mark.parametrize("count", [-1, 0, 1])
def test_a_path_has_two_ends(poses: np.ndarray, count: int) -> None:
    with pytest.raises(MotionError, match="two poses"):
        interpolate(*poses, count)


def test_what_is_no_pose_is_one_sentence(poses: np.ndarray) -> None:
    for wrong in (poses[0] * np.nan, poses[0][:, :2]):
        with pytest.raises((MotionError, ValueError)):
            interpolate(wrong, poses[1], 5)


def test_it_can_be_cancelled(prior: PosePrior, poses: np.ndarray) -> None:
    stages: list[str] = []

    def cancel(done: int, total: int, stage: str) -> None:
        stages.append(stage)
        if stage.startswith("Decoding"):
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        interpolate(*poses, 4, prior, device="cpu", on_step=cancel)
    assert stages[0].startswith("Encoding")
