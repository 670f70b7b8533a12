# SPDX-License-Identifier: GPL-3.0-or-later
"""The conditional prior on disk: safetensors in half precision, checked before it is believed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from engine.diffusion.networks import ConditionalScoreMLP
from engine.errors import WeightsError
from engine.priors.conditional_prior import ConditionalPrior
from engine.priors.pose_prior import POSE_DIM
from engine.priors.weights import FOLDER, MAX_BYTES

SCHEMA = "dposer-conditional-prior/1"


def save_conditional_prior(path: Path, prior: ConditionalPrior, notes: dict[str, str]) -> None:
    """Write a prior as half-precision safetensors (statistics stay float32), whole or not at all."""
    tensors = {f"network.{k}": v.detach().half().contiguous() for k, v in prior.network.state_dict().items()}
    tensors |= {"mean": prior.mean.clone(), "std": prior.std.clone()}
    sibling = path.with_suffix(".partial")
    save_file(tensors, sibling, {"schema": SCHEMA, "network": json.dumps(prior.network.settings), **notes})
    os.replace(sibling, path)


def load_conditional_prior(path: Path | None = None) -> ConditionalPrior:
    """The bundled prior, or the one in ``path``, in float32 and evaluation mode on the CPU.

    Raises:
        WeightsError: the file is missing, damaged, made for another network, or holds NaN.
    """
    path = path or FOLDER / "conditional.safetensors"
    if not path.is_file():
        raise WeightsError(f"The weights file {path.name} is missing; reinstall DPoser or train a prior.")
    if path.stat().st_size > MAX_BYTES:
        raise WeightsError(f"The weights file {path.name} is too large to be a pose prior.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}
        if metadata.get("schema") != SCHEMA:
            raise WeightsError(f"The weights file {path.name} is not a conditional pose prior.")
        network = ConditionalScoreMLP(**json.loads(metadata["network"]))
        prior = ConditionalPrior(network, tensors.pop("mean"), tensors.pop("std"))
        network.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items()})
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise WeightsError(
            f"The weights file {path.name} is damaged or made for another network; reinstall DPoser."
        ) from error
    if prior.mean.shape != (POSE_DIM,) or prior.std.shape != (POSE_DIM,) or not (prior.std > 0).all():
        raise WeightsError(
            f"The weights file {path.name} holds statistics that are not of {POSE_DIM} numbers."
        )
    if not all(torch.isfinite(p).all() for p in prior.state_dict().values()):
        raise WeightsError(f"The weights file {path.name} holds NaN or infinite values; reinstall DPoser.")
    return prior.eval().requires_grad_(False)
