# SPDX-License-Identifier: GPL-3.0-or-later
"""Refinement of given events by observations: DDIM inversion and guided DDIM, over and over (ScoreHMR sec. 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from engine.diffusion.guidance import Guidance, guided, weighted
from engine.diffusion.implicit_guidance import ImplicitGuidance, implicitly_guided
from engine.diffusion.samplers import Denoise, OnIteration, ddim, ddim_inverse, integrate
from engine.diffusion.sde import SDE


@dataclass(frozen=True)
class RefinementSettings:
    """How to go about it; the defaults are the released ones for single frames.

    Attributes:
        rounds: of inversion and sampling, at most.
        depth: the step tau that events are inverted to.
        stride: steps of the diffusion that one of DDIM takes.
        tolerance: relative change of the loss of a round below which an event, or a group of them, is done; 0 for
            never.
        through_network: see `engine.diffusion.guidance.guided`.
        corrections: of a step of inversion, see `engine.diffusion.samplers.ddim_inverse`; none in the paper.
    """

    rounds: int = 10
    depth: int = 50
    stride: int = 2
    tolerance: float = 1e-5
    through_network: bool = True
    corrections: int = 0


class Problem(Protocol):
    """What a refinement solves, for any of its events."""

    def denoise(self, rows: Tensor) -> Denoise:
        """The prior under the contexts of events (R,)."""
        ...

    def guidance(self, rows: Tensor, x: Tensor) -> Guidance | None:
        """What was observed of events (R,), which are x now; what it solves along, a camera's place say, it keeps."""
        ...

    def implicit_guidance(self, rows: Tensor, x: Tensor) -> ImplicitGuidance | None:
        """What was observed of them besides, and is taken by implicit steps."""
        ...


class Refined(NamedTuple):
    """What came of it.

    Attributes:
        x: (B, *event).
        loss: (B,) of the guidance.
        rounds: (B,) int64, that each event took part in.
        evaluations: (B,) int64, of the network.
    """

    x: Tensor
    loss: Tensor
    rounds: Tensor
    evaluations: Tensor


def latent_times(settings: RefinementSettings, sde: SDE) -> np.ndarray:
    """Rising steps from the data to tau, as `integrate` takes them; backwards for sampling.

    The paper counts them from 0, which is the SDE's first.
    """
    last = min(sde.t_min + settings.depth, sde.t_max)
    times = np.arange(sde.t_min, last + 1e-9, settings.stride)
    return times if times[-1] == last else np.append(times, last)


def invert(
    denoise: Denoise,
    sde: SDE,
    x: Tensor,
    times: np.ndarray,
    corrections: int = 0,
    on_iteration: OnIteration | None = None,
) -> Tensor:
    """The latent that deterministic DDIM leads from to x (eq. 7), along rising ``times``."""
    return integrate(denoise, sde, x, times, ddim_inverse(corrections), on_iteration=on_iteration).x


@torch.no_grad()
def refine(
    problem: Problem,
    sde: SDE,
    start: Tensor,
    settings: RefinementSettings,
    group: Tensor | None = None,
    on_iteration: OnIteration | None = None,
) -> Refined:
    """Refine events until the guidance's loss settles; those that are done cost nothing more.

    Args:
        problem: see `Problem`.
        sde: of the prior, in discrete steps.
        start: (B, *event).
        settings: see `RefinementSettings`.
        group: (B,) int64 which events are done together, as frames of a clip or views of a moment are, since their
            losses hang together; by default each by itself.
        on_iteration: told (done, total) steps of DDIM, as many as all rounds take; stops by raising.
    """
    times = latent_times(settings, sde)
    group = torch.arange(len(start), device=start.device) if group is None else group
    groups = int(group.max()) + 1
    x, rows = start.clone(), torch.arange(len(start), device=start.device)
    loss = start.new_full((len(start),), torch.inf)
    before = start.new_full((groups,), torch.inf)
    rounds = torch.zeros(len(start), dtype=torch.int64, device=start.device)
    steps = len(times) - 1
    total = 2 * steps * settings.rounds
    done = 0

    def told(_: int, __: int) -> None:
        nonlocal done
        done += 1
        if on_iteration:
            on_iteration(done, total)

    for _ in range(settings.rounds):
        denoise, guidance = problem.denoise(rows), problem.guidance(rows, x[rows])
        implicit = problem.implicit_guidance(rows, x[rows])
        latent = invert(denoise, sde, x[rows], times, settings.corrections, told)
        bent = denoise if guidance is None else guided(denoise, sde, guidance, settings.through_network)
        bent = bent if implicit is None else implicitly_guided(bent, sde, implicit)
        x[rows] = integrate(bent, sde, latent, times[::-1], ddim(), on_iteration=told).x
        observed = weighted([(1.0, each) for each in (guidance, implicit) if each is not None])
        loss[rows] = observed(x[rows])
        rounds[rows] += 1
        now = torch.zeros_like(before).index_add_(0, group, loss)
        settled = torch.isfinite(before) & ((before - now).abs() <= settings.tolerance * before)
        before = now
        if settings.tolerance:
            rows = rows[~settled[group[rows]]]
        if not len(rows):
            if on_iteration:
                on_iteration(total, total)
            break
    return Refined(x, loss, rounds, (2 + settings.corrections) * steps * rounds)
