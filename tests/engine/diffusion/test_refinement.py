# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop of inversion and guided sampling, on Gaussian data: what is done stays, alone as in a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.diffusion.denoiser import Estimate
from engine.diffusion.guidance import Guidance
from engine.diffusion.implicit_guidance import ImplicitGuidance
from engine.diffusion.refinement import Refined, RefinementSettings, invert, latent_times, refine
from engine.diffusion.samplers import Denoise, ddim, integrate
from engine.diffusion.sde import CosineVP
from engine.errors import Cancelled

SDE = CosineVP()
MEAN, VARIANCE = torch.tensor([0.2, -0.1, 0.4]).double(), torch.tensor([0.3, 0.5, 0.2]).double()
START = torch.tensor([[0.9, 0.4, 0.1], [-0.3, 1.2, 0.8], [0.2, -0.1, 0.4], [1.5, -1.0, 0.0], [0.0, 0.7, -0.6]]).double()
SEEN = torch.tensor([0.1, 0.9, 0.2, 1.4, -0.5]).double()
SURE = torch.tensor([400.0, 3.0, 400.0, 60.0, 0.5]).double()
"""Weights, by which rows settle sooner or later."""


def denoise(x: Tensor, t: Tensor) -> Estimate:
    """The exact one of independent coordinates, of which an item's arithmetic does not depend on its batch."""
    alpha, sigma = (c.double() for c in SDE.marginal(t))
    noise = sigma * (x - alpha * MEAN) / (alpha**2 * VARIANCE + sigma**2)
    return Estimate((x - sigma * noise) / alpha, noise, -noise / sigma)


@dataclass
class Observed:
    """The first coordinate of each event is seen; who is asked for is noted."""

    asked: list[list[int]] = field(default_factory=list)
    evaluated: dict[int, int] = field(default_factory=dict)
    own: list[int] = field(default_factory=lambda: list(range(len(START))))

    def denoise(self, rows: Tensor) -> Denoise:
        here = [self.own[row] for row in rows.tolist()]
        self.asked.append(here)

        def counted(x: Tensor, t: Tensor) -> Estimate:
            assert len(x) == len(here)
            for row in here:
                self.evaluated[row] = self.evaluated.get(row, 0) + 1
            return denoise(x, t)

        return counted

    def guidance(self, rows: Tensor, x: Tensor) -> Guidance:
        chosen = torch.tensor(self.own)[rows]
        assert x.shape == (len(rows), 3)
        return lambda x0: SURE[chosen] * (x0[:, 0] - SEEN[chosen]).square()

    def implicit_guidance(self, rows: Tensor, x: Tensor) -> ImplicitGuidance | None:
        return None


SETTINGS = RefinementSettings(rounds=8, depth=60, stride=6, tolerance=3e-2)


def of_all(settings: RefinementSettings = SETTINGS, group: Tensor | None = None) -> tuple[Refined, Observed]:
    problem = Observed()
    return refine(problem, SDE, START, settings, group), problem


def test_each_round_brings_events_nearer_to_what_was_seen() -> None:
    far = SURE * (START[:, 0] - SEEN).square()
    before = far
    for rounds in (1, 2, 4):
        found, _ = of_all(RefinementSettings(rounds, 60, 6, 0.0))
        open_ = before > 1e-3
        assert (found.loss[open_] < before[open_]).all() and (found.loss[~open_] < 1e-3).all()
        torch.testing.assert_close(found.loss, SURE * (found.x[:, 0] - SEEN).square())
        before = found.loss
    # What was not seen stays, as coordinates are independent of each other.
    torch.testing.assert_close(found.x[:, 1:], START[:, 1:], atol=0.02, rtol=0)


@pytest.mark.parametrize("through", [True, False])
def test_results_do_not_depend_on_the_batch(through: bool) -> None:
    settings = RefinementSettings(8, 60, 6, 3e-2, through)
    whole, _ = of_all(settings)
    assert len(set(whole.rounds.tolist())) > 1, "some are done sooner"
    for row in range(len(START)):
        alone = refine(Observed(own=[row]), SDE, START[row : row + 1], settings)
        torch.testing.assert_close(alone.x[0], whole.x[row], rtol=0, atol=1e-12)
        assert alone.rounds[0] == whole.rounds[row] and alone.evaluations[0] == whole.evaluations[row]


def test_who_is_done_costs_nothing_more() -> None:
    found, problem = of_all()
    assert problem.evaluated == dict(enumerate(found.evaluations.tolist()))
    for round_, rows in enumerate(problem.asked):
        assert rows == [row for row, rounds in enumerate(found.rounds.tolist()) if rounds > round_]
    steps = len(latent_times(SETTINGS, SDE)) - 1
    assert (found.evaluations == 2 * steps * found.rounds).all()
    corrected, problem = of_all(RefinementSettings(2, 60, 6, 0.0, corrections=2))
    assert (corrected.evaluations == 2 * 4 * steps).all()
    assert problem.evaluated == dict(enumerate(corrected.evaluations.tolist()))


