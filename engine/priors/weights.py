# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights on disk: safetensors in half precision, checked before they are believed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from engine.diffusion.networks import ScoreMLP
from engine.errors import WeightsError
from engine.priors.pose_prior import PosePrior

FOLDER = Path(__file__).resolve().parent.parent / "weights"
SCHEMA = "dposer-pose-prior/1"
MAX_BYTES = 200_000_000


def save_pose_prior(path: Path, prior: PosePrior, notes: dict[str, str]) -> None:
    """Write a prior as half-precision safetensors (statistics stay float32), whole or not at all.

    ``notes`` go into the file's metadata beside the schema, the network's settings, the representation and the
    normalisation.
    """
    network = cast(ScoreMLP, prior.denoiser.network)
    tensors = {f"network.{k}": v.detach().half().contiguous() for k, v in network.state_dict().items()}
    tensors |= {"mean": prior.mean.clone(), "std": prior.std.clone()}
    metadata = {
        "schema": SCHEMA,
        "network": json.dumps(network.settings),
        "representation": prior.representation.name,
        "normalisation": prior.normalisation,
    }
    sibling = path.with_suffix(".partial")
    save_file(tensors, sibling, metadata | notes)
    os.replace(sibling, path)


def load_pose_prior(path: Path | None = None) -> PosePrior:
    """The bundled prior, or the one in ``path``, in float32 and evaluation mode on the CPU.

    A file that names no representation or normalisation has axis-angle and the z-score.

    Raises:
        WeightsError: the file is missing, damaged, made for another network, or holds NaN.
    """
    path = path or FOLDER / "dposer.safetensors"
    if not path.is_file():
        raise WeightsError(f"The weights file {path.name} is missing; reinstall DPoser or train a prior.")
    if path.stat().st_size > MAX_BYTES:
        raise WeightsError(f"The weights file {path.name} is too large to be a pose prior.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}
        if metadata.get("schema") != SCHEMA:
            raise WeightsError(f"The weights file {path.name} is not a DPoser pose prior.")
        settings = json.loads(metadata["network"])
        network = ScoreMLP(dropout=0.0, **settings)
        prior = PosePrior(
            network,
            tensors.pop("mean"),
            tensors.pop("std"),
            representation=metadata.get("representation", "axis-angle"),
            normalisation=metadata.get("normalisation", "z-score"),
        )
        network.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items()})
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise WeightsError(
            f"The weights file {path.name} is damaged or made for another network; reinstall DPoser."
        ) from error
    if not (prior.std > 0).all():
        raise WeightsError(
            f"The weights file {path.name} holds scales that are not positive; train it again."
        )
    if not all(torch.isfinite(p).all() for p in prior.state_dict().values()):
        raise WeightsError(f"The weights file {path.name} holds NaN or infinite values; reinstall DPoser.")
    return prior.eval().requires_grad_(False)
