# SPDX-License-Identifier: GPL-3.0-or-later
"""From pose to pose through the prior's latents (DPoser sec. C.3, eq. 22)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.device import pick_device
from engine.diffusion.ode import PROGRESS, OdeSettings, decode, encode
from engine.errors import MotionError
from engine.memory import at_once, within_memory
from engine.motion.windows import quat_to_rotvec, rotvec_to_quat
from engine.priors.pose_prior import PosePrior
from engine.priors.weights import load_pose_prior
from engine.tasks.steps import OnStep

LEAST_SINE = 1e-6
"""Below this sine of the angle between two latents the arc is a straight line."""

ROWS_AT_ONCE = 2048


def slerp(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """Spherical interpolation (DPoser eq. 22) of latents a, b (B, D) at shares (B,) from 0 to 1: (B, D)."""
    cosine = (a * b).sum(dim=1) / (a.norm(dim=1) * b.norm(dim=1))
    angle = torch.arccos(cosine.clamp(-1.0, 1.0))[:, None]
    part, sine = share[:, None], torch.sin(angle)
    straight = sine < LEAST_SINE
    sine = torch.where(straight, 1.0, sine)
    from_a = torch.where(straight, 1.0 - part, torch.sin((1.0 - part) * angle) / sine)
    from_b = torch.where(straight, part, torch.sin(part * angle) / sine)
    return from_a * a + from_b * b


def interpolate_pairs(
    poses: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    share: np.ndarray,
    prior: PosePrior,
    settings: OdeSettings | None = None,
    on_step: OnStep | None = None,
) -> np.ndarray:
    """Poses between pairs of poses.

    Args:
        poses: (K, 21, 3) axis-angle in radians.
        left, right: (N,) indices into ``poses``.
        share: (N,) way from left (0) to right (1).
        prior: on the device where it shall run.
        settings: of the ODE.
        on_step: told (done, total, stage); stops the work by raising.

    Returns:
        (N, 21, 3) float64; ends are decoded as any other, so they differ from ``poses`` by the ODE's error.
    """
    device = prior.mean.device

    def tell(stage: str, begin: int, size: int, total: int) -> None:
        if on_step:
            on_step(begin + size, total, stage)

    latents = []
    size = at_once(ROWS_AT_ONCE)
    for begin in range(0, len(poses), size):
        rows = torch.from_numpy(np.asarray(poses[begin : begin + size])).float().to(device)

        def encoding(done: int, total: int, first: int = begin, count: int = len(rows)) -> None:
            tell("Encoding poses", first, count * done // PROGRESS, len(poses))

        latents.append(encode(prior.estimate, prior.sde, prior.normalise(rows), settings, encoding).x)
    latent = torch.cat(latents)
    found = np.empty((len(share), *poses.shape[1:]))
    for begin in range(0, len(share), size):
        rows_here = slice(begin, begin + size)
        at = torch.from_numpy(np.asarray(share[rows_here], np.float64)).to(device)

        def decoding(done: int, total: int, first: int = begin, count: int = len(at)) -> None:
            tell("Decoding poses", first, count * done // PROGRESS, len(share))

        between = slerp(latent[left[rows_here]], latent[right[rows_here]], at)
        event = decode(prior.estimate, prior.sde, between, settings, decoding).x
        found[rows_here] = prior.denormalise(event).cpu().numpy()
    return quat_to_rotvec(rotvec_to_quat(found))  # decoded angles may exceed pi


@within_memory
def interpolate(
    pose_a: np.ndarray,
    pose_b: np.ndarray,
    count: int,
    prior: PosePrior | None = None,
    settings: OdeSettings | None = None,
    device: str = "auto",
    on_step: OnStep | None = None,
) -> np.ndarray:
    """A path of poses from one to another through the prior's latents.

    Args:
        pose_a, pose_b: (21, 3) axis-angle in radians.
        count: poses on the path, both ends included; 2 at least.
        prior: the bundled one by default.
        settings: of the ODE.
        device: auto, cpu, cuda or mps.
        on_step: told (done, total, stage); stops the work by raising.

    Returns:
        (count, 21, 3) float64 axis-angle; the first and the last are the given poses themselves.

    Raises:
        MotionError: fewer than two poses are asked for, or a pose is none.
        WeightsError, DeviceError: as named.
    """
    if count < 2:
        raise MotionError("Ask for at least two poses, both ends included.")
    ends = np.stack([np.asarray(pose_a, np.float64), np.asarray(pose_b, np.float64)])
    if ends.shape != (2, 21, 3) or not np.isfinite(ends).all():
        raise MotionError("A pose needs 21 joints of axis-angle without NaN or infinite values.")
    prior = (prior or load_pose_prior()).to(pick_device(device))
    share = np.linspace(0.0, 1.0, count)
    inner = np.zeros(count - 2, np.int64)
    path = np.empty((count, 21, 3))
    path[[0, -1]] = ends
    if count > 2:
        path[1:-1] = interpolate_pairs(ends, inner, inner + 1, share[1:-1], prior, settings, on_step)
    return path
