# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion prior on disk."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from torch import Tensor

from engine.diffusion.temporal_network import TemporalScoreNet
from engine.motion.tpose import OFFSETS
from engine.priors.motion_prior import EVENT, FEATURES, OUTPUTS, MotionPrior
from engine.priors.prior_file import FOLDER, load_prior, save_prior

SCHEMA = "dposer-motion-prior/1"


def save_motion_prior(path: Path, prior: MotionPrior, notes: dict[str, str]) -> None:
    """Write a prior as half-precision safetensors (the body's offsets stay float32), whole or not at all."""
    made = {"posed": json.dumps(prior.posed)}
    save_prior(path, SCHEMA, prior.network, prior.network.settings, {"offsets": prior.offsets}, made | notes)


def load_motion_prior(path: Path | None = None) -> MotionPrior:
    """The bundled prior, or the one in ``path``, in float32 and evaluation mode; read once while it does not change.

    Raises:
        WeightsError: the file is missing, damaged, made for another network, or holds NaN.
    """
    path = path or FOLDER / "motion.safetensors"
    return _load(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=2)
def _load(path: Path, _changed: int) -> MotionPrior:
    return load_prior(path, SCHEMA, "motion prior", TemporalScoreNet, _build)


def _build(network: TemporalScoreNet, metadata: dict[str, str], tensors: dict[str, Tensor]) -> MotionPrior:
    offsets, posed = tensors.pop("offsets"), json.loads(metadata["posed"])
    if (network.settings["inputs"], network.settings["outputs"]) != (FEATURES + EVENT, OUTPUTS):
        raise ValueError("another network")
    if offsets.shape != OFFSETS.shape or type(posed) is not bool:
        raise ValueError("another body")
    return MotionPrior(network, offsets, posed=posed)
