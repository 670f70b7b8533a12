# SPDX-License-Identifier: GPL-3.0-or-later
"""The five solvers of inverse problems against the exact conditional of a Gaussian prior.

With x_0 ~ N(m, C) and y = A x_0, x_0 given y is normal with mean m + K (y - A m) and covariance
C - K A C, where K = C A^T (A C A^T)^-1. Every item of a batch has the same y and its own noise. How near each
solver comes is said at its test; mean errors are in units of the data, whose standard deviations are 0.5 to 1.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.diffusion.denoiser import Estimate
from engine.diffusion.inverse import Guided, InverseSolver, Repaint, Replacement, Variational
from engine.diffusion.noise import Noise
from engine.diffusion.observation import Mask, Matrix, Observation
from engine.diffusion.samplers import ddim
from engine.diffusion.schedule import fixed, truncated
from engine.errors import Cancelled

COUNT = 2000
SAMPLING = 4.0 / np.sqrt(COUNT)
"""Four standard errors of a mean of unit variance."""
TRUTH = (1.8, -0.6, -0.3)


def _unit(weight: float) -> Any:
    return lambda _: weight


VARIATIONAL = Variational(truncated(600, 0.3, 0.05), 1, _unit(1.0), _unit(0.3), _unit(1.0), 0.01)
SOLVERS: dict[str, InverseSolver] = {
    "variational": replace(VARIATIONAL, times=truncated(8, 0.3, 0.05)),
    "replacement": Replacement(8),
    "repaint": Repaint(4, 2),
    "dps": Guided(8),
    "mcg": Guided(8, replace=True),
}


class Problem(NamedTuple):
    """An observation of `COUNT` items that are alike, and the exact law of what was observed given it."""

    observation: Observation
    matrix: Tensor
    y: Tensor
    mean: Tensor
    covariance: Tensor

    def miss(self, x: Tensor) -> Tensor:
        """|A x - y| of each item."""
        return (x.double() @ self.matrix.T - self.y).norm(dim=1)

    def mean_error(self, x: Tensor) -> float:
        """Greatest difference of the items' mean from the exact one."""
        return float((x.double().mean(dim=0) - self.mean).abs().max())

    def covariance_error(self, x: Tensor) -> float:
        """Greatest difference of the items' covariance from the exact one."""
        return float((torch.cov(x.double().T) - self.covariance).abs().max())


@pytest.fixture(scope="module", params=["mask", "matrix"])
def problem(request: pytest.FixtureRequest, gaussian: Any) -> Problem:
    truth = torch.tensor(TRUTH, dtype=torch.float64)
    if request.param == "mask":
        known = torch.tensor([True, False, False])
        matrix = torch.eye(3, dtype=torch.float64)[known]
        observation: Observation = Mask.of(truth.float().expand(COUNT, 3), known)
    else:
        matrix = torch.tensor([[1.0, 0.5, -0.5], [0.0, 1.0, 1.0]], dtype=torch.float64)
        observation = Matrix(matrix.float(), (matrix @ truth).float().expand(COUNT, 2))
    y = matrix @ truth
    gain = gaussian.covariance @ matrix.T @ torch.linalg.inv(matrix @ gaussian.covariance @ matrix.T)
    return Problem(
        observation,
        matrix,
        y,
        gaussian.mean + gain @ (y - matrix @ gaussian.mean),
        gaussian.covariance - gain @ matrix @ gaussian.covariance,
    )


def _solve(
    solver: InverseSolver, gaussian: Any, observation: Observation, seeds: Any = range(COUNT), **more: Any
) -> Tensor:
    def denoise(x: Tensor, t: Tensor) -> Estimate:
        return Estimate(*(part.float() for part in gaussian.denoise(x, t)))

    start = gaussian.mean.float().expand(len(observation.y), 3)
    return solver(denoise, gaussian.sde, observation, start, Noise(seeds), **more)


def test_the_problem_tells_solvers_apart(gaussian: Any, problem: Problem) -> None:
    """The prior's mean is not the conditional's: a solver that ignored y would fail every test below."""
    assert float((gaussian.mean - problem.mean).abs().max()) > 0.4
    assert float((gaussian.covariance - problem.covariance).abs().max()) > 0.3


def test_repaint_samples_the_conditional(gaussian: Any, problem: Problem) -> None:
    """Exact as steps grow finer and repetitions make both parts agree; 0.02 of bias at 300 steps."""
    x = _solve(Repaint(300, 5, ddim(1.0)), gaussian, problem.observation)
    assert float(problem.miss(x).max()) < 1e-5
    assert problem.mean_error(x) < 0.02 + SAMPLING
    assert problem.covariance_error(x) < 0.02 + np.sqrt(2.0) * SAMPLING


def test_replacement_measures_exactly_and_leans_to_the_prior(gaussian: Any, problem: Problem) -> None:
    """The rest is drawn towards a noised y that the reverse step did not know of, so it follows y only in part.

    0.2 is a quarter to a half of the way between the prior's mean and the conditional's.
    """
    x = _solve(Replacement(200), gaussian, problem.observation)
    assert float(problem.miss(x).max()) < 1e-5
    assert problem.mean_error(x) < 0.2
    assert problem.covariance_error(x) < 0.15


