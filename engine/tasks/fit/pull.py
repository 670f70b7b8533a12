# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose prior as a quadratic that a least-squares step can use exactly.

Two parts: the Gaussian the prior looks like from afar (`engine.tasks.fit.gaussian`), which knows how joints move
together and carries the solution over large distances; and L_DPoser (eq. 7), which is quadratic in the pose once the
denoised target is held still, weighted by the signal-to-noise ratio alpha^2 / sigma^2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.diffusion.denoiser import diffuse
from engine.diffusion.noise import Noise
from engine.priors.pose_prior import POSE_DIM, PosePrior
from engine.tasks.fit.gaussian import precision_of
from engine.tasks.fit.state import BODY, Space

Pulled = tuple[Tensor, Tensor]
"""Centre (D,) or (B, D), and precision (D, D), of a quadratic."""


@dataclass(frozen=True)
class PullSettings:
    """How the prior pulls.

    Attributes:
        gaussian: weight of the Gaussian part; 0 leaves it out.
        coordinates: weight of a pull to the prior's mean pose that knows each coordinate's own variance and nothing
            else: what is left to do without a pose prior.
        denoised: weight of L_DPoser; 0 leaves the network out.
        times: of the denoised targets, one per round.
        draws: pairs of opposite noise a target is averaged over, so that one draw does not decide the pose.
    """

    gaussian: float = 1.0
    coordinates: float = 0.0
    denoised: float = 0.3
    times: tuple[float, ...] = (0.3, 0.3)
    draws: int = 4


class Pull:
    """Centre and precision of the prior's quadratic in the rows of a `Space`.

    Args:
        prior: the pose prior.
        space: of the solution.
        settings: see `PullSettings`.
        precision: (D,) of the other columns: root, position, shape.
        centre: (D,) or (B, D) of the Gaussian part; zero, the prior's mean, by default.
    """

    def __init__(
        self,
        prior: PosePrior,
        space: Space,
        settings: PullSettings,
        precision: Tensor,
        centre: Tensor | None = None,
    ) -> None:
        self._prior, self._settings = prior, settings
        self._base = torch.diag(precision)
        self._centre = torch.zeros_like(precision) if centre is None else centre
        self._base[BODY, BODY].diagonal().add_(settings.coordinates)
        if settings.gaussian:
            self._base[BODY, BODY] += settings.gaussian * precision_of(prior).to(space.mean)

    @property
    def gaussian(self) -> tuple[Tensor, Tensor]:
        """Centre (D,) or (B, D) and precision (D, D) of the part that does not depend on the pose."""
        return self._centre, self._base

    @torch.no_grad()
    def towards(self, x: Tensor, t: float, noise: Noise) -> Pulled:
        """Centre (B, D) and precision (D, D) of both parts together at time ``t``, the pose being x."""
        settings = self._settings
        if not settings.denoised:
            return self._centre.expand_as(x), self._base
        alpha, sigma = (float(c) for c in self._prior.sde.marginal(torch.tensor(t, dtype=torch.float64)))
        weight = settings.denoised * (alpha / sigma) ** 2
        event = x[:, BODY].float()
        z = noise.draw((settings.draws, POSE_DIM), x.device)
        z = torch.cat([z, -z], dim=1)
        time = torch.full((1,), t, device=x.device)
        x_t = diffuse(self._prior.sde, event[:, None].expand_as(z), time, z)
        target = self._prior.estimate(x_t.flatten(0, 1), time).x0.unflatten(0, z.shape[:2]).mean(dim=1)
        precision = self._base.clone()
        precision[BODY, BODY].diagonal().add_(weight)
        centre = self._centre.expand_as(x).clone()
        pulled = centre[:, BODY] @ self._base[BODY, BODY] + weight * target.to(x)
        factor = torch.linalg.cholesky(precision[BODY, BODY])
        centre[:, BODY] = torch.cholesky_solve(pulled.T, factor).T
        return centre, precision

    def rounds(
        self,
        x: Tensor,
        times: Sequence[float],
        noise: Noise,
        solve: Callable[[Tensor, Pulled], Tensor],
    ) -> tuple[Tensor, Pulled]:
        """Solve at one time after the other, each time pulled by what the denoiser makes of the pose so far.

        Args:
            x: (B, D) to begin with.
            times: of the diffusion; none where the settings have no denoiser.
            noise: a stream per item.
            solve: of x, and what pulls at it, the next x.

        Returns:
            x, and what it was pulled by last: the Gaussian where there was no time.
        """
        pulled = self.gaussian
        for t in times if self._settings.denoised else ():
            pulled = self.towards(x, t, noise)
            x = solve(x, pulled)
        return x, pulled
