# SPDX-License-Identifier: GPL-3.0-or-later
"""Body rotations from noisy 3D joint positions over a clip (DPoser sec. 5.5 and C.2, motion denoising).

Positions are first smoothed by what is known of how joints move together in time, with the noise measured from the
clip; then DPoser's Algorithm 1 finds the poses, all frames at once, whose joints are there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from engine.body import forward_kinematics
from engine.device import pick_device
from engine.diffusion.schedule import truncated
from engine.diffusion.solvers import optimise
from engine.memory import within_memory
from engine.motion.motion import BodyMotion
from engine.priors.dynamics import Dynamics
from engine.priors.pose_prior import PosePrior
from engine.tasks.steps import OnStep
from engine.tasks.temporal import POSITION_LEVELS, measure_noise, smooth


@dataclass(frozen=True)
class FitSettings:
    """Settings of the fit.

    Attributes:
        iterations: of Adam.
        learning_rate: Adam's, in radians.
        t_max, t_min: truncated diffusion times.
        prior_weight: of L_DPoser against squared distances in units of `scale`.
        scale: metres at which a distance counts as one.
        seed: of the diffusion noise.
        device: auto, cpu, cuda or mps.
    """

    iterations: int = 120
    learning_rate: float = 0.05
    t_max: float = 0.25
    t_min: float = 0.05
    prior_weight: float = 0.05
    scale: float = 0.02
    seed: int = 0
    device: str = "auto"


def smooth_joints(positions: np.ndarray, dynamics: Dynamics, fps: float) -> tuple[np.ndarray, float]:
    """Joint positions (T, 21, 3) in the root's frame with their measured noise taken out, and that noise in metres."""
    noise, lively = measure_noise(positions, dynamics, fps, POSITION_LEVELS)
    return smooth(positions, lively, noise, fps), float(np.sqrt(np.median(noise.total)))


@within_memory
def fit_joints(
    positions: np.ndarray,
    offsets: np.ndarray,
    fps: float,
    prior: PosePrior,
    settings: FitSettings | None = None,
    on_step: OnStep | None = None,
) -> BodyMotion:
    """Poses whose joints are nearest to given positions.

    Args:
        positions: (T, 22, 3) metres, in a frame in which the root does not turn; joint 0 is the pelvis.
        offsets: (22, 3) the body's rest offsets in metres.
        fps: frame rate.
        prior: the pose prior.
        settings: see `FitSettings`.
        on_step: told (done, total, stage); stops by raising.
    """
    import roma

    chosen = settings or FitSettings()
    device = pick_device(chosen.device)
    prior = prior.to(device)
    frames = len(positions)
    target = torch.from_numpy(positions[:, 1:] - positions[:, :1]).float().to(device)
    shape = torch.from_numpy(offsets).float().to(device)
    pose = prior.denormalise(torch.zeros(frames, 63, device=device)).clone().requires_grad_(True)
    root = torch.eye(3, device=device).expand(frames, 1, 3, 3)
    origin = torch.zeros(frames, 3, device=device)

    def task_loss(_: int) -> torch.Tensor:
        rotations = torch.cat([root, roma.rotvec_to_rotmat(pose)], dim=1)
        joints = forward_kinematics(rotations, shape, origin)[0][:, 1:]
        return torch.sum((joints - target) ** 2) / (frames * chosen.scale**2)

    def advance(done: int, total: int) -> None:
        if on_step:
            on_step(done, total, "Fitting poses")

    optimise(
        [pose],
        task_loss,
        lambda: prior.normalise(pose),
        prior.estimate,
        prior.sde,
        truncated(chosen.iterations, chosen.t_max, chosen.t_min),
        lambda _: chosen.prior_weight,
        chosen.learning_rate,
        torch.Generator().manual_seed(chosen.seed),
        advance,
    )
    poses = np.zeros((frames, 22, 3))
    poses[:, 1:] = roma.unitquat_to_rotvec(roma.rotvec_to_unitquat(pose.detach())).cpu().numpy()
    return BodyMotion(poses, positions[:, 0].astype(np.float64), fps, offsets)
