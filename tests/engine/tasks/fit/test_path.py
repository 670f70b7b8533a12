# SPDX-License-Identifier: GPL-3.0-or-later
"""Least squares over a path against the same system written out and solved densely."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.tasks.fit.levenberg import Damping, Linear
from engine.tasks.fit.path import Bending, minimise_path

SIZE = 3
COLUMNS = torch.tensor([0, 2])


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
@pytest.mark.parametrize(("before", "after"), [(0, 0), (2, 2), (1, 0), (0, 2)])
def test_a_linear_path_is_the_dense_solution(frames: int, before: int, after: int) -> None:
    generator = torch.Generator().manual_seed(frames + 10 * before + 100 * after)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    jacobian, aim = random(frames, 2, SIZE), random(frames, 2)
    start, centre, known = random(frames, SIZE), random(frames, SIZE), random(4, SIZE)
    root = random(SIZE, SIZE)
    precision = root @ root.T + torch.eye(SIZE, dtype=torch.float64)
    bending = Bending(5.0, known[:before], known[2 : 2 + after])

    def linearise(x: torch.Tensor) -> Linear:
        values = (jacobian @ x[..., None])[..., 0] - aim
        return Linear(values, jacobian, values.square().sum(dim=1))

    found = minimise_path(
        linearise, start, start, centre, precision, bending, COLUMNS, 40, Damping(start=1e-3)
    ).numpy()

    free = [t * SIZE + int(c) for t in range(frames) for c in COLUMNS]
    rows, right = [], []
    for t in range(frames):
        here = np.zeros((2, frames * SIZE))
        here[:, t * SIZE : (t + 1) * SIZE] = jacobian[t]
        rows.append(here)
        right.append(aim[t].numpy())
        factor = np.linalg.cholesky(precision.numpy()).T
        here = np.zeros((SIZE, frames * SIZE))
        here[:, t * SIZE : (t + 1) * SIZE] = factor
        rows.append(here)
        right.append(factor @ centre[t].numpy())
    total = before + frames + after
    for middle in range(1, total - 1):
        here, value = np.zeros((SIZE, frames * SIZE)), np.zeros(SIZE)
        for t, weight in ((middle - 1, 1.0), (middle, -2.0), (middle + 1, 1.0)):
            own = t - before
            if 0 <= own < frames:
                here[:, own * SIZE : (own + 1) * SIZE] += weight * np.eye(SIZE)
                value += weight * start[own].numpy()
            else:
                value -= weight * (bending.before[t] if own < 0 else bending.after[own - frames]).numpy()
        rows.append(np.sqrt(5.0) * here)
        right.append(np.sqrt(5.0) * value)
    matrix, vector = np.concatenate(rows), np.concatenate(right)
    expected = start.numpy().ravel().copy()
    vector = vector - matrix @ np.where(np.isin(np.arange(frames * SIZE), free), 0.0, expected)
    expected[free] = np.linalg.lstsq(matrix[:, free], vector, rcond=None)[0]
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-8)
    assert (found[:, 1] == start.numpy()[:, 1]).all()
