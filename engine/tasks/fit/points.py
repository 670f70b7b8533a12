# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses whose joints or markers are where they were measured in 3D, each pose by itself."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import roma
import torch
from torch import Tensor

from engine.body import mean_offsets
from engine.device import pick_device
from engine.diffusion.noise import Noise
from engine.errors import MotionError
from engine.memory import at_once, within_memory
from engine.motion.joints import JOINTS
from engine.priors.pose_prior import PosePrior
from engine.tasks.fit.anneal import Anneal, far, near
from engine.tasks.fit.levenberg import Linear, Linearise
from engine.tasks.fit.linearisation import Points
from engine.tasks.fit.pull import Pull, PullSettings
from engine.tasks.fit.state import BETAS, ROOT, TRANSL, Space, shape_basis, to_body
from engine.tasks.steps import OnStep

ROWS_AT_ONCE = 256
"""Poses solved together: their Jacobians then take some tens of megabytes."""

LARGEST, SMALLEST = 10.0, 1e-3
"""Metres across a frame's points, beyond which they are in other units or no body's."""


@dataclass(frozen=True)
class PointsSettings:
    """How to fit 3D points.

    Attributes:
        noise: standard deviation of a point of weight 1 in metres; weights are relative precisions.
        pull: the prior.
        tolerances: metres, from far to near, before ``noise``.
        iterations: at each tolerance.
        shape: solve for the bundled body's shape as well.
        seed: of the diffusion noise.
        device: auto, cpu, cuda or mps.
    """

    noise: float = 0.01
    pull: PullSettings = field(default_factory=PullSettings)
    tolerances: tuple[float, ...] = (0.2, 0.05, 0.01)
    iterations: int = 6
    shape: bool = False
    seed: int = 0
    device: str = "auto"


PRESETS: dict[str, PointsSettings] = {
    "paper": PointsSettings(
        pull=PullSettings(gaussian=0.0, denoised=1.0, times=tuple(np.linspace(0.2, 0.001, 20)))
    ),
    "best": PointsSettings(),
}
"""``paper``: L_DPoser alone, truncated times [0.2, 0.001] (sec. 4.3). It fits no points: no ``released``."""


@dataclass(frozen=True)
class PointsFit:
    """Fitted poses.

    Attributes:
        poses: (N, 22, 3) axis-angle in radians, the root's orientation first.
        transl: (N, 3) position of the pelvis in metres.
        betas: (N, S) shape, S = 0 where it was not solved for.
        residual: (N,) root mean square distance of the points that count, metres.
    """

    poses: np.ndarray
    transl: np.ndarray
    betas: np.ndarray
    residual: np.ndarray


@within_memory
def fit_points(
    points: np.ndarray,
    joints: np.ndarray,
    prior: PosePrior,
    weights: np.ndarray | None = None,
    places: np.ndarray | None = None,
    offsets: np.ndarray | None = None,
    settings: PointsSettings | None = None,
    on_step: OnStep | None = None,
) -> PointsFit:
    """Fit poses to 3D points: maximum a posteriori under Gaussian noise and the pose prior.

    Args:
        points: (N, P, 3) measured places in metres; what has weight 0 may be NaN.
        joints: (P,) which joint each belongs to.
        prior: the pose prior.
        weights: (P,) or (N, P) relative precisions, 0 for what was not seen; 1 by default. (N, P, 3) where the axes of
            a point were measured differently well; each axis needs some point, or nothing holds the body there.
        places: (P, 3) markers' places in their joint's axes, metres; zero by default: the joint itself.
        offsets: (22, 3) rest offsets of the body in metres; the bundled body's by default.
        settings: see `PointsSettings`; the preset "best" by default.
        on_step: told (done, total, stage) in poses; stops by raising.

    Raises:
        MotionError: shapes do not fit, a point that counts is not finite, or a pose has fewer than 3 points.
    """
    chosen = settings or PRESETS["best"]
    given_weights = np.asarray(1.0 if weights is None else weights, np.float64)
    by_axis = given_weights if given_weights.ndim == 3 else given_weights[..., None]
    weight = np.broadcast_to(by_axis, points.shape).copy()
    _check(points, np.asarray(joints), weight)
    device = pick_device(chosen.device)
    prior = prior.to(device)
    rest = mean_offsets() if offsets is None else offsets
    space = Space.of(prior, rest, shape_basis() if chosen.shape else None)
    carried = Points.of(np.asarray(joints), places).to(space.mean)
    given = torch.as_tensor(np.where(weight > 0, points, 0.0)).to(space.mean)
    weight_of = torch.as_tensor(weight).to(space.mean)
    loose = torch.zeros(space.size).to(space.mean)
    loose[BETAS] = 1.0  # SMPL's coefficients are in standard deviations
    pull = Pull(prior, space, chosen.pull, loose)
    course = Anneal(
        chosen.tolerances, chosen.noise, chosen.iterations, final_iterations=2 * chosen.iterations
    )
    solved = []
    size = at_once(ROWS_AT_ONCE)
    for begin in range(0, len(points), size):
        rows = slice(begin, min(begin + size, len(points)))
        measured = _Measured(space, carried, given[rows], weight_of[rows])
        x = measured.aligned(space.zeros(rows.stop - begin))
        x = far(measured.at, x, pull, course).x
        solved.append(
            near(
                measured.at, x, pull, chosen.pull, course, Noise(np.arange(begin, rows.stop) + chosen.seed)
            ).x
        )
        if on_step:
            on_step(rows.stop, len(points), "Fitting poses")
    x = torch.cat(solved)
    counts = weight_of > 0
    missed = ((space.place(x, carried)[0].points - given).square() * counts).sum(dim=(1, 2))
    residual = (missed / counts.any(dim=2).sum(dim=1)).sqrt().cpu().double().numpy()
    return PointsFit(*to_body(space, x), residual)


