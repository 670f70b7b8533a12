# SPDX-License-Identifier: GPL-3.0-or-later
"""The authors' DPoser checkpoints, for users who have the right to AMASS weights.

Two forms were released: a training checkpoint of ``ScoreModelFC`` (8,277,567 parameters, one layer of which is never
used) and a Lightning checkpoint of ``TimeFC`` (7,227,967). Both name their layers alike and both divide the network's
output by a VE noise table. Where averaged weights are in the file they are taken.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from engine.diffusion.networks import ScoreMLP
from engine.errors import WeightsError
from engine.priors.pose_prior import POSE_DIM, PosePrior

MAX_BYTES = 500_000_000
UNUSED = "pre_dense_cond"

_LAYERS = {"pre": ("pre_dense", "pre_dense_t", "pre_gnorm")} | {
    f"layers.{2 * block + half}": tuple(
        f"b{block + 1}_{part}" for part in (f"dense{half + 1}", f"dense{half + 1}_t", f"gnorm{half + 1}")
    )
    for block in range(2)
    for half in range(2)
}
_NAMES = {"post": "post_dense", "time": "shared_time_embed.0"} | {
    f"{ours}.{part}": theirs
    for ours, layer in _LAYERS.items()
    for part, theirs in zip(("dense", "dense_t", "norm"), layer, strict=True)
}


def load_released(path: Path, mean: np.ndarray, std: np.ndarray) -> PosePrior:
    """A released checkpoint as a prior, in evaluation mode on the CPU.

    Args:
        path: ``.pth`` or ``.ckpt``.
        mean, std: (63,) the statistics the authors ship beside it (``axis_normalize2.pt``).

    Raises:
        WeightsError: the file is missing, damaged, holds more than tensors, or is another network.
    """
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        raise WeightsError(f"{path.name} is not there, or too large to be a DPoser checkpoint.")
    if zipfile.is_zipfile(path) and _unpacked(path) > MAX_BYTES:
        raise WeightsError(f"{path.name} unpacks to more than a DPoser checkpoint holds; download it again.")
    try:
        # The restricted loader builds tensors and plain containers and nothing else: no code of the file's runs.
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        OSError,
        KeyError,
        zipfile.BadZipFile,
        SafetensorError,
    ) as error:
        raise WeightsError(
            f"{path.name} is damaged, or holds more than weights; download it again."
        ) from error
    try:
        theirs = _averaged(content)
        ours = {
            f"{name}.{kind}": theirs[f"{other}.{kind}"]
            for name, other in _NAMES.items()
            for kind in ("weight", "bias")
        }
        network = ScoreMLP(dropout=0.0, released_scaling=True)
        network.load_state_dict(ours)
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise WeightsError(f"{path.name} is not a checkpoint of DPoser's axis-angle body network.") from error
    if np.shape(mean) != (POSE_DIM,) or np.shape(std) != (POSE_DIM,) or not (np.asarray(std) > 0).all():
        raise WeightsError("The statistics of a DPoser checkpoint are 63 means and 63 positive deviations.")
    if not all(torch.isfinite(parameter).all() for parameter in network.parameters()):
        raise WeightsError(f"{path.name} holds NaN or infinite values; download it again.")
    centre, spread = (torch.as_tensor(np.asarray(values), dtype=torch.float32) for values in (mean, std))
    return PosePrior(network, centre, spread).eval().requires_grad_(False)


def _unpacked(path: Path) -> int:
    """Bytes that the members of an archive say they have."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return 0  # no archive after all, which the loader tells


def _averaged(content: Any) -> dict[str, Tensor]:
    """The network's parameters by the authors' names, the averaged ones where the file has them."""
    state = next((content[key] for key in ("model_state_dict", "state_dict", "model") if key in content), None)
    if state is None:
        raise KeyError("model_state_dict")
    state = {re.sub(r"^(module\.|model\.)+", "", key): value for key, value in state.items()}
    shadow = (content.get("ema") or content.get("ema_state_dict") or {}).get("shadow_params")
    if shadow is not None:
        # Kept in the order of the module's parameters, which is the state's without its buffers.
        names = [name for name in state if name not in ("sigmas",)]
        if len(shadow) != len(names):
            raise KeyError("shadow_params")
        state = dict(zip(names, shadow, strict=True))
    return {name: value for name, value in state.items() if not name.startswith(UNUSED)}
