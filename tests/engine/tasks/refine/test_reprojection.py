# SPDX-License-Identifier: GPL-3.0-or-later
"""Reprojection against SciPy's least squares and finite differences, in double precision."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation
from seen_person import person
from torch import Tensor

from engine.body.h36m_joints import h36m_joints
from engine.body.shapes import offsets_of
from engine.priors.rotation_prior import from_event, to_event
from engine.tasks.fit.state import shape_basis
from engine.tasks.refine.reprojection import ROBUST, START_DEVIATION, Reprojection

COUNT = 3


class Scene(NamedTuple):
    """Bodies before a camera that looks along -Z, wrong in pose and place."""

    event: Tensor
    tangents: Tensor
    weight: Tensor
    place: Tensor
    offsets: Tensor

    def loss(self) -> Reprojection:
        return Reprojection(self.tangents, self.weight, self.place, self.offsets)


def scene(spread: float = 0.15, off: float = 0.3, outlier: float = 0.0) -> Scene:
    """Errors of the joints in radians and of the place in metres; one keypoint that many metres away."""
    rng = np.random.default_rng(0)
    someone = person(COUNT, seed=4)
    turns = Rotation.from_rotvec(someone.motion.poses.reshape(-1, 3))
    there = -someone.joints[..., 2:]
    tangents = someone.joints[..., :2] / there
    tangents[:, 13, 0] += outlier / there[:, 13, 0]
    wrong = (Rotation.from_rotvec(rng.normal(0.0, spread, (22 * COUNT, 3))) * turns).as_matrix()
    weight = rng.uniform(20.0, 200.0, (COUNT, 17))
    weight[:, 10] = 0.0
    tangents[:, 10] = 0.0
    return Scene(
        to_event(torch.from_numpy(wrong).reshape(COUNT, 22, 3, 3)),
        torch.from_numpy(tangents),
        torch.from_numpy(weight),
        torch.from_numpy(someone.motion.transl + off * rng.normal(size=(COUNT, 3))),
        torch.from_numpy(someone.motion.offsets),
    )


def residuals(given: Scene, body: int, place: np.ndarray) -> np.ndarray:
    """Whose squares are the objective: each joint's robust distance, by eq. 12, and the way from the start."""
    joints = h36m_joints(from_event(given.event), given.offsets)[body].numpy() + place
    distance = -float(given.place[body, 2])
    away = (joints[:, :2] / -joints[:, 2:] - given.tangents[body].numpy()) * distance
    squared = np.square(away).sum(axis=1)
    robust = given.weight[body].numpy() * ROBUST**2 * squared / (ROBUST**2 + squared)
    return np.concatenate([np.sqrt(robust), (place - given.place[body].numpy()) / START_DEVIATION])


def settled(loss: Reprojection, event: Tensor, rounds: int = 15) -> Tensor:
    """The losses once each body is placed where it is best."""
    rows = torch.arange(len(event))
    for _ in range(rounds):
        value = loss.at(rows)(event)
    return value


@pytest.mark.parametrize("outlier", [0.0, 2.5])
def test_bodies_are_placed_where_least_squares_places_them(outlier: float) -> None:
    given = scene(outlier=outlier)
    loss = given.loss()
    value = settled(loss, given.event)
    for body in range(COUNT):
        start = given.place[body].numpy()
        best = least_squares(lambda place, body=body: residuals(given, body, place), start, xtol=1e-14, ftol=1e-14)
        np.testing.assert_allclose(loss.place[body], best.x, atol=2e-4)
        own = np.square(residuals(given, body, best.x)[:17]).sum()
        np.testing.assert_allclose(float(value[body]), own, rtol=1e-4)


def test_two_steps_are_nearly_enough() -> None:
    """From where the start has the body, some 30 cm off, to where it is best."""
    given = scene()
    once, long = given.loss(), given.loss()
    once.at(torch.arange(COUNT))(given.event)
    settled(long, given.event)
    assert float((once.place - long.place).norm(dim=1).max()) < 0.05


