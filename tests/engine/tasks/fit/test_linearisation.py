# SPDX-License-Identifier: GPL-3.0-or-later
"""Analytic derivatives of points, cameras and shapes against automatic differentiation and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from torch.autograd.functional import jacobian

from engine.body import bundled, mean_offsets
from engine.priors.weights import load_pose_prior
from engine.tasks.fit.camera import Camera
from engine.tasks.fit.linearisation import Points, place, right_jacobian
from engine.tasks.fit.state import BETAS, Space, shape_basis, to_body

POINTS = Points.of(
    np.array([15, 20, 7, 0]), np.array([[0.0, 0.05, 0.1], [0.0, 0.0, 0.0], [0.02, 0.0, 0.0], [0.1, 0, 0]])
)


@pytest.mark.parametrize("size", [0.0, 1e-5, 0.3, 3.1])
def test_right_jacobian_is_the_derivative_of_the_exponential(size: float) -> None:
    theta = size * np.array([0.48, -0.6, 0.64])
    step = 1e-6
    moved = [Rotation.from_rotvec(theta).inv() * Rotation.from_rotvec(theta + step * e) for e in np.eye(3)]
    expected = np.stack([m.as_rotvec() / step for m in moved], axis=1)
    np.testing.assert_allclose(right_jacobian(torch.from_numpy(theta)).numpy(), expected, atol=1e-5)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000))
def test_points_move_as_automatic_differentiation_says(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    pose = 0.8 * torch.randn(1, 22, 3, generator=generator, dtype=torch.float64)
    offsets, origin = torch.from_numpy(mean_offsets()), torch.zeros(1, 3, dtype=torch.float64)
    expected = jacobian(lambda p: place(p, origin, offsets, POINTS).points, pose)[0, :, :, 0]
    found = place(pose, origin, offsets, POINTS).by_rotation[0]
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


def test_orientations_turn_as_finite_differences_say() -> None:
    generator = torch.Generator().manual_seed(3)
    pose = 0.5 * torch.randn(1, 22, 3, generator=generator, dtype=torch.float64)
    offsets, origin = torch.from_numpy(mean_offsets()), torch.zeros(1, 3, dtype=torch.float64)
    shift = torch.zeros_like(pose)
    shift[0, 16, 1] = 1e-6  # the left shoulder carries the left wrist
    before, after = (place(p, origin, offsets, POINTS) for p in (pose, pose + shift))
    turned = Rotation.from_matrix((after.turns[0, 1] @ before.turns[0, 1].mT).numpy()).as_rotvec() / 1e-6
    np.testing.assert_allclose(before.turning[0, 1, :, 16, 1].numpy(), turned, atol=1e-5)


def test_rows_of_a_space_are_linearised_with_shape_and_position() -> None:
    space = Space.of(load_pose_prior(), mean_offsets(), shape_basis())
    x = 0.5 * torch.randn(1, space.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = jacobian(lambda row: space.place(row, POINTS)[0].points, x)[0, :, :, 0]
    torch.testing.assert_close(space.place(x, POINTS)[1][0], expected, atol=1e-9, rtol=0)


def test_the_shape_basis_gives_the_bodys_own_offsets() -> None:
    betas = np.linspace(-2.0, 2.0, 10)
    np.testing.assert_allclose(mean_offsets() + shape_basis() @ betas, bundled(betas).offsets, atol=2e-3)


def test_rows_hold_what_was_put_into_them() -> None:
    space = Space.of(load_pose_prior(), mean_offsets(), shape_basis())
    rng = np.random.default_rng(0)
    pose, transl, betas = rng.normal(size=(2, 22, 3)) * 0.5, rng.normal(size=(2, 3)), rng.normal(size=(2, 10))
    x = space.rows(*(torch.from_numpy(a) for a in (pose, transl, betas)))
    assert x[:, BETAS].shape == (2, 10)
    for found, given_ in zip(to_body(space, x), (pose, transl, betas), strict=True):
        np.testing.assert_allclose(found, given_, atol=1e-9)


def test_the_camera_projects_by_similar_triangles() -> None:
    camera = Camera(1000.0, (320.0, 240.0))
    points = torch.tensor([[0.0, 0.0, -4.0], [1.0, 0.5, -2.0]], dtype=torch.float64)
    assert camera.project(points).tolist() == [[320.0, 240.0], [820.0, -10.0]]
    torch.testing.assert_close(
        camera.project(3.0 * camera.ray(camera.project(points))), camera.project(points)
    )
    expected = jacobian(camera.project, points[1])
    torch.testing.assert_close(camera.linearise(points)[1][1], expected)
