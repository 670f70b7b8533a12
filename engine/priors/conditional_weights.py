# SPDX-License-Identifier: GPL-3.0-or-later
"""The conditional prior on disk."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from engine.diffusion.networks import ConditionalScoreMLP
from engine.errors import WeightsError
from engine.priors.conditional_prior import ConditionalPrior
from engine.priors.pose_prior import POSE_DIM
from engine.priors.prior_file import FOLDER, load_prior, save_prior

SCHEMA = "dposer-conditional-prior/1"


def save_conditional_prior(path: Path, prior: ConditionalPrior, notes: dict[str, str]) -> None:
    """Write a prior as half-precision safetensors (statistics stay float32), whole or not at all."""
    statistics = {"mean": prior.mean, "std": prior.std}
    save_prior(path, SCHEMA, prior.network, prior.network.settings, statistics, notes)


def load_conditional_prior(path: Path | None = None) -> ConditionalPrior:
    """The bundled prior, or the one in ``path``, in float32 and evaluation mode on the CPU.

    Raises:
        WeightsError: the file is missing, damaged, made for another network, or holds NaN.
    """
    path = path or FOLDER / "conditional.safetensors"

    def check(prior: ConditionalPrior) -> None:
        if prior.mean.shape != (POSE_DIM,) or prior.std.shape != (POSE_DIM,) or not (prior.std > 0).all():
            raise WeightsError(
                f"The weights file {path.name} holds statistics that are not of {POSE_DIM} numbers."
            )

    return load_prior(path, SCHEMA, "conditional pose prior", ConditionalScoreMLP, _build, check)


def _build(
    network: ConditionalScoreMLP, metadata: dict[str, str], tensors: dict[str, Tensor]
) -> ConditionalPrior:
    return ConditionalPrior(network, tensors.pop("mean"), tensors.pop("std"))
