# SPDX-License-Identifier: GPL-3.0-or-later
"""Representations of rotations against SciPy, and priors over them on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from scipy.spatial.transform import Rotation

from engine.diffusion.networks import ScoreMLP
from engine.errors import WeightsError
from engine.priors.pose_prior import PosePrior
from engine.priors.representation import NORMALISATIONS, REPRESENTATIONS, decode_6d, encode_6d
from engine.priors.weights import load_pose_prior, save_pose_prior


def some_prior(representation: str = "6d", normalisation: str = "z-score") -> PosePrior:
    generator = torch.Generator().manual_seed(0)
    size = 21 * REPRESENTATIONS[representation].size
    mean, std = torch.randn(size, generator=generator), torch.rand(size, generator=generator) + 0.1
    network = ScoreMLP(size, hidden=64, embed=32)
    return PosePrior(network, mean, std, representation=representation, normalisation=normalisation).eval()


def some_poses(count: int) -> torch.Tensor:
    """(count, 21, 3) radians, angles at most pi."""
    rotations = Rotation.random(count * 21, random_state=0).as_rotvec()
    return torch.from_numpy(rotations.reshape(count, 21, 3)).float()


def test_six_numbers_are_the_first_two_columns() -> None:
    rotvec = some_poses(3)
    matrices = Rotation.from_rotvec(rotvec.reshape(-1, 3).numpy()).as_matrix()
    np.testing.assert_allclose(encode_6d(rotvec).reshape(-1, 3, 2), matrices[..., :2], atol=1e-6)


@settings(deadline=None, max_examples=50)
@given(numbers=st.lists(st.floats(-2, 2), min_size=6, max_size=6))
def test_any_six_numbers_decode_to_the_rotation_of_their_qr(numbers: list[float]) -> None:
    """Gram-Schmidt is the QR factorisation with a positive diagonal."""
    columns = np.array(numbers).reshape(3, 2)
    if np.linalg.svd(columns, compute_uv=False)[-1] < 0.05:
        return
    q, r = np.linalg.qr(columns)
    q = q * np.sign(np.diag(r))
    expected = np.column_stack([q, np.cross(q[:, 0], q[:, 1])])
    found = Rotation.from_rotvec(decode_6d(torch.tensor(numbers, dtype=torch.float64)).numpy()).as_matrix()
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_degenerate_columns_decode_to_finite_rotations() -> None:
    columns = torch.tensor([[0.0] * 6, [1.0, 2.0, 0.0, 0.0, 0.0, 0.0]], requires_grad=True)
    decoded = decode_6d(columns)
    decoded.sum().backward()
    assert columns.grad is not None
    assert torch.isfinite(decoded).all() and torch.isfinite(columns.grad).all()


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_poses_survive_normalisation(representation: str) -> None:
    prior, poses = some_prior(representation), some_poses(5)
    event = prior.normalise(poses)
    assert event.shape == (5, prior.dim) == (5, {"axis-angle": 63, "6d": 126}[representation])
    turns = [Rotation.from_rotvec(p.reshape(-1, 3).numpy()) for p in (prior.denormalise(event), poses)]
    assert (turns[0] * turns[1].inv()).magnitude().max() < 2e-3


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_denormalising_is_differentiable(representation: str) -> None:
    prior = some_prior(representation).double()
    pose = some_poses(1).double()
    pose[:, 0] = 0.0
    event = prior.normalise(pose).requires_grad_(True)
    assert torch.autograd.gradcheck(prior.denormalise, event, eps=1e-7, atol=1e-4)


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_a_joints_coordinates_are_those_that_it_changes(representation: str) -> None:
    prior, poses = some_prior(representation), some_poses(2)
    joints = torch.zeros(21, dtype=torch.bool)
    joints[[3, 17]] = True
    changed = poses.clone()
    changed[:, joints] = some_poses(4)[2:, joints]
    moved = (prior.normalise(changed) != prior.normalise(poses)).all(dim=0)
    assert torch.equal(prior.coordinates_of(joints), moved)
    assert prior.coordinates_of(joints.expand(5, 21)).shape == (5, prior.dim)


@pytest.mark.parametrize("representation", REPRESENTATIONS)
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_files_tell_what_a_prior_is_over(representation: str, normalisation: str, tmp_path: Path) -> None:
    prior = some_prior(representation, normalisation)
    path = tmp_path / "prior.safetensors"
    save_pose_prior(path, prior, {})
    again = load_pose_prior(path)
    assert (again.representation.name, again.normalisation) == (representation, normalisation)
    torch.testing.assert_close(again.normalise(some_poses(2)), prior.normalise(some_poses(2)))


@pytest.mark.parametrize(
    "change", [{"representation": "quaternion"}, {"representation": "axis-angle"}, {"normalisation": "log"}]
)
def test_files_that_do_not_fit_their_representation_are_refused(
    change: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "prior.safetensors"
    save_pose_prior(path, some_prior("6d"), {})
    with safe_open(path, framework="pt") as file:
        tensors, metadata = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()
    save_file(tensors, path, metadata | change)
    with pytest.raises(WeightsError, match=r"prior\.safetensors"):
        load_pose_prior(path)


def test_files_from_before_the_choice_are_z_scored_axis_angles() -> None:
    prior = load_pose_prior()
    assert (prior.dim, prior.representation.name, prior.normalisation) == (63, "axis-angle", "z-score")
