# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose prior on disk."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import cast

from torch import Tensor

from engine.diffusion.networks import ScoreMLP
from engine.errors import WeightsError
from engine.priors.pose_prior import PosePrior
from engine.priors.prior_file import FOLDER, load_prior, save_prior

SCHEMA = "dposer-pose-prior/1"


def save_pose_prior(path: Path, prior: PosePrior, notes: dict[str, str]) -> None:
    """Write a prior as half-precision safetensors (statistics stay float32), whole or not at all.

    ``notes`` go into the file's metadata beside the schema, the network's settings, the representation and the
    normalisation.
    """
    network = cast(ScoreMLP, prior.denoiser.network)
    made = {"representation": prior.representation.name, "normalisation": prior.normalisation}
    statistics = {"mean": prior.mean, "std": prior.std}
    save_prior(path, SCHEMA, network, network.settings, statistics, made | notes)


def load_pose_prior(path: Path | None = None) -> PosePrior:
    """The bundled prior, or the one in ``path``, in float32 and evaluation mode on the CPU.

    A file that names no representation or normalisation has axis-angle and the z-score.

    Raises:
        WeightsError: the file is missing, damaged, made for another network, or holds NaN.
    """
    path = path or FOLDER / "dposer.safetensors"

    def check(prior: PosePrior) -> None:
        if not (prior.std > 0).all():
            raise WeightsError(
                f"The weights file {path.name} holds scales that are not positive; train it again."
            )

    return load_prior(path, SCHEMA, "pose prior", partial(ScoreMLP, dropout=0.0), _build, check)


def _build(network: ScoreMLP, metadata: dict[str, str], tensors: dict[str, Tensor]) -> PosePrior:
    return PosePrior(
        network,
        tensors.pop("mean"),
        tensors.pop("std"),
        representation=metadata.get("representation", "axis-angle"),
        normalisation=metadata.get("normalisation", "z-score"),
    )
