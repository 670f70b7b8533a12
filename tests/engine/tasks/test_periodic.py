# SPDX-License-Identifier: GPL-3.0-or-later
"""Random loops have the spectrum they are drawn from, given that they begin at zero."""

from __future__ import annotations

import numpy as np
import pytest

from engine.priors.dynamics import Dynamics
from engine.tasks.periodic import HIGHEST, phases, sample

SECONDS, FPS = 4.0, 60.0
DYNAMICS = Dynamics(
    np.array([0.1, 1.0, 3.0]),
    np.array([[[4.0, 1.0], [1.0, 2.0]], [[1.0, 0.5], [0.5, 1.0]], [[0.1, 0.0], [0.0, 0.1]]]),
    np.zeros(2),
)


def test_a_loop_begins_and_ends_at_zero_and_its_velocity_goes_on() -> None:
    phase = phases(round(SECONDS * FPS) + 1)
    drawn = sample(DYNAMICS, SECONDS, FPS, np.random.default_rng(0), np.array([True, False]))
    curve = drawn.at(phase)
    np.testing.assert_allclose(curve[[0, -1]], 0.0, atol=1e-6)
    step = np.diff(curve, axis=0)
    np.testing.assert_allclose(step[0], step[-1], atol=3.0 * np.abs(np.diff(step, axis=0)).max())
    velocity = np.diff(drawn.at(np.array([-1e-5, 1e-5])), axis=0)[0] / 2e-5
    usual = np.abs(step).mean(axis=0) * SECONDS * FPS
    assert abs(velocity[0]) < 1e-3 * usual[0], "at rest where that is asked for"
    assert abs(velocity[1]) > 1e-2 * usual[1]


def test_variances_are_those_of_the_process_given_its_start() -> None:
    """Against the closed form for a Gaussian process: C(0) - C(t) C(0)^-1 C(t)."""
    none = np.zeros(2, bool)
    at = np.array([0.05, 0.2, 0.5])
    drawn = np.array([sample(DYNAMICS, SECONDS, FPS, np.random.default_rng(n), none).at(at) for n in range(4000)])
    found = np.einsum("nti,ntj->tij", drawn, drawn) / len(drawn)
    rate = np.arange(1, int(SECONDS * HIGHEST) + 1) / SECONDS
    power = 2.0 / SECONDS * DYNAMICS.density_at(rate)
    start = power.sum(axis=0)
    for t, covariance in zip(at, found, strict=True):
        lagged = np.einsum("k,kij->ij", np.cos(2.0 * np.pi * rate * t * SECONDS), power)
        expected = start - lagged @ np.linalg.solve(start, lagged)
        np.testing.assert_allclose(covariance, expected, atol=0.08 * np.abs(start).max())


@pytest.mark.parametrize("fps", [24.0, 120.0])
def test_the_frame_rate_only_leaves_out_what_is_too_fast(fps: float) -> None:
    none, at = np.zeros(2, bool), np.linspace(0.0, 1.0, 9)
    curves = [sample(DYNAMICS, SECONDS, rate, np.random.default_rng(5), none).at(at) for rate in (fps, 60.0)]
    np.testing.assert_allclose(*curves, atol=1e-9)
