# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampling: one loop over time (`integrate`) and the steps it can take.

A step moves x from time t to time s, either way: s < t denoises, s > t (DDIM with eta = 0, the probability flow)
encodes. Steps see the times they are given and never assume a grid, so a truncated start is correct by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from engine.diffusion.denoiser import Estimate
from engine.diffusion.noise import Noise
from engine.diffusion.sde import SDE

Denoise = Callable[[Tensor, Tensor], Estimate]
"""``(x_t (B, *event), t (1,)) -> Estimate``."""

Project = Callable[[Tensor, float], Tensor]
"""``(x_s, s) -> x_s``, after every step: imputation of what is known."""

OnIteration = Callable[[int, int], None]
"""Told (done, total) between steps; stops the computation by raising."""


class Step(Protocol):
    """One step of a sampler."""

    def __call__(
        self, denoise: Denoise, sde: SDE, x: Tensor, t: float, s: float, noise: Noise | None
    ) -> Tensor: ...


class Result(NamedTuple):
    """What a sampler made: ``x`` (B, *event), after so many evaluations of the network (per item)."""

    x: Tensor
    evaluations: int


def _time(t: float, like: Tensor) -> Tensor:
    return torch.full((1,), t, dtype=torch.float32, device=like.device)


def _marginal(sde: SDE, t: float) -> tuple[float, float]:
    alpha, sigma = sde.marginal(torch.tensor(t, dtype=torch.float64))
    return float(alpha), float(sigma)


def _fresh(noise: Noise | None, x: Tensor) -> Tensor:
    if noise is None:
        raise ValueError("A stochastic step needs a noise stream.")
    return noise.draw(x.shape[1:], x.device)


def ddim(eta: float = 0.0) -> Step:
    """DDIM (Song, Meng, Ermon 2021, eq. 12 and 16) for general marginals; eta 0 is deterministic, 1 ancestral."""

    def step(denoise: Denoise, sde: SDE, x: Tensor, t: float, s: float, noise: Noise | None) -> Tensor:
        (alpha_t, sigma_t), (alpha_s, sigma_s) = _marginal(sde, t), _marginal(sde, s)
        estimate = denoise(x, _time(t, x))
        if eta == 0.0 or s >= t:
            return alpha_s * estimate.x0 + sigma_s * estimate.noise
        # The part of sigma_s that fresh noise takes over: eta times the posterior's standard deviation.
        ratio = (alpha_t * sigma_s / (alpha_s * sigma_t)) ** 2
        fresh = eta * sigma_s * np.sqrt(max(0.0, 1.0 - ratio))
        kept = np.sqrt(max(0.0, sigma_s**2 - fresh**2))
        return alpha_s * estimate.x0 + kept * estimate.noise + fresh * _fresh(noise, x)

    return step


def ddim_inverse(corrections: int) -> Step:
    """The step that `ddim` undoes, from s < t to t.

    DDIM's own step asks for the noise before it, so that both together err. Corrections ask for it where the step led,
    each once more, which converges to the inverse (a fixed point; Pan et al. 2023, sec. 3.2). None are DDIM itself.
    """

    def step(denoise: Denoise, sde: SDE, x: Tensor, t: float, s: float, noise: Noise | None) -> Tensor:
        (alpha_t, sigma_t), (alpha_s, sigma_s) = _marginal(sde, t), _marginal(sde, s)
        told = denoise(x, _time(t, x)).noise
        for _ in range(corrections):
            led = alpha_s / alpha_t * (x - sigma_t * told) + sigma_s * told
            told = denoise(led, _time(s, x)).noise
        return alpha_s / alpha_t * (x - sigma_t * told) + sigma_s * told

    return step


def euler_maruyama(denoise: Denoise, sde: SDE, x: Tensor, t: float, s: float, noise: Noise | None) -> Tensor:
    """Euler-Maruyama on the reverse SDE (DPoser eq. 2; Song et al. 2021, eq. 6); the last step adds no noise."""
    drift, diffusion = (float(c) for c in sde.coefficients(torch.tensor(t, dtype=torch.float64)))
    mean = x + (s - t) * (drift * x - diffusion**2 * denoise(x, _time(t, x)).score)
    if s <= sde.t_min:
        return mean
    return mean + diffusion * np.sqrt(t - s) * _fresh(noise, x)


