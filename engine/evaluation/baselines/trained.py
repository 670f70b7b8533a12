# SPDX-License-Identifier: GPL-3.0-or-later
"""Every baseline, trained on the poses that the bundled prior was trained on."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from engine.evaluation.baselines.mixture import fit_mixture
from engine.evaluation.baselines.nearest import NearestPoses
from engine.evaluation.baselines.protocol import PoseBaseline
from engine.evaluation.baselines.vae import CodingVae, OptimisedVae
from engine.evaluation.baselines.vae_training import VaeSettings, trained_vae
from engine.training.dataset import load

TRAINING_FOLDERS = ("train", "train_more", "train_lowdof", "train_poses")


@lru_cache(maxsize=3)
def load_baselines(data: Path, seed: int = 0) -> dict[str, PoseBaseline]:
    """Train the baselines, or take those trained in this process before; the VAE is also kept on disk.

    Takes about half a minute for the mixture and, once, two minutes for the VAE, on one core.

    Args:
        data: folder of the splits.
        seed: of everything random in training.

    Returns:
        By name: ``mixture``; ``nearest``; ``VAE``, which completes by optimisation of its latent; ``VAE, coding``,
        which is the same model completing by encoding and decoding.

    Raises:
        FileError: a training folder is not there.
    """
    poses = load([data / name for name in TRAINING_FOLDERS])
    weights = poses.subject_weights()
    vae = trained_vae(poses, VaeSettings(seed=seed))
    return {
        "mixture": fit_mixture(poses.poses, weights, seed),
        "nearest": NearestPoses(poses.poses, weights),
        "VAE": OptimisedVae(vae),
        "VAE, coding": CodingVae(vae),
    }