def test_a_group_is_done_together() -> None:
    alone, _ = of_all()
    group = torch.tensor([0, 1, 0, 1, 2])
    found, _ = of_all(group=group)
    assert found.rounds[0] == found.rounds[2] and found.rounds[1] == found.rounds[3]
    assert found.rounds[4] == alone.rounds[4]
    torch.testing.assert_close(found.x[4], alone.x[4])


def test_it_stops_by_the_change_of_a_round() -> None:
    """Relative to the round before, as replayed round by round."""
    found, _ = of_all()
    losses = [of_all(RefinementSettings(n, 60, 6, 0.0))[0].loss for n in range(1, SETTINGS.rounds + 1)]
    for row, rounds in enumerate(found.rounds.tolist()):
        change = [abs(float((b - a)[row])) / float(a[row]) for a, b in pairwise(losses)]
        expected = next((n + 2 for n, share in enumerate(change) if share <= SETTINGS.tolerance), SETTINGS.rounds)
        assert rounds == expected
    never, _ = of_all(RefinementSettings(8, 60, 6, 0.0))
    assert (never.rounds == 8).all()


def test_events_that_fit_and_nothing_moves_are_done_at_once() -> None:
    start = MEAN.expand(2, 3)

    class Nothing(Observed):
        def guidance(self, rows: Tensor, x: Tensor) -> Guidance:
            return lambda x0: 0.0 * x0.sum(dim=1)

    found = refine(Nothing(own=[0, 1]), SDE, start, SETTINGS)
    torch.testing.assert_close(found.x, start)
    assert (found.rounds == 2).all() and (found.loss == 0).all()


def test_progress_is_told_by_steps_and_stops_by_raising() -> None:
    told: list[tuple[int, int]] = []
    refine(Observed(), SDE, START, SETTINGS, on_iteration=lambda *at: told.append(at))
    steps = len(latent_times(SETTINGS, SDE)) - 1
    done = [at for at, _ in told]
    assert {total for _, total in told} == {2 * steps * SETTINGS.rounds}
    assert done == sorted(done) and done[:3] == [1, 2, 3] and done[-1] == 2 * steps * SETTINGS.rounds

    def stop(done: int, total: int) -> None:
        if done == 7:
            raise Cancelled("Cancelled.")

    problem = Observed()
    with pytest.raises(Cancelled):
        refine(problem, SDE, START, SETTINGS, on_iteration=stop)
    assert problem.evaluated[0] == 7


def test_steps_lead_from_the_data_to_the_latent() -> None:
    np.testing.assert_array_equal(latent_times(RefinementSettings(depth=50, stride=2), SDE), np.arange(1, 52, 2))
    np.testing.assert_array_equal(latent_times(RefinementSettings(depth=10, stride=4), SDE), [1, 5, 9, 11])
    np.testing.assert_array_equal(latent_times(RefinementSettings(depth=1, stride=9), SDE), [1, 2])
    assert latent_times(RefinementSettings(depth=1000, stride=300), SDE)[-1] == 1000


def returned(corrections: int, depth: int, stride: int) -> float:
    """How far inversion and sampling lead from where they began, at most."""
    times = latent_times(RefinementSettings(depth=depth, stride=stride), SDE)
    with torch.no_grad():
        latent = invert(denoise, SDE, START, times, corrections)
        back = integrate(denoise, SDE, latent, times[::-1], ddim()).x
    return float((back - START).abs().max())


@pytest.mark.parametrize("depth", [50, 100, 400])
def test_inversion_is_undone_by_sampling(depth: int) -> None:
    errors = [returned(0, depth, stride) for stride in (8, 4, 2)]
    assert errors[2] < 0.02 and errors[2] < errors[1] < errors[0]
    assert errors[0] / errors[2] == pytest.approx(4.0, rel=0.3), "of the first order in the step"
    corrected = [returned(corrections, depth, 8) for corrections in (0, 1, 2)]
    assert all(after < 0.35 * before for before, after in pairwise(corrected))


def test_inversion_follows_the_flow() -> None:
    """The latent is where the probability flow of a Gaussian leads, which stretches every axis by itself."""
    times = latent_times(RefinementSettings(depth=300, stride=1), SDE)
    with torch.no_grad():
        latent = invert(denoise, SDE, START, times)
    ends = torch.tensor([times[0], times[-1]])
    alpha, sigma = (c.double() for c in SDE.marginal(ends))
    spread = (alpha[:, None] ** 2 * VARIANCE + sigma[:, None] ** 2).sqrt()
    exact = alpha[1] * MEAN + (START - alpha[0] * MEAN) * spread[1] / spread[0]
    torch.testing.assert_close(latent, exact, atol=5e-3, rtol=0)
