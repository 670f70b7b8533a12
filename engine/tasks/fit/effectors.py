# SPDX-License-Identifier: GPL-3.0-or-later
"""Posing by a few targets: hands, feet and head go where they are dragged, the prior poses the rest.

The targets are hard, everything else is the most plausible pose that meets them, or the one nearest to the current
pose. Fast enough to follow a mouse; `engine.tasks.fit.follow` does it for a clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from engine.body import mean_offsets
from engine.diffusion.noise import Noise
from engine.errors import MotionError
from engine.motion.joints import JOINTS
from engine.priors.pose_prior import PosePrior
from engine.tasks.fit.aim import Aim, Targets, check_joints
from engine.tasks.fit.levenberg import Damping
from engine.tasks.fit.linearisation import carriers
from engine.tasks.fit.path import Bending, minimise_path
from engine.tasks.fit.pull import Pull, Pulled, PullSettings
from engine.tasks.fit.state import BODY, ROOT, TRANSL, Space, to_body
from engine.tasks.fit.terms import HINGES

WHOLE_TURN = 2.0 * np.pi + 1e-6  # radians


@dataclass(frozen=True)
class EffectorSettings:
    """How to pose by targets.

    Attributes:
        pull: the prior.
        keep: where the prior's pull leads, from 0, its own most plausible pose, to 1, the current pose. At 1 nothing
            moves that no target needs.
        tolerances: metres from far to near, under the Gaussian prior.
        reach: metres at which a reachable target counts as met; the pose gives way to the targets this far.
        effort: how hard a target pulls at most, in standard deviations of the prior per metre.
        radians_per_metre: how much turn of an oriented target weighs as a metre beside it.
        free_root: let the pelvis move and turn; else it stays where it is.
        turn_std, move_std: how far a free root strays from the current pose, radians and metres.
        seed: of the diffusion noise.

    Raises:
        MotionError: ``keep`` is not from 0 to 1.
    """

    pull: PullSettings = field(default_factory=lambda: PullSettings(times=(0.3,)))
    keep: float = 0.0
    tolerances: tuple[float, ...] = (0.1, 0.03, 0.01)
    reach: float = 5e-4
    effort: float = 2000.0
    radians_per_metre: float = 5.0
    free_root: bool = False
    turn_std: float = 0.5
    move_std: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.keep <= 1.0:
            raise MotionError("How much of the pose is kept must be from 0 to 1; correct it.")


PRESETS: dict[str, EffectorSettings] = {
    "paper": EffectorSettings(
        pull=PullSettings(gaussian=0.0, denoised=1.0, times=(0.2, 0.15, 0.1, 0.05, 0.001))
    ),
    "best": EffectorSettings(),
}
"""``paper``: L_DPoser alone over truncated times [0.2, 0.001]. No paper poses by targets: no ``released``."""

STIFF = 1e8
"""Precision that holds a root still: it strays by less than a hundredth of a millimetre."""

OTHERS = 1.0
"""Precision towards the current pose, at ``keep`` 0.5, of joints that move no target."""

BENT = 0.1
"""Radians that a straight elbow or knee is bent by where a search begins, so that it bends the right way."""

_ITERATIONS, _INNER, _FINAL = 4, 2, 20
"""Of Levenberg and Marquardt: at each tolerance, after each of the denoiser's targets, and at most at the end."""
_NEARLY, _SETTLED = 1e-2, 1e-4
"""A tolerance, and the end, are reached once no step is longer, in standard deviations, radians and metres."""
_DAMPING = Damping(start=1e-2)


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
    aims = _one_frame(targets, {} if orientations is None else orientations)
    space = Space.of(prior, mean_offsets() if offsets is None else offsets)
    x = space.zeros(1)
    if pose is not None:
        x = space.rows(torch.as_tensor(pose)[None], x[:, TRANSL])
    if transl is not None:
        x[0, TRANSL] = torch.as_tensor(transl).to(x)
    with torch.inference_mode():
        x, missed = meet(x, aims, space, prior, chosen, still(x))
    poses, places, _ = to_body(space, x)
    return Posed(poses[0], places[0], dict(zip(targets, missed[0].tolist(), strict=True)))


def still(x: Tensor) -> Bending:
    """No cost of change over time, for rows (T, D) that are poses by themselves."""
    return Bending(0.0, x[:0], x[:0])


