# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses encoded and decoded again (DPoser sec. C.3); how likely each split's poses are under the prior."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.body import pose_joints
from engine.device import pick_device
from engine.diffusion.ode import (
    LikelihoodSettings,
    OdeSettings,
    bits_per_dimension,
    decode,
    encode,
    log_likelihood,
)
from engine.diffusion.samplers import integrate, probability_flow_heun
from engine.diffusion.schedule import uniform
from engine.evaluation.baselines import TRAINING_FOLDERS
from engine.evaluation.baselines.vae_training import VaeSettings, trained_vae
from engine.evaluation.poses import split_poses
from engine.evaluation.tables.table import Context, Table
from engine.evaluation.vertices import vertices
from engine.priors.pose_prior import PosePrior
from engine.priors.weights import load_pose_prior
from engine.training import dataset

POSES, POSES_LIKELIHOOD = 200, 100
TOLERANCE = 1e-5
TOLERANCE_LIKELIHOOD = 1e-3
"""Looser: it moves the mean by 0.001 bits per dimension, a tenth of the probes' own spread."""
HEUN_STEPS = (20, 50)
PROBES = 4
EVERY = 10
"""Poses are picked from every so many frames of the clips."""

ERRORS = ("MPJPE mm", "MPVPE mm")
CALLS = "network calls"
SPLITS = ("train", "val", "test")

PAPER: dict[str, dict[str, float]] = {
    "DPoser": {"MPJPE mm": 4.79, "MPVPE mm": 6.58},
    "VPoser": {"MPJPE mm": 9.85, "MPVPE mm": 12.16},
}


def reconstruction(context: Context) -> Table:
    """Encode and decode through the probability-flow ODE and the VAE; bits per dimension of the splits."""
    prior = load_pose_prior().to(pick_device(context.device))
    truth = _some(context, "test", POSES)
    rows: dict[str, dict[str, list[float]]] = {}
    for name, method in _flows(prior).items():
        poses, calls = method(torch.from_numpy(truth).float().to(prior.mean.device))
        rows[name] = _errors(poses, truth) | {CALLS: [float(calls)]}
        print(f"  reconstruction: {name}", file=sys.stderr)
    vae = trained_vae(dataset.load([context.data / name for name in TRAINING_FOLDERS]), VaeSettings())
    rows["VAE"] = _errors(torch.from_numpy(vae.reconstruct(truth)), truth) | {CALLS: [2.0]}
    rows["DPoser, likelihood"] = {
        f"bits/dim {split}": _bits(prior, _some(context, split, POSES_LIKELIHOOD), context.seeds)
        for split in SPLITS
    }
    return Table(
        "reconstruction",
        "Pose reconstruction (sec. C.3) and likelihood",
        f"{len(truth)} poses spread evenly over the test split (subjects 5, 8, 9, 13; 30 fps, single frames), "
        "encoded and decoded; 22 SMPL joints and every tenth vertex of the bundled mannequin, root at rest. "
        f"Nothing in a reconstruction is random. Bits per dimension: {POSES_LIKELIHOOD // context.scale} poses "
        f"of each split, spread over {context.seeds} seeds of {PROBES} probes. Paper: AMASS test split.",
        (*ERRORS, CALLS, *(f"bits/dim {split}" for split in SPLITS)),
        rows,
        PAPER,
        "A flow is invertible, so its error is that of the integration alone: it says nothing of how good the "
        "prior is, and falls with the number of steps. The adaptive method (dopri5, tolerance "
        f"{TOLERANCE:g} for the whole batch) integrates dx/dt; Heun's steps integrate dy/dnu, where the flow's "
        "linear part is exact. The VAE decodes the mean of its 32 latents. Bits are of z-scored coordinates at "
        "t = 0.001; less is likelier. Poses of train are of the folder of that name alone.",
    )


def _some(context: Context, split: str, count: int) -> np.ndarray:
    poses = split_poses(Path(context.data) / split, EVERY)
    return poses[np.linspace(0, len(poses) - 1, max(2, count // context.scale)).round().astype(int)]


def _flows(prior: PosePrior) -> dict[str, Callable[[Tensor], tuple[Tensor, int]]]:
    """Ways there and back: (N, 21, 3) -> the same on the CPU, and network calls per pose."""
    settings = OdeSettings(rtol=TOLERANCE, atol=TOLERANCE)

    def adaptive(pose: Tensor) -> tuple[Tensor, int]:
        there = encode(prior.estimate, prior.sde, prior.normalise(pose), settings)
        back = decode(prior.estimate, prior.sde, there.x, settings)
        return prior.denormalise(back.x.float()).cpu(), there.evaluations + back.evaluations

    def heun(steps: int) -> Callable[[Tensor], tuple[Tensor, int]]:
        times = uniform(steps, settings.t_min, prior.sde.t_max)

        def both(pose: Tensor) -> tuple[Tensor, int]:
            event = prior.normalise(pose)
            there = integrate(prior.estimate, prior.sde, event, times, probability_flow_heun)
            back = integrate(prior.estimate, prior.sde, there.x, times[::-1], probability_flow_heun)
            return prior.denormalise(back.x).cpu(), there.evaluations + back.evaluations

        return both

    fixed = {f"DPoser, {steps} Heun steps": heun(steps) for steps in HEUN_STEPS}
    return {f"DPoser, tolerance {TOLERANCE:g}": adaptive} | fixed


def _errors(poses: Tensor, truth: np.ndarray) -> dict[str, list[float]]:
    """Mean errors in mm of poses (N, 21, 3)."""
    aim, found = torch.from_numpy(truth).float(), poses.float()
    gaps = pose_joints(found) - pose_joints(aim), vertices(found) - vertices(aim)
    return {name: [1000.0 * float(gap.norm(dim=-1).mean())] for name, gap in zip(ERRORS, gaps, strict=True)}


def _bits(prior: PosePrior, poses: np.ndarray, seeds: int) -> list[float]:
    """Mean bits per dimension of poses (N, 21, 3), one per seed of the probes."""
    event = prior.normalise(torch.from_numpy(poses).float().to(prior.mean.device))
    ode = OdeSettings(rtol=TOLERANCE_LIKELIHOOD, atol=TOLERANCE_LIKELIHOOD)
    settings = LikelihoodSettings(PROBES, ode=ode)
    found = []
    for seed in range(seeds):
        streams = np.arange(len(event)) + seed * len(event)
        nats = log_likelihood(prior.estimate, prior.sde, event, streams, settings)
        found.append(float(bits_per_dimension(nats, prior.dim).mean()))
        print(f"  reconstruction: likelihood, seed {seed + 1} of {seeds}", file=sys.stderr)
    return found
