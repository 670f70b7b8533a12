# SPDX-License-Identifier: GPL-3.0-or-later
"""From far to near: least squares whose tolerance shrinks, then rounds of the denoiser, then the last tolerance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from engine.diffusion.noise import Noise
from engine.tasks.fit.levenberg import Damping, Linearise, Minimum, minimise
from engine.tasks.fit.pull import Pull, Pulled, PullSettings


@dataclass(frozen=True)
class Anneal:
    """The course of a solve.

    Attributes:
        tolerances: standard deviations of the measurements, from far to near, under the Gaussian prior alone; the
            units are those of the measurements (metres, pixels).
        iterations: of Levenberg and Marquardt at each.
        inner: iterations after each of the denoiser's targets, at the last of ``tolerances``.
        final: tolerance of the end, the last target held still.
        final_iterations: at most, at ``final``.
        settled: the end is reached once no step is longer than this, in standard deviations, radians and metres.
        damping: of every part.
    """

    tolerances: tuple[float, ...]
    final: float
    iterations: int = 4
    inner: int = 2
    final_iterations: int = 10
    settled: float = 1e-4
    damping: Damping = field(default_factory=lambda: Damping(start=1e-2))


def far(linearise: Callable[[float], Linearise], x: Tensor, pull: Pull, course: Anneal) -> Minimum:
    """The first part: x (B, D) under the Gaussian prior, at tolerances from far to near.

    ``linearise(tolerance)`` gives the residuals in units of the tolerance.
    """
    solved = Minimum(x, x[:, 0], x[:, 0])
    for tolerance in course.tolerances:
        measured = linearise(tolerance)
        solved = minimise(measured, solved.x, *pull.gaussian, course.iterations, course.damping)
    return solved


def near(
    linearise: Callable[[float], Linearise],
    x: Tensor,
    pull: Pull,
    settings: PullSettings,
    course: Anneal,
    noise: Noise,
) -> Minimum:
    """The rest: rounds of the denoiser from x (B, D), then the final tolerance."""
    measured = linearise(course.tolerances[-1])

    def solve(x: Tensor, pulled: Pulled) -> Tensor:
        return minimise(measured, x, *pulled, course.inner, course.damping).x

    x, pulled = pull.rounds(x, settings.times, noise, solve)
    return minimise(
        linearise(course.final), x, *pulled, course.final_iterations, course.damping, course.settled
    )