def test_the_gradient_is_that_of_the_placed_body() -> None:
    """By finite differences with the place solved anew: holding it leaves out nothing but the pull of the start."""
    given = scene()
    event = given.event.clone().requires_grad_(True)
    rows = torch.arange(COUNT)
    loss = given.loss()
    settled(loss, given.event)
    (gradient,) = torch.autograd.grad(loss.at(rows)(event).sum(), event)

    def objective(at: Tensor) -> float:
        other = given.loss()
        value = settled(other, at)
        return float(value.sum() + ((other.place - given.place) / START_DEVIATION).square().sum())

    generator = torch.Generator().manual_seed(0)
    for _ in range(6):
        way = torch.randn(event.shape, generator=generator, dtype=torch.float64)
        step = 1e-5 * way
        slope = (objective(given.event + step) - objective(given.event - step)) / 2e-5
        assert float((gradient * way).sum()) == pytest.approx(slope, rel=1e-4)


def test_what_was_not_seen_does_not_count() -> None:
    given = scene()
    moved = given._replace(tangents=given.tangents.index_fill(1, torch.tensor([10]), 7.0))
    torch.testing.assert_close(settled(moved.loss(), given.event), settled(given.loss(), given.event))
    blind = given._replace(weight=torch.zeros_like(given.weight))
    loss = blind.loss()
    assert not settled(loss, given.event).any()
    torch.testing.assert_close(loss.place, given.place)
    assert torch.isnan(loss.miss(given.event)).all()
    torch.testing.assert_close(loss.certainty(given.event), torch.eye(3).double().expand(COUNT, 3, 3))


def test_misses_are_metres_at_the_person() -> None:
    given = scene(spread=0.0, off=0.0)
    aside = given._replace(tangents=given.tangents + torch.tensor([0.03, 0.04]))
    loss = aside.loss()
    torch.testing.assert_close(loss.miss(given.event), 0.05 * -given.place[:, 2])
    settled(loss, given.event)
    assert float(loss.miss(given.event).max()) < 0.02


def test_bodies_of_their_own_size_and_some_of_all() -> None:
    given = scene()
    sizes = torch.linspace(0.8, 1.2, COUNT, dtype=torch.float64)
    offsets = given.offsets * sizes[:, None, None]
    every = Reprojection(given.tangents, given.weight, given.place, offsets)
    value = settled(every, given.event)
    for body in range(COUNT):
        part = slice(body, body + 1)
        alone = Reprojection(given.tangents[part], given.weight[part], given.place[part], offsets[body])
        torch.testing.assert_close(settled(alone, given.event[part]), value[part])
        torch.testing.assert_close(alone.place, every.place[part])
    rows = torch.tensor([0, 2])
    torch.testing.assert_close(every.at(rows)(given.event[rows]), value[rows])


def test_a_shape_is_known_by_exact_keypoints() -> None:
    """Of one person in several poses, who also stands elsewhere."""
    betas = np.array([1.2, -0.8, 0.5, -1.0, 0.7, 0.3, -0.6, 0.4, -0.2, 0.9])
    offsets = torch.from_numpy(offsets_of(betas[None])[0])
    someone = person(12, seed=6)
    poses = someone.motion.poses.reshape(-1, 3)
    turns = torch.from_numpy(Rotation.from_rotvec(poses).as_matrix()).unflatten(0, (12, 22))
    place = torch.from_numpy(someone.motion.transl)
    joints = h36m_joints(turns, offsets) + place[:, None]
    tangents = joints[..., :2] / -joints[..., 2:]
    mean = torch.from_numpy(offsets_of(np.zeros((1, 10)))[0])
    sure = torch.full((12, 17), 1e9, dtype=torch.float64)
    loss = Reprojection(tangents, sure, place + 0.1, mean, torch.from_numpy(shape_basis()))
    event, rows = to_event(turns), torch.arange(12)
    for _ in range(6):
        loss.at(rows)(event)
        loss.reshape(event, rows)
    np.testing.assert_allclose(loss.betas, betas, atol=1e-3)
    torch.testing.assert_close(loss.offsets(rows), offsets, atol=1e-5, rtol=0)
    assert float((loss.place - place).norm(dim=1).max()) < 1e-3
    without = Reprojection(tangents, sure, place, mean)
    without.reshape(event, rows)
    assert not len(without.betas)
