# SPDX-License-Identifier: GPL-3.0-or-later
"""A variational auto-encoder of poses in the manner of VPoser (Pavlakos et al. 2019, sec. 3.2; its second release).

Widths are those released with VPoser 2: 63 -> 512 -> 512 -> 512 -> 32, and back to 21 rotations in 6D (Zhou et al.
2019). `vae_training` has the losses.
"""

from __future__ import annotations

import numpy as np
import roma
import torch
from torch import Tensor, nn

from engine.diffusion.solvers import descend
from engine.priors.pose_prior import BODY_JOINTS, POSE_DIM

HIDDEN = 512
LATENT = 32
DROPOUT = 0.1
STEPS = 100  # of a completion by optimisation
LEARNING_RATE = 0.1  # of the same
FIDELITY = 10.0
"""Weight of the observed joints' squared rotation error against |z|^2. Of 3, 10, 30, 100 and 300 it weighs one answer
against the best of ten best, on validation poses."""


class PoseVae(nn.Module):
    """Encoder and decoder. "Pose" is (B, 21, 3) axis-angle in radians; a latent is (B, 32)."""

    def __init__(self) -> None:
        super().__init__()
        # The first layer normalises by the training poses' own statistics.
        self.encoder = nn.Sequential(
            nn.BatchNorm1d(POSE_DIM),
            nn.Linear(POSE_DIM, HIDDEN),
            nn.LeakyReLU(),
            nn.BatchNorm1d(HIDDEN),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, HIDDEN),
            nn.Linear(HIDDEN, HIDDEN),
            nn.Linear(HIDDEN, 2 * LATENT),
        )
        self.decoder = nn.Sequential(
            nn.Linear(LATENT, HIDDEN),
            nn.LeakyReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, HIDDEN),
            nn.LeakyReLU(),
            nn.Linear(HIDDEN, 6 * BODY_JOINTS),
        )

    def encode(self, pose: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (B, 32) of the latents of poses."""
        mean, spread = self.encoder(pose.flatten(1)).chunk(2, dim=1)
        return mean, nn.functional.softplus(spread)

    def decode(self, latent: Tensor) -> Tensor:
        """Rotation matrices (B, 21, 3, 3) of latents."""
        return roma.special_gramschmidt(self.decoder(latent).unflatten(1, (BODY_JOINTS, 3, 2)))

    @torch.no_grad()
    def reconstruct(self, pose: np.ndarray) -> np.ndarray:
        """Poses (N, 21, 3) encoded to the mean of their latents and decoded again."""
        return self.poses(self.encode(torch.as_tensor(pose, dtype=torch.float32))[0])

    def poses(self, latent: Tensor) -> np.ndarray:
        """Poses (B, 21, 3) float32 of latents, without gradient."""
        with torch.no_grad():
            return roma.rotmat_to_rotvec(self.decode(latent)).float().numpy()

    def noised(
        self, pose: np.ndarray, observed: np.ndarray, hypotheses: int, rng: np.random.Generator
    ) -> Tensor:
        """(S * N, 21, 3): missing joints drawn from normal distributions of the training poses' statistics."""
        whitening = self.encoder[0]
        assert isinstance(whitening, nn.BatchNorm1d)
        assert whitening.running_mean is not None
        assert whitening.running_var is not None
        noise = _normal((hypotheses, len(pose), POSE_DIM), rng) * whitening.running_var.sqrt()
        drawn = (noise + whitening.running_mean).unflatten(-1, (BODY_JOINTS, 3))
        given = torch.as_tensor(pose, dtype=torch.float32)
        return torch.where(torch.as_tensor(observed)[:, None], given, drawn).flatten(0, 1)


class CodingVae:
    """A VAE as a `PoseBaseline` that completes by generation (DPoser sec. 4.3): encode, draw, decode.

    Args:
        model: in evaluation mode.
    """

    def __init__(self, model: PoseVae) -> None:
        self.model = model

    def sample(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Poses (count, 21, 3) float32 of latents drawn from the standard normal distribution."""
        return self.model.poses(_normal((count, LATENT), rng))

    @torch.no_grad()
    def complete(
        self, pose: np.ndarray, observed: np.ndarray, hypotheses: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Noise for the missing joints, then a latent drawn from the encoder's distribution.

        See `PoseBaseline.complete`.
        """
        mean, spread = self.model.encode(self.model.noised(pose, observed, hypotheses, rng))
        drawn = mean + spread * _normal(tuple(mean.shape), rng)
        return _restored(self.model.poses(drawn), pose, observed, hypotheses)


class OptimisedVae(CodingVae):
    """A VAE that completes by optimisation (DPoser sec. 4.3): the latent z of least fidelity term + |z|^2."""

    def complete(
        self, pose: np.ndarray, observed: np.ndarray, hypotheses: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Adam over latents that start where `CodingVae` has their means, whose noise makes hypotheses differ.

        See `PoseBaseline.complete`.
        """
        seen = torch.as_tensor(observed)
        starts = self.model.noised(pose, observed, hypotheses, rng)
        with torch.no_grad():
            latent = self.model.encode(starts)[0]
        latent.requires_grad_()
        target = roma.rotvec_to_rotmat(starts[:, seen])

        def loss(_: int) -> Tensor:
            wrong = (self.model.decode(latent)[:, seen] - target).square().sum(dim=(1, 2, 3))
            return (FIDELITY * wrong + latent.square().sum(dim=1)).sum()

        descend([latent], loss, STEPS, LEARNING_RATE)
        return _restored(self.model.poses(latent), pose, observed, hypotheses)


def _normal(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    return torch.as_tensor(rng.standard_normal(shape, dtype=np.float32))


def _restored(filled: np.ndarray, pose: np.ndarray, observed: np.ndarray, hypotheses: int) -> np.ndarray:
    candidates = filled.reshape(hypotheses, *pose.shape)
    return np.where(observed[:, None], pose, candidates).astype(np.float32)
