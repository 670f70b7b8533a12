# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses to latents and back, and their likelihood (DPoser sec. C.3)."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

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
from engine.evaluation.baselines import TRAINING_FOLDERS
from engine.evaluation.baselines.vae_training import VaeSettings, trained_vae
from engine.evaluation.poses import split_poses
from engine.evaluation.tables.table import Context, Table
from engine.evaluation.vertices import vertices
from engine.priors.pose_prior import PosePrior
from engine.priors.weights import load_pose_prior
from engine.training.dataset import load

POSES = 300
POSES_LIKELIHOOD = 100  # per split
SPLITS = ("train", "val", "test")
MILLIMETRES = 1000.0
COLUMNS = ("MPJPE mm", "MPVPE mm", "evaluations", *(f"bits/dim {split}" for split in SPLITS))
FLOWS = {
    "DPoser, 20 steps of rk4": OdeSettings(),
    "DPoser, 20 steps of Heun": OdeSettings("heun2"),
    "DPoser, dopri5 (1e-5)": OdeSettings("dopri5"),
}
LIKELIHOOD = LikelihoodSettings(probes=1)


def _some(folder: Path, count: int) -> torch.Tensor:
    """``count`` poses (N, 21, 3) spread evenly over a split."""
    poses = split_poses(folder, 10)
    return torch.from_numpy(poses[np.linspace(0, len(poses) - 1, count).round().astype(int)]).float()


def _errors(found: torch.Tensor, truth: torch.Tensor) -> dict[str, float]:
    joints = (pose_joints(found) - pose_joints(truth)).norm(dim=-1).mean()
    skin = (vertices(found) - vertices(truth)).norm(dim=-1).mean()
    return {"MPJPE mm": MILLIMETRES * float(joints), "MPVPE mm": MILLIMETRES * float(skin)}


def _there_and_back(poses: torch.Tensor, prior: PosePrior, settings: OdeSettings) -> dict[str, float]:
    event = prior.normalise(poses.to(prior.mean.device))
    latent = encode(prior.estimate, prior.sde, event, settings)
    back = decode(prior.estimate, prior.sde, latent.x, settings)
    figures = _errors(prior.denormalise(back.x).float().cpu(), poses)
    return figures | {"evaluations": float(latent.evaluations + back.evaluations)}


def _bits(poses: torch.Tensor, prior: PosePrior, seed: int) -> float:
    seeds = np.random.SeedSequence(seed).generate_state(len(poses), np.uint64)
    event = prior.normalise(poses.to(prior.mean.device))
    nats = log_likelihood(prior.estimate, prior.sde, event, seeds, LIKELIHOOD)
    return float(bits_per_dimension(nats, prior.dim).mean())


def reconstruction(context: Context) -> Table:
    """Reconstruction errors of the probability flow and the VAE, and bits per dimension of each split."""
    truth = _some(context.data / "test", max(2, POSES // context.scale))
    prior = load_pose_prior().to(pick_device(context.device))
    rows: dict[str, dict[str, list[float]]] = {}
    for name, settings in FLOWS.items():
        rows[name] = {column: [value] for column, value in _there_and_back(truth, prior, settings).items()}
        print(f"  reconstruction: {name}", file=sys.stderr)
    bits = rows["DPoser, 20 steps of rk4"]
    for split in SPLITS:
        poses = _some(context.data / split, max(2, POSES_LIKELIHOOD // context.scale))
        bits[f"bits/dim {split}"] = [_bits(poses, prior, seed) for seed in range(context.seeds)]
        print(f"  reconstruction: likelihood, {split}", file=sys.stderr)
    training = load([context.data / name for name in TRAINING_FOLDERS])
    vae: dict[str, list[float]] = {}
    for seed in range(context.seeds):
        found = torch.from_numpy(trained_vae(training, VaeSettings(seed=seed)).reconstruct(truth.numpy()))
        for column, value in _errors(found, truth).items():
            vae.setdefault(column, []).append(value)
    rows["VAE as VPoser's"] = vae
    return Table(
        "reconstruction",
        "Reconstruction through the latents, and likelihood",
        f"{len(truth)} poses spread evenly over the test split (subjects 5, 8, 9, 13; 30 fps, single frames), encoded "
        "and decoded. 22 joints and every tenth vertex of the bundled mannequin (SMPL-X mean shape), root at rest. "
        "The flow is deterministic: one value; the VAE is trained anew with every seed. Bits per dimension: "
        f"{max(2, POSES_LIKELIHOOD // context.scale)} poses of each split, of their z-scores, spread over the seeds of "
        f"the Hutchinson probes ({LIKELIHOOD.probes} per pose), from t = {LIKELIHOOD.ode.t_min:g}; a standard normal "
        "distribution has 2.05.",
        COLUMNS,
        rows,
        {
            "DPoser": {"MPJPE mm": 4.79, "MPVPE mm": 6.58},
            "VPoser": {"MPJPE mm": 9.85, "MPVPE mm": 12.16},
        },
        "The flow's error is that of its integration; the VAE's is what its 32 latents cannot hold. Evaluations are of "
        "the network, there and back.",
    )
