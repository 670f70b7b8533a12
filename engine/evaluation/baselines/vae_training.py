# SPDX-License-Identifier: GPL-3.0-or-later
"""Training the VAE as VPoser's second release does, on the same poses as the pose prior.

Its loss on the vertices of a licensed body is taken on joints here. As joints do not see the twist of end bones, the
loss on rotations stays on to the end, where VPoser drops it after 15 epochs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import roma
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from engine.body import Body, bundled, forward_kinematics
from engine.evaluation.baselines.vae import PoseVae
from engine.motion.files import replacing
from engine.training.dataset import PoseSet, mirror

CACHE = Path(__file__).resolve().parents[3] / "runs" / "baselines"
COSINE_EDGE = 1e-7
BLOCK = 500  # iterations whose poses are drawn together


@dataclass(frozen=True)
class VaeSettings:
    """What a VAE is trained with. Weights are VPoser 2's.

    Attributes:
        iterations: of Adam; the learning rate falls to zero over them on a half cosine.
        batch: poses in each.
        learning_rate: at the start.
        kl: weight of the Kullback-Leibler divergence, summed over latent dimensions, in nats.
        joints: weight of the mean absolute joint coordinate error in metres: VPoser's 4 for vertices and 2 for joints.
        rotations: weight of the mean geodesic distance in radians.
        seed: of weights, poses and latents.
    """

    iterations: int = 6000
    batch: int = 128
    learning_rate: float = 1e-3
    kl: float = 0.005
    joints: float = 6.0
    rotations: float = 2.0
    seed: int = 0


def trained_vae(poses: PoseSet, settings: VaeSettings | None = None, cache: Path = CACHE) -> PoseVae:
    """The VAE of these poses and settings, in evaluation mode: from the cache, else trained and put there.

    A cached file that cannot be read is trained anew.
    """
    settings = settings or VaeSettings()
    key = hashlib.sha256(repr(settings).encode() + poses.poses.tobytes() + poses.subjects.tobytes())
    path = cache / f"vae-{key.hexdigest()[:16]}.safetensors"
    model = PoseVae()
    try:
        model.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError):
        model = train_vae(poses, settings)
        cache.mkdir(parents=True, exist_ok=True)
        with replacing(path) as stream:
            stream.write(save(model.state_dict()))
    return model.eval().requires_grad_(False)


def train_vae(poses: PoseSet, settings: VaeSettings) -> PoseVae:
    """Train a VAE; poses are drawn by their subjects' weights and mirrored half the time."""
    rng = np.random.default_rng(settings.seed)
    weights = poses.subject_weights()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model, body = PoseVae(), bundled()
        adam = torch.optim.Adam(model.parameters(), settings.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, settings.iterations)
        for start in range(0, settings.iterations, BLOCK):
            rounds = min(BLOCK, settings.iterations - start)
            for batch in _drawn(poses.poses, weights, rounds * settings.batch, rng).split(settings.batch):
                adam.zero_grad()
                _loss(model, body, batch, settings).backward()
                adam.step()
                schedule.step()
    return model


def _drawn(poses: np.ndarray, weights: np.ndarray, count: int, rng: np.random.Generator) -> Tensor:
    drawn = poses[rng.choice(len(poses), count, p=weights)]
    flipped = rng.random(count) < 0.5
    drawn[flipped] = mirror(drawn[flipped])
    return torch.as_tensor(drawn)


def _loss(model: PoseVae, body: Body, pose: Tensor, settings: VaeSettings) -> Tensor:
    """The evidence bound as VPoser weighs it, with the closed-form divergence from the standard normal."""
    mean, spread = model.encode(pose)
    kl = 0.5 * (mean.square() + spread.square() - 1.0) - spread.log()
    decoded = model.decode(mean + spread * torch.randn_like(mean))
    target = roma.rotvec_to_rotmat(pose)
    apart = (_places(body, decoded) - _places(body, target)).abs().mean()
    # Away from its ends, where the arc cosine has no derivative.
    cosine = 0.5 * ((decoded * target).sum(dim=(2, 3)) - 1.0)
    turned = cosine.clamp(-1.0 + COSINE_EDGE, 1.0 - COSINE_EDGE).acos().mean()
    return settings.kl * kl.sum(dim=1).mean() + settings.joints * apart + settings.rotations * turned


def _places(body: Body, rotmats: Tensor) -> Tensor:
    """(B, 22, 3) joints in metres of local rotations (B, 21, 3, 3), root at rest."""
    root = torch.eye(3).expand(len(rotmats), 1, 3, 3)
    full = torch.cat([root, rotmats], dim=1)
    return forward_kinematics(full, torch.as_tensor(body.offsets), torch.zeros(3))[0]