def test_mcg_measures_exactly(gaussian: Any, problem: Problem) -> None:
    """The gradient makes up for what replacement lacks, but nothing ties its strength to y's weight."""
    x = _solve(Guided(200, 0.1, replace=True), gaussian, problem.observation)
    assert float(problem.miss(x).max()) < 1e-5
    assert problem.mean_error(x) < 0.15
    assert problem.covariance_error(x) < 0.15


def test_dps_nearly_measures(gaussian: Any, problem: Problem) -> None:
    """The gradient of a norm does not shrink: the last steps overshoot by up to ``scale`` |A|^2."""
    scale = 0.1
    x = _solve(Guided(200, scale), gaussian, problem.observation)
    overshoot = scale * float(torch.linalg.matrix_norm(problem.matrix, 2)) ** 2
    assert float(problem.miss(x).max()) < 1.2 * overshoot
    assert problem.mean_error(x) < 0.1
    assert problem.covariance_error(x) < 0.15


def test_variational_finds_the_mode(gaussian: Any, problem: Problem) -> None:
    """Small t and weight give the conditional's mode; the optimiser's noise is a part of its spread."""
    x = _solve(VARIATIONAL, gaussian, problem.observation)
    assert float(problem.miss(x).mean()) < 0.01
    assert problem.mean_error(x) < 0.1
    spread = torch.cov(x.double().T).diagonal().max() / problem.covariance.diagonal().max()
    assert float(spread.sqrt()) < 0.25


def test_variational_balances_data_and_prior_at_a_fixed_time(gaussian: Any, problem: Problem) -> None:
    """Algorithm 1's fixed point: d A^T (A x - y) + p sigma^2 (alpha^2 C + sigma^2 I)^-1 (x - m) = 0.

    The second term is E[x - x0_hat(alpha x + sigma z)] in closed form. 0.03: Adam's scaling by noisy gradients.
    """
    t, data, prior = 0.3, 1.0, 0.3
    sigma = gaussian.marginal(t)[1]
    pull = prior * sigma**2 * torch.linalg.inv(gaussian.moments(t)[1])
    expected = torch.linalg.solve(
        data * problem.matrix.T @ problem.matrix + pull,
        data * problem.matrix.T @ problem.y + pull @ gaussian.mean,
    )
    solver = Variational(fixed(800, t, t), 1, _unit(data), _unit(prior), _unit(1.0), 0.01)
    x = _solve(solver, gaussian, problem.observation)
    assert float((expected - problem.mean).abs().max()) > 0.05, "the weights matter"
    torch.testing.assert_close(x.double().mean(dim=0), expected, rtol=0.0, atol=0.03)


def test_variational_obeys_its_weights(gaussian: Any, problem: Problem) -> None:
    """Stages split the iterations evenly; a prior that weighs nothing, by weight or by signal, has no say."""
    stages: list[int] = []

    def of_stage(stage: int) -> float:
        stages.append(stage)
        return 1.0

    data_only = replace(VARIATIONAL, times=truncated(300, 0.3, 0.05), prior_weight=_unit(0.0))
    x = _solve(replace(data_only, stages=3, data_weight=of_stage), gaussian, problem.observation)
    assert stages == [0] * 100 + [1] * 100 + [2] * 100
    # No noise came in: every item took the same way, up to the rounding of matrix products.
    assert float(x.std(dim=0).max()) < 1e-5
    silent = replace(data_only, prior_weight=_unit(1.0), signal_weight=_unit(0.0))
    torch.testing.assert_close(x, _solve(silent, gaussian, problem.observation))


@pytest.mark.parametrize("name", SOLVERS)
def test_an_item_is_solved_the_same_alone_and_in_a_batch(gaussian: Any, name: str) -> None:
    known = torch.tensor([True, False, False])
    events = torch.tensor([TRUTH, (0.2, 0.1, 0.5), (-1.0, 0.0, 0.0)])
    batch = _solve(SOLVERS[name], gaussian, Mask.of(events, known), [7, 3, 11])
    again = _solve(SOLVERS[name], gaussian, Mask.of(events, known), [7, 3, 11])
    alone = _solve(SOLVERS[name], gaussian, Mask.of(events[1:2], known), [3])
    assert torch.equal(batch, again)
    assert torch.equal(batch[1:2], alone)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_solver_reports_and_stops(gaussian: Any, name: str) -> None:
    seen: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 2:
            raise Cancelled("stopped")

    observation = Mask.of(torch.tensor([TRUTH]), torch.tensor([True, False, False]))
    with pytest.raises(Cancelled):
        _solve(SOLVERS[name], gaussian, observation, [0], on_iteration=stop)
    assert [done for done, _ in seen] == [1, 2]
    assert len({total for _, total in seen}) == 1
