# SPDX-License-Identifier: GPL-3.0-or-later
"""Lenses against the project's own pinhole camera, and fitted to what they project."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.tasks.fit.camera import Camera
from engine.training.joint_sets.lens import Lens, fitted

SIZE = (2048, 2048)


def points(seed: int, count: int = 50) -> np.ndarray:
    return np.random.default_rng(seed).uniform([-1, -1, -5], [1, 1, -2], (count, 3))


@given(seed=st.integers(0, 99), focal=st.floats(100, 3000), u=st.floats(0, 2000), v=st.floats(0, 2000))
@settings(max_examples=20, deadline=None)
def test_without_distortion_it_is_the_projects_camera(seed: int, focal: float, u: float, v: float) -> None:
    seen = points(seed)
    theirs = Camera(focal, (u, v)).project(torch.from_numpy(seen)).numpy()
    np.testing.assert_allclose(Lens((focal, focal), (u, v), SIZE).project(seen), theirs, atol=1e-8)


@given(seed=st.integers(0, 99), fx=st.floats(100, 3000), fy=st.floats(100, 3000), u=st.floats(-10, 2000))
@settings(max_examples=20, deadline=None)
def test_a_lens_is_found_from_what_it_projects(seed: int, fx: float, fy: float, u: float) -> None:
    lens, seen = Lens((fx, fy), (u, 77.0), SIZE), points(seed)
    found = fitted(seen, lens.project(seen), SIZE)
    np.testing.assert_allclose([*found.focal, *found.centre], [fx, fy, u, 77.0], rtol=1e-6, atol=1e-6)
    assert found.size == SIZE


@given(seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_rays_are_the_way_back(seed: int) -> None:
    """Through a lens that bends as Human3.6M's do, over all of its image."""
    rng = np.random.default_rng(seed)
    radial = (rng.uniform(-0.25, 0.0), rng.uniform(0.0, 0.25), rng.uniform(-0.01, 0.01))
    lens = Lens((1145.0, 1143.0), (512.0, 515.0), (1000, 1002), radial, (0.0015, -0.001))
    pixels = rng.uniform(0.0, 1000.0, (200, 2))
    rays = lens.rays(pixels)
    assert (rays[:, 2] == -1.0).all()
    np.testing.assert_allclose(lens.project(rays * rng.uniform(1, 9, (200, 1))), pixels, atol=2e-3)
    plain = Camera(1145.0, (512.0, 515.0))
    straight = Lens((1145.0, 1145.0), (512.0, 515.0), (1000, 1002)).rays(pixels)
    np.testing.assert_allclose(straight, plain.ray(torch.from_numpy(pixels)).numpy(), atol=1e-12)


def test_a_pixel_that_no_ray_leads_to_is_told() -> None:
    lens = Lens((1000.0, 1000.0), (500.0, 500.0), (1000, 1000), (-0.3, 0.0, 0.0))
    with pytest.raises(ValueError, match="outside"):
        lens.rays(np.array([[500.0, 500.0], [5000.0, 500.0]]))


@pytest.mark.parametrize("seen", [np.zeros((0, 3)), np.ones((4, 3)), np.tile([[0.1, 0.2, -3.0]], (5, 1))])
def test_no_lens_is_found_where_points_tell_none(seen: np.ndarray) -> None:
    with pytest.raises(ValueError, match="points"):
        fitted(seen, np.zeros((len(seen), 2)), SIZE)