class _Measured:
    """Measured points (B, P, 3) with relative precisions (B, P, 3) as residuals of rows of a space."""

    def __init__(self, space: Space, carried: Points, given: Tensor, weight: Tensor) -> None:
        self._space, self._carried, self._given, self._weight = space, carried, given, weight

    def at(self, tolerance: float) -> Linearise:
        root = self._weight.sqrt() / tolerance

        def linearise(x: Tensor) -> Linear:
            placed, slope = self._space.place(x, self._carried)
            values = (root * (placed.points - self._given)).flatten(1)
            return Linear(values, (root[..., None] * slope).flatten(1, 2), values.square().sum(dim=1))

        return linearise

    def aligned(self, x: Tensor) -> Tensor:
        """x with root and position such that its points lie best on the given ones (Kabsch 1976)."""
        source = self._space.place(x, self._carried)[0].points
        weight = self._weight.mean(dim=2, keepdim=True)
        share = weight / weight.sum(dim=1, keepdim=True)
        middle, aim = (share * source).sum(dim=1), (share * self._given).sum(dim=1)
        turn = roma.special_procrustes((share * (self._given - aim[:, None])).mT @ (source - middle[:, None]))
        x = x.clone()
        # The pelvis is at 0, about which the root turns.
        x[:, ROOT] = roma.rotmat_to_rotvec(turn)
        x[:, TRANSL] = aim - (turn @ middle[..., None])[..., 0]
        return x


def _check(points: np.ndarray, joints: np.ndarray, weight: np.ndarray) -> None:
    if points.ndim != 3 or points.shape[2] != 3 or not len(points) or joints.shape != points.shape[1:2]:
        raise MotionError(f"Points must be (N, {len(joints)}, 3) positions, not {points.shape}.")
    if len(joints) and not (joints.min() >= 0 and joints.max() < len(JOINTS)):
        raise MotionError(f"Points belong to joints 0 to {len(JOINTS) - 1}; correct their numbers.")
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise MotionError("Weights of points must be finite and not negative.")
    if not np.isfinite(points[weight > 0]).all():
        raise MotionError("A point that counts holds NaN or infinite values; give it weight 0.")
    few = (weight > 0).any(axis=2).sum(axis=1) < 3
    if few.any():
        raise MotionError(f"Frame {int(few.argmax())} has fewer than 3 points; leave such frames out.")
    low, high = (np.where(weight > 0, points, sign * np.inf) for sign in (1.0, -1.0))
    size = float((high.max(axis=1) - low.min(axis=1)).max())
    if size > LARGEST:
        raise MotionError(f"A frame's points lie {size:.3g} m apart, and no body is so large; give them in metres.")
    if not size > SMALLEST:
        raise MotionError("The points of every frame lie in one place; give a body's joints or markers.")