def probability_flow_euler(
    denoise: Denoise, sde: SDE, x: Tensor, t: float, s: float, noise: Noise | None
) -> Tensor:
    """Euler on the probability-flow ODE (DPoser eq. 21)."""
    drift, diffusion = (float(c) for c in sde.coefficients(torch.tensor(t, dtype=torch.float64)))
    return x + (s - t) * (drift * x - 0.5 * diffusion**2 * denoise(x, _time(t, x)).score)


def probability_flow_heun(
    denoise: Denoise, sde: SDE, x: Tensor, t: float, s: float, noise: Noise | None
) -> Tensor:
    """Heun's second-order step on the probability-flow ODE (Karras et al. 2022, Algorithm 1), either way in time.

    It works on y = x / alpha over nu = sigma / alpha, where the flow is dy/dnu = noise(x): exact for the linear part.
    """
    (alpha_t, sigma_t), (alpha_s, sigma_s) = _marginal(sde, t), _marginal(sde, s)
    change = sigma_s / alpha_s - sigma_t / alpha_t
    slope = denoise(x, _time(t, x)).noise
    ahead = x / alpha_t + change * slope
    slope = 0.5 * (slope + denoise(alpha_s * ahead, _time(s, x)).noise)
    return alpha_s * (x / alpha_t + change * slope)


def predictor_corrector(predictor: Step, snr: float = 0.16, corrections: int = 1) -> Step:
    """A predictor followed by Langevin steps at the new time (Song et al. 2021, Algorithms 3 and 5).

    Each Langevin step moves by e score + sqrt(2 e) z with e = 2 (snr |z| / |score|)^2, norms averaged over the batch
    in the paper. Here |score| is |z| / sigma, its size for pure noise: an item then does not depend on its batch, and
    unlike the item's own norm, which is small near a mode, it makes no step of any size that breaks the balance.
    """

    def step(denoise: Denoise, sde: SDE, x: Tensor, t: float, s: float, noise: Noise | None) -> Tensor:
        x = predictor(denoise, sde, x, t, s, noise)
        if s <= sde.t_min:
            return x
        size = 2.0 * (snr * _marginal(sde, s)[1]) ** 2
        for _ in range(corrections):
            x = x + size * denoise(x, _time(s, x)).score + np.sqrt(2.0 * size) * _fresh(noise, x)
        return x

    return step


SAMPLERS: dict[str, Step] = {
    "euler-maruyama": euler_maruyama,
    "predictor-corrector": predictor_corrector(euler_maruyama),
    "ddim": ddim(0.0),
    "ddim 0.6": ddim(0.6),
    "ancestral": ddim(1.0),
    "probability-flow": probability_flow_heun,
}
"""Samplers by name."""


@torch.no_grad()
def integrate(
    denoise: Denoise,
    sde: SDE,
    x: Tensor,
    times: np.ndarray,
    step: Step,
    noise: Noise | None = None,
    project: Project | None = None,
    on_iteration: OnIteration | None = None,
) -> Result:
    """Carry x along ``times``.

    Args:
        denoise, sde: the prior.
        x: (B, *event) at times[0].
        times: (N + 1,) as `engine.diffusion.schedule` makes them; falling to sample, rising to encode.
        step: see `SAMPLERS`.
        noise: one stream per item; only deterministic steps do without.
        project: see `Project`.
        on_iteration: see `OnIteration`.

    Raises:
        ValueError: fewer than two times, or a stochastic step without noise.
    """
    if len(times) < 2:
        raise ValueError("Sampling needs at least two times.")
    counted = _Counted(denoise)
    for i in range(len(times) - 1):
        x = step(counted, sde, x, float(times[i]), float(times[i + 1]), noise)
        if project:
            x = project(x, float(times[i + 1]))
        if on_iteration:
            on_iteration(i + 1, len(times) - 1)
    return Result(x, counted.evaluations)


class _Counted:
    def __init__(self, denoise: Denoise) -> None:
        self._denoise, self.evaluations = denoise, 0

    def __call__(self, x_t: Tensor, t: Tensor) -> Estimate:
        self.evaluations += 1
        return self._denoise(x_t, t)
