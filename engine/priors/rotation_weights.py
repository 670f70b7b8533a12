# SPDX-License-Identifier: GPL-3.0-or-later
"""The prior of rotations on disk."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from engine.diffusion.keypoint_encoder import KeypointEncoder
from engine.diffusion.rotation_network import RotationMLP
from engine.errors import WeightsError
from engine.priors.prior_file import FOLDER, load_prior, save_prior
from engine.priors.rotation_prior import DIM, RotationPrior

SCHEMA = "dposer-rotation-prior/1"
OF_ENCODER = "encoder_"


class _Networks(nn.Module):
    """Denoiser and encoder as one, for a file."""

    def __init__(self, **settings: int) -> None:
        super().__init__()
        encoder = {k.removeprefix(OF_ENCODER): v for k, v in settings.items() if k.startswith(OF_ENCODER)}
        self.denoiser = RotationMLP(**{k: v for k, v in settings.items() if not k.startswith(OF_ENCODER)})
        self.encoder = KeypointEncoder(**encoder) if encoder else None


def save_rotation_prior(path: Path, prior: RotationPrior, notes: dict[str, str]) -> None:
    """Write a prior as half-precision safetensors (statistics stay float32), whole or not at all.

    Weights are rounded as bfloat16 has them, which people refined do not show: their errors change by 0.05 mm.
    """
    networks = nn.ModuleDict({"denoiser": prior.network})
    settings = dict(prior.network.settings)
    if prior.encoder is not None:
        networks["encoder"] = prior.encoder
        settings |= {OF_ENCODER + name: value for name, value in prior.encoder.settings.items()}
    save_prior(path, SCHEMA, networks, settings, {"mean": prior.mean, "std": prior.std}, notes, coarse=True)


def load_rotation_prior(path: Path | None = None) -> RotationPrior:
    """The bundled prior, or the one in ``path``, in float32 and evaluation mode on the CPU.

    Raises:
        WeightsError: the file is missing, damaged, made for another network, or holds NaN.
    """
    path = path or FOLDER / "scorehmr.safetensors"

    def check(prior: RotationPrior) -> None:
        features = prior.network.settings["context"]
        fits = prior.network.dim == DIM and prior.mean.shape == prior.std.shape == (features,)
        if prior.encoder is not None:
            fits = fits and prior.encoder.settings["context"] == features
        if not fits or not (prior.std > 0).all():
            raise WeightsError(f"The weights file {path.name} is not of {DIM} rotations and one context; reinstall it.")

    return load_prior(path, SCHEMA, "prior of rotations", _Networks, _build, check)


def _build(networks: _Networks, metadata: dict[str, str], tensors: dict[str, Tensor]) -> RotationPrior:
    return RotationPrior(networks.denoiser, networks.encoder, tensors.pop("mean"), tensors.pop("std"))
