# SPDX-License-Identifier: GPL-3.0-or-later
"""Inverse problems y = A x_0 solved with an unconditional prior: five published ways behind one interface.

`variational` is DPoser's own (eq. 7-10, Algorithm 1); the others sample the reverse process and bend it towards the
observation: `replacement` (ScoreSDE), `mcg`, `dps` and `repaint`. None but `repaint` with many repetitions samples
the exact posterior even where the prior is Gaussian; tests/engine/diffusion/test_inverse.py states how near each is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from engine.diffusion.denoiser import Estimate
from engine.diffusion.noise import Noise
from engine.diffusion.observation import Observation
from engine.diffusion.samplers import Denoise, OnIteration, Step, euler_maruyama, integrate
from engine.diffusion.schedule import uniform
from engine.diffusion.sde import SDE
from engine.diffusion.solvers import denoised_target, descend


class InverseSolver(Protocol):
    """Solutions (B, *event) of an observation of B items, one noise stream per item.

    ``start`` (B, *event) is what `variational` sets out from; samplers begin at pure noise and ignore it.
    ``on_iteration`` is told (done, total) and stops the work by raising.
    """

    def __call__(
        self,
        denoise: Denoise,
        sde: SDE,
        observation: Observation,
        start: Tensor,
        noise: Noise,
        on_iteration: OnIteration | None = None,
    ) -> Tensor: ...


@dataclass(frozen=True)
class Variational:
    """DPoser's optimisation by Adam (Algorithm 1) of |A x - y|^2 and L_DPoser (eq. 8), means over coordinates.

    Attributes:
        times: (N,) diffusion time of each iteration, from a schedule.
        stages: the N iterations are split into so many stages of equal length; both weights change between them.
        data_weight, prior_weight: stage (from 0) -> weight.
        signal_weight: SNR = alpha / sigma -> w_t of eq. 8.
        learning_rate: Adam's.
        denoise_steps: DDIM steps of the denoised target; 1 is Algorithm 1 (Table S-1).
    """

    times: np.ndarray
    stages: int
    data_weight: Callable[[int], float]
    prior_weight: Callable[[int], float]
    signal_weight: Callable[[float], float]
    learning_rate: float
    denoise_steps: int = 1

    def __call__(
        self,
        denoise: Denoise,
        sde: SDE,
        observation: Observation,
        start: Tensor,
        noise: Noise,
        on_iteration: OnIteration | None = None,
    ) -> Tensor:
        x = start.clone().requires_grad_(True)
        size = x[0].numel()

        def loss(iteration: int) -> Tensor:
            stage, t = iteration * self.stages // len(self.times), float(self.times[iteration])
            alpha, sigma = (float(c) for c in sde.marginal(torch.tensor(t)))
            z = noise.draw(x.shape[1:], x.device)
            target = denoised_target(denoise, sde, x.detach(), t, z, self.denoise_steps)
            # Items do not share a loss but a sum: each has its own gradient, whatever the batch.
            data = (observation.measure(x) - observation.y).square().sum() / size
            prior = self.signal_weight(alpha / sigma) * (x - target).square().sum() / size
            return self.data_weight(stage) * data + self.prior_weight(stage) * prior

        descend([x], loss, len(self.times), self.learning_rate, on_iteration)
        return x.detach()


def _start(sde: SDE, like: Tensor, noise: Noise) -> Tensor:
    """x at the SDE's end, where alpha is nearly 0: sigma(t_max) z."""
    sigma = sde.marginal(torch.tensor(sde.t_max))[1]
    return float(sigma) * noise.draw(like.shape[1:], like.device)


def _observed_at(sde: SDE, observation: Observation, x: Tensor, s: float, noise: Noise) -> Tensor:
    """y_s = alpha_s y + sigma_s A z, the observation diffused to time s."""
    alpha, sigma = (float(c) for c in sde.marginal(torch.tensor(s)))
    return alpha * observation.y + sigma * observation.measure(noise.draw(x.shape[1:], x.device))


