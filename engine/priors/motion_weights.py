# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion prior on disk: safetensors in half precision, checked before it is believed."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from engine.diffusion.temporal_network import TemporalScoreNet
from engine.errors import WeightsError
from engine.priors.motion_prior import EVENT, FEATURES, OUTPUTS, MotionPrior
from engine.priors.weights import FOLDER, MAX_BYTES

SCHEMA = "dposer-motion-prior/1"


def save_motion_prior(path: Path, prior: MotionPrior, notes: dict[str, str]) -> None:
    """Write a prior as half-precision safetensors (the body's offsets stay float32), whole or not at all."""
    tensors = {f"network.{k}": v.detach().half().contiguous() for k, v in prior.network.state_dict().items()}
    tensors["offsets"] = prior.offsets.clone()
    metadata = {
        "schema": SCHEMA,
        "network": json.dumps(prior.network.settings),
        "posed": json.dumps(prior.posed),
    }
    sibling = path.with_suffix(".partial")
    save_file(tensors, sibling, metadata | notes)
    os.replace(sibling, path)


def load_motion_prior(path: Path | None = None) -> MotionPrior:
    """The bundled prior, or the one in ``path``, in float32 and evaluation mode; read once while it does not change.

    Raises:
        WeightsError: the file is missing, damaged, made for another network, or holds NaN.
    """
    path = path or FOLDER / "motion.safetensors"
    if not path.is_file():
        raise WeightsError(f"The weights file {path.name} is missing; reinstall DPoser or train a prior.")
    return _load(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _load(path: Path, _changed: int) -> MotionPrior:
    if path.stat().st_size > MAX_BYTES:
        raise WeightsError(f"The weights file {path.name} is too large to be a motion prior.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}
        if metadata.get("schema") != SCHEMA:
            raise WeightsError(f"The weights file {path.name} is not a motion prior.")
        settings = json.loads(metadata["network"])
        if (settings["inputs"], settings["outputs"]) != (FEATURES + EVENT, OUTPUTS):
            raise ValueError("another network")
        network = TemporalScoreNet(**settings)
        prior = MotionPrior(network, tensors.pop("offsets"), posed=json.loads(metadata["posed"]))
        network.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items()})
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise WeightsError(
            f"The weights file {path.name} is damaged or made for another network; reinstall DPoser."
        ) from error
    if not all(torch.isfinite(p).all() for p in prior.state_dict().values()):
        raise WeightsError(f"The weights file {path.name} holds NaN or infinite values; reinstall DPoser.")
    return prior.eval().requires_grad_(False)
