# SPDX-License-Identifier: GPL-3.0-or-later
"""Inverse problems solved under a diffusion prior."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from engine.diffusion.denoiser import diffuse
from engine.diffusion.samplers import Denoise, OnIteration, ddim, integrate
from engine.diffusion.schedule import uniform
from engine.diffusion.sde import SDE


@torch.no_grad()
def denoised_target(denoise: Denoise, sde: SDE, x: Tensor, t: float, z: Tensor, steps: int = 1) -> Tensor:
    """sg[x0_hat(t)] of DPoser's regulariser (Algorithm 1, lines 3-6): one-step denoising of x (B, *event).

    Args:
        denoise: ``(x_t, t) -> Estimate``.
        sde: the forward diffusion.
        x: the current solution.
        t: the time of this iteration.
        z: noise, broadcast over x; one row shared by all frames of a clip keeps them consistent in time.
        steps: more than 1 denoises by DDIM through equal steps from t to t / steps, whose estimate is taken (HiFA's
            multi-step denoising, DPoser sec. B and Table S-1).
    """
    time = torch.full((1,), t, dtype=torch.float32, device=x.device)
    x_t = diffuse(sde, x.float(), time, z.float())
    if steps > 1:
        grid = uniform(steps - 1, t, t / steps)
        x_t = integrate(denoise, sde, x_t, grid, ddim()).x
        time = torch.full((1,), t / steps, dtype=torch.float32, device=x.device)
    return denoise(x_t, time).x0.to(x.dtype)


def proximal(
    denoise: Denoise,
    sde: SDE,
    start: Tensor,
    variance: Tensor,
    times: np.ndarray,
    weight: float,
    generator: torch.Generator,
    on_iteration: OnIteration | None = None,
) -> Tensor:
    """DPoser's optimisation (Algorithm 1) where the task's loss is quadratic, each step solved exactly.

    Minimises |x - start|^2 / variance + weight (alpha / sigma)^2 |x - sg[x0_hat(t)]|^2 at every time in turn; the
    first term sums up what measurements and time say, the second is L_DPoser weighted by the signal-to-noise ratio.

    Args:
        start: (B, *event) the solution without the prior.
        variance: broadcast over start; how uncertain it is.
        times: the truncated schedule.
        weight: of the prior.
        generator: on the CPU, so that a seed gives the same noise on every device.
        on_iteration: told (done, total); stops by raising.
    """
    x = start
    for i, t in enumerate(times):
        alpha, sigma = sde.marginal(torch.tensor(float(t)))
        z = torch.randn(start.shape[1:], generator=generator).to(start.device)
        target = denoised_target(denoise, sde, x, float(t), z)
        precision = weight * float(alpha / sigma) ** 2
        x = (start + variance * precision * target) / (1.0 + variance * precision)
        if on_iteration:
            on_iteration(i + 1, len(times))
    return x


def descend(
    variables: list[Tensor],
    loss: Callable[[int], Tensor],
    iterations: int,
    learning_rate: float,
    on_iteration: OnIteration | None = None,
) -> None:
    """Adam (Kingma and Ba 2015): the one loop of all that is solved by gradients; changes ``variables`` in place.

    Args:
        variables: what is solved for; each requires a gradient.
        loss: a scalar at an iteration, from the variables' present values.
        iterations: how many.
        learning_rate: Adam's.
        on_iteration: told (done, total); stops by raising.
    """
    optimiser = torch.optim.Adam(variables, lr=learning_rate)
    for i in range(iterations):
        optimiser.zero_grad(set_to_none=True)
        loss(i).backward(inputs=variables)
        optimiser.step()
        if on_iteration:
            on_iteration(i + 1, iterations)


def optimise(
    variables: list[Tensor],
    task_loss: Callable[[int], Tensor],
    to_event: Callable[[], Tensor],
    denoise: Denoise,
    sde: SDE,
    times: np.ndarray,
    prior_weight: Callable[[int], float],
    learning_rate: float,
    generator: torch.Generator,
    on_iteration: OnIteration | None = None,
) -> None:
    """DPoser's optimisation (Algorithm 1) by Adam, all items of the batch at once; changes ``variables`` in place.

    Args:
        variables: what is solved for; each requires a gradient.
        task_loss: the task's scalar loss at an iteration, from the variables' present values.
        to_event: the variables as the prior sees them, (B, *event), differentiable.
        denoise, sde: the prior.
        times: one diffusion time per iteration.
        prior_weight: weight of sum |x - sg[x0_hat]|^2 / B at an iteration.
        learning_rate: Adam's.
        generator: on the CPU; noise is drawn per item.
        on_iteration: told (done, total); stops by raising.
    """

    def loss(iteration: int) -> Tensor:
        event = to_event()
        z = torch.randn(event.shape, generator=generator).to(event.device)
        target = denoised_target(denoise, sde, event.detach(), float(times[iteration]), z)
        regulariser = torch.sum((event - target) ** 2) / len(event)
        return task_loss(iteration) + prior_weight(iteration) * regulariser

    descend(variables, loss, len(times), learning_rate, on_iteration)