@dataclass(frozen=True)
class Replacement:
    """ScoreSDE's imputation (Song et al. 2021, sec. 5 and app. I.2): after each step the measured part is replaced.

    Attributes:
        steps: of the sampler, uniform in time.
        step: see `engine.diffusion.samplers.SAMPLERS`.
    """

    steps: int = 1000
    step: Step = euler_maruyama

    def __call__(
        self,
        denoise: Denoise,
        sde: SDE,
        observation: Observation,
        start: Tensor,
        noise: Noise,
        on_iteration: OnIteration | None = None,
    ) -> Tensor:
        def project(x: Tensor, s: float) -> Tensor:
            return observation.replace(x, _observed_at(sde, observation, x, s, noise))

        times = uniform(self.steps, sde.t_max, sde.t_min)
        x = _start(sde, start, noise)
        x = integrate(denoise, sde, x, times, self.step, noise, project, on_iteration).x
        return observation.replace(x, observation.y)


@dataclass(frozen=True)
class Repaint:
    """RePaint (Lugmayr et al. 2022, Algorithm 1): replacement, with every step taken several times over.

    Attributes:
        steps: of the sampler, uniform in time.
        repetitions: times that a step is taken; between two the event is diffused forwards again.
        step: see `engine.diffusion.samplers.SAMPLERS`.
    """

    steps: int = 100
    repetitions: int = 10
    step: Step = euler_maruyama

    def __call__(
        self,
        denoise: Denoise,
        sde: SDE,
        observation: Observation,
        start: Tensor,
        noise: Noise,
        on_iteration: OnIteration | None = None,
    ) -> Tensor:
        stream = noise

        def repeated(denoise: Denoise, sde: SDE, x: Tensor, t: float, s: float, noise: Noise | None) -> Tensor:
            (alpha_t, sigma_t), (alpha_s, sigma_s) = (
                (float(c) for c in sde.marginal(torch.tensor(at, dtype=torch.float64))) for at in (t, s)
            )
            keep = alpha_t / alpha_s
            spread = np.sqrt(max(0.0, sigma_t**2 - (keep * sigma_s) ** 2))
            for repetition in range(self.repetitions):
                if repetition:
                    x = keep * x + spread * stream.draw(x.shape[1:], x.device)
                x = self.step(denoise, sde, x, t, s, noise)
                x = observation.replace(x, _observed_at(sde, observation, x, s, stream))
            return x

        times = uniform(self.steps, sde.t_max, sde.t_min)
        x = _start(sde, start, noise)
        x = integrate(denoise, sde, x, times, repeated, noise, on_iteration=on_iteration).x
        return observation.replace(x, observation.y)


@dataclass(frozen=True)
class Guided:
    """DPS (Chung et al. 2022a, Algorithm 1), or MCG (Chung et al. 2022b, Algorithm 1) where ``replace`` is set.

    After each step x moves down the gradient, through the network, of |y - A x0_hat(x_t)|; MCG then replaces the
    measured part as ScoreSDE does.

    Attributes:
        steps: of the sampler, uniform in time.
        scale: of the gradient of the norm (DPS's zeta prime).
        replace: MCG.
        step: see `engine.diffusion.samplers.SAMPLERS`.
    """

    steps: int = 1000
    scale: float = 1.0
    replace: bool = False
    step: Step = euler_maruyama

    def __call__(
        self,
        denoise: Denoise,
        sde: SDE,
        observation: Observation,
        start: Tensor,
        noise: Noise,
        on_iteration: OnIteration | None = None,
    ) -> Tensor:
        def descending(denoise: Denoise, sde: SDE, x: Tensor, t: float, s: float, noise: Noise | None) -> Tensor:
            with torch.enable_grad():
                leaf = x.detach().requires_grad_(True)
                estimate = denoise(leaf, torch.full((1,), t, dtype=torch.float32, device=x.device))
                miss = (observation.y - observation.measure(estimate.x0)).flatten(1).norm(dim=1).sum()
                (gradient,) = torch.autograd.grad(miss, leaf)
            # The step needs the estimate that the gradient was taken of, so it is handed that one.
            known = Estimate(*(part.detach() for part in estimate))
            return self.step(lambda *_: known, sde, x, t, s, noise) - self.scale * gradient

        def project(x: Tensor, s: float) -> Tensor:
            return observation.replace(x, _observed_at(sde, observation, x, s, noise))

        times = uniform(self.steps, sde.t_max, sde.t_min)
        x = _start(sde, start, noise)
        used = project if self.replace else None
        x = integrate(denoise, sde, x, times, descending, noise, used, on_iteration).x
        return observation.replace(x, observation.y) if self.replace else x
