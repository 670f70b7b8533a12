# SPDX-License-Identifier: GPL-3.0-or-later
"""Posing by a few targets: hands, feet and head go where they are dragged, the prior poses the rest.

The targets are hard, everything else is the most plausible pose that meets them. Fast enough to follow a mouse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import roma
import torch
from torch import Tensor

from engine.diffusion.noise import Noise
from engine.errors import MotionError
from engine.motion.joints import JOINTS
from engine.priors.pose_prior import PosePrior
from engine.tasks.fit.anneal import Anneal, far, near
from engine.tasks.fit.levenberg import Linear, Linearise
from engine.tasks.fit.linearisation import Points
from engine.tasks.fit.pull import Pull, PullSettings
from engine.tasks.fit.state import ROOT, TRANSL, Space, mean_offsets, to_body

FARTHEST = 1000.0  # metres
WHOLE_TURN = 2.0 * np.pi + 1e-6  # radians


@dataclass(frozen=True)
class EffectorSettings:
    """How to pose by targets.

    Attributes:
        pull: the prior.
        tolerances: metres from far to near, under the Gaussian prior.
        reach: metres at which a reachable target counts as met; the pose gives way to the targets this far.
        radians_per_metre: how much turn of an oriented target weighs as a metre beside it.
        free_root: let the pelvis move and turn; else it stays where it is.
        turn_std, move_std: how far a free root strays from the current pose, radians and metres.
        seed: of the diffusion noise.
    """

    pull: PullSettings = field(default_factory=lambda: PullSettings(times=(0.3,)))
    tolerances: tuple[float, ...] = (0.1, 0.03, 0.01)
    reach: float = 5e-4
    radians_per_metre: float = 5.0
    free_root: bool = False
    turn_std: float = 0.5
    move_std: float = 0.3
    seed: int = 0


PRESETS: dict[str, EffectorSettings] = {
    "paper": EffectorSettings(
        pull=PullSettings(gaussian=0.0, denoised=1.0, times=(0.2, 0.15, 0.1, 0.05, 0.001))
    ),
    "best": EffectorSettings(),
}
"""``paper``: L_DPoser alone over truncated times [0.2, 0.001]. No paper poses by targets: no ``released``."""

STIFF = 1e8
"""Precision that holds a root still: it strays by less than a hundredth of a millimetre."""


@dataclass(frozen=True)
class Posed:
    """A pose that meets targets.

    Attributes:
        pose: (22, 3) axis-angle in radians, the root's orientation first.
        transl: (3,) position of the pelvis in metres.
        missed: joint name -> metres between its target and where it came to be.
    """

    pose: np.ndarray
    transl: np.ndarray
    missed: dict[str, float]


def fit_effectors(
    targets: Mapping[str, np.ndarray],
    prior: PosePrior,
    pose: np.ndarray | None = None,
    transl: np.ndarray | None = None,
    orientations: Mapping[str, np.ndarray] | None = None,
    offsets: np.ndarray | None = None,
    settings: EffectorSettings | None = None,
) -> Posed:
    """Pose a body so that some of its joints are at targets.

    Args:
        targets: joint name -> (3,) where it shall be, metres; any of the 22 joints.
        prior: the pose prior, on the CPU.
        pose: (22, 3) current pose as axis-angle in radians, where the search and the root begin; the prior's mean
            pose, upright, by default.
        transl: (3,) the pelvis' current position in metres; the origin by default.
        orientations: joint name -> (3,) global orientation as axis-angle in radians, of joints in ``targets``.
        offsets: (22, 3) rest offsets of the body in metres; the bundled body's by default.
        settings: see `EffectorSettings`; the preset "best" by default.

    Raises:
        MotionError: no target, an unknown joint, an orientation without target, or a number that is not finite.
    """
    chosen = settings or PRESETS["best"]
    turned = {} if orientations is None else orientations
    _check(targets, turned)
    space = Space.of(prior, mean_offsets() if offsets is None else offsets)
    x = space.zeros(1)
    if pose is not None:
        x = space.rows(torch.as_tensor(pose)[None], x[:, TRANSL])
    if transl is not None:
        x[0, TRANSL] = torch.as_tensor(transl).to(x)
    centre = torch.zeros_like(x[0])
    centre[: TRANSL.stop] = x[0, : TRANSL.stop]
    stiff = torch.zeros_like(centre)
    stiff[ROOT], stiff[TRANSL] = (
        (chosen.turn_std**-2.0, chosen.move_std**-2.0) if chosen.free_root else (STIFF, STIFF)
    )
    pull = Pull(prior, space, chosen.pull, stiff, centre)
    aim = Aim(space, targets, turned, chosen.radians_per_metre)
    course = Anneal(chosen.tolerances, chosen.reach)
    with torch.inference_mode():
        x = far(aim.at, x, pull, course).x
        x = near(aim.at, x, pull, chosen.pull, course, Noise([chosen.seed])).x
        missed = aim.missed(x)
    poses, places, _ = to_body(space, x)
    return Posed(poses[0], places[0], dict(zip(targets, missed, strict=True)))


class Aim:
    """Targets as residuals of rows of a space."""

    def __init__(
        self,
        space: Space,
        targets: Mapping[str, np.ndarray],
        turned: Mapping[str, np.ndarray],
        radians_per_metre: float,
    ) -> None:
        self._space = space
        self._points = Points.of(np.array([JOINTS.index(name) for name in targets])).to(space.mean)
        self._places = torch.as_tensor(np.stack([np.asarray(v) for v in targets.values()])).to(space.mean)
        self._which = [list(targets).index(name) for name in turned]
        if turned:
            given = torch.as_tensor(np.stack([np.asarray(v) for v in turned.values()])).to(space.mean)
            self._turns = roma.rotvec_to_rotmat(given)
        self._metres = 1.0 / radians_per_metre

    def at(self, tolerance: float) -> Linearise:
        def linearise(x: Tensor) -> Linear:
            placed, slope = self._space.place(x, self._points)
            values = (placed.points - self._places).flatten(1)
            slopes = slope.flatten(1, 2)
            if self._which:
                # The derivative of the logarithm is taken as the identity, which it is where the residual is zero.
                away = roma.rotmat_to_rotvec(placed.turns[:, self._which] @ self._turns.mT)
                turning = self._space.turning(placed)[:, self._which]
                values = torch.cat([values, self._metres * away.flatten(1)], dim=1)
                slopes = torch.cat([slopes, self._metres * turning.flatten(1, 2)], dim=1)
            values = values / tolerance
            return Linear(values, slopes / tolerance, values.square().sum(dim=1))

        return linearise

    def missed(self, x: Tensor) -> list[float]:
        """Metres from each target."""
        away = self._space.place(x, self._points)[0].points - self._places
        return away[0].norm(dim=-1).tolist()


def _check(targets: Mapping[str, np.ndarray], turned: Mapping[str, np.ndarray]) -> None:
    if not targets:
        raise MotionError("Give at least one target, such as left_wrist.")
    for name in (*targets, *turned):
        if name not in JOINTS:
            raise MotionError(f"{name!r} is no joint of the body; name one of {', '.join(JOINTS)}.")
        if name not in targets:
            raise MotionError(f"{name!r} has an orientation but no target; give it a position as well.")
    for value in (*targets.values(), *turned.values()):
        if np.shape(value) != (3,) or not np.isfinite(np.asarray(value, np.float64)).all():
            raise MotionError("Every target is three finite numbers; correct the one that is not.")
    if any(np.abs(value).max() > FARTHEST for value in targets.values()):
        raise MotionError(f"A target is more than {FARTHEST:.0f} m away; give targets in metres.")
    if any(np.linalg.norm(value) > WHOLE_TURN for value in turned.values()):
        raise MotionError("An orientation turns by more than 360 degrees; give it in radians.")