def meet(
    start: Tensor,
    targets: Targets,
    space: Space,
    prior: PosePrior,
    settings: EffectorSettings,
    bending: Bending,
    movable: np.ndarray | None = None,
    guess: Tensor | None = None,
    effort: np.ndarray | None = None,
) -> tuple[Tensor, np.ndarray]:
    """Rows (T, D) that meet targets, and by how many metres (T, K) they miss them.

    Args:
        start: (T, D) the current poses.
        targets: on as many frames.
        space: of the rows.
        prior, settings: as in `fit_effectors`.
        bending: what it costs that the change is not smooth.
        movable: (22,) bool, joints that may turn; None for all.
        guess: (T, D) rows to go on from, which nearly meet the targets; None searches from far.
        effort: (T, K) in place of that of the settings.
    """
    kept = settings.keep > 0.0
    stiff, columns = _stiffness(start, targets, settings, movable)
    most = settings.effort if effort is None else effort
    aim = Aim(space, targets, settings.radians_per_metre, most, start if kept else None)
    if not len(columns):  # a target of the pelvis, which stays where it is
        return start, aim.missed(start)
    centre = start.clone()
    centre[:, BODY] *= settings.keep
    denoised = (1.0 - settings.keep) * settings.pull.denoised
    pull = Pull(prior, space, replace(settings.pull, denoised=denoised), stiff, centre)
    x = _bent(start, space, columns) if kept else start
    tolerances, times = settings.tolerances, settings.pull.times if denoised else ()
    if guess is not None:
        x, tolerances, times = guess, (), times[-1:]
    noise = Noise([settings.seed] * len(start))
    last = settings.tolerances[-1] if guess is None else settings.reach

    def nearer(x: Tensor, pulled: Pulled, tolerance: float, iterations: int, settled: float) -> Tensor:
        measured = aim.at(tolerance)
        return minimise_path(measured, x, start, *pulled, bending, columns, iterations, _DAMPING, settled)

    for tolerance in tolerances:
        x = nearer(x, pull.gaussian, tolerance, _ITERATIONS, _NEARLY)
    x, pulled = pull.rounds(x, times, noise, lambda x, pulled: nearer(x, pulled, last, _INNER, _NEARLY))
    x = nearer(x, pulled, settings.reach, _FINAL, _SETTLED)
    return x, aim.missed(x)


def _stiffness(
    start: Tensor, targets: Targets, settings: EffectorSettings, movable: np.ndarray | None
) -> tuple[Tensor, Tensor]:
    """Precisions (D,) besides the prior's, and the columns that may change."""
    stiff, may = torch.zeros_like(start[0]), torch.ones_like(start[0], dtype=torch.bool)
    stiff[ROOT], stiff[TRANSL] = (
        (settings.turn_std**-2.0, settings.move_std**-2.0) if settings.free_root else (STIFF, STIFF)
    )
    others = (~_moving(targets)[1:]).repeat_interleave(3)
    if settings.keep == 1.0:
        may[BODY] = ~others
        may[: TRANSL.stop] = settings.free_root
    else:
        stiff[BODY] = OTHERS * settings.keep / (1.0 - settings.keep) * others
    if movable is not None:
        held = torch.as_tensor(~movable)
        may[ROOT] &= not held[0]
        may[BODY] &= ~held[1:].repeat_interleave(3)
    return stiff, may.nonzero()[:, 0]


def _moving(targets: Targets) -> Tensor:
    """(22,) bool, joints whose rotations move a target."""
    moving = torch.zeros(len(JOINTS), dtype=torch.bool)
    oriented = np.zeros(len(targets.joints), bool)
    if targets.turns is not None:
        oriented = (~np.isnan(targets.turns).any(axis=-1)).any(axis=0)
    for joint, turned in zip(targets.indices.tolist(), oriented.tolist(), strict=True):
        above = carriers()[joint] > 0
        above[joint] = turned
        moving |= above
    return moving


def _bent(x: Tensor, space: Space, columns: Tensor) -> Tensor:
    """Rows whose straight elbows and knees, as far as they may change, are bent a little."""
    x = x.clone()
    for name, axis, sign in HINGES:
        column = BODY.start + 3 * (JOINTS.index(name) - 1) + axis
        if column in columns:
            least = -sign * BENT
            std, mean = space.std[column - BODY.start], space.mean[column - BODY.start]
            angle = x[:, column] * std + mean
            x[:, column] = (torch.where(sign * angle > -BENT, least, angle) - mean) / std
    return x


def _one_frame(places: Mapping[str, np.ndarray], turned: Mapping[str, np.ndarray]) -> Targets:
    """Targets by name as those of one frame."""
    check_joints([*places, *turned])
    for name in turned:
        if name not in places:
            raise MotionError(f"{name!r} has an orientation but no target; give it a position as well.")
    for value in (*places.values(), *turned.values()):
        if np.shape(value) != (3,) or not np.isfinite(np.asarray(value, np.float64)).all():
            raise MotionError("Every target is three finite numbers; correct the one that is not.")
    if any(np.linalg.norm(value) > WHOLE_TURN for value in turned.values()):
        raise MotionError("An orientation turns by more than 360 degrees; give it in radians.")
    turns = np.full((1, len(places), 4), np.nan)
    for k, name in enumerate(places):
        if name in turned:
            turns[0, k] = Rotation.from_rotvec(turned[name]).as_quat(scalar_first=True)
    stacked = np.array([list(value) for value in places.values()], np.float64).reshape(1, -1, 3)
    return Targets(tuple(places), stacked, turns)
