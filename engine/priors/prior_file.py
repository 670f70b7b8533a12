# SPDX-License-Identifier: GPL-3.0-or-later
"""A network and its statistics on disk: safetensors in half precision, checked before they are believed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.errors import WeightsError

FOLDER = Path(__file__).resolve().parent.parent / "weights"
MAX_BYTES = 200_000_000
PREFIX = "network."

Prior = TypeVar("Prior", bound=nn.Module)
Build = Callable[[dict[str, Any], dict[str, str], dict[str, Tensor]], tuple[Prior, nn.Module]]
"""Makes a prior and its network from settings, metadata and tensors; those it leaves are the network's state."""


def save_prior(
    path: Path,
    schema: str,
    network: nn.Module,
    settings: dict[str, Any],
    tensors: dict[str, Tensor],
    notes: dict[str, str],
) -> None:
    """Write a network in half precision, with other tensors as they are, whole or not at all.

    Args:
        path: the file.
        schema, settings, notes: metadata, settings those of the network.
        network: what is rounded.
        tensors: what is not.
    """
    halves = {f"{PREFIX}{k}": v.detach().half().contiguous() for k, v in network.state_dict().items()}
    sibling = path.with_suffix(".partial")
    metadata = {"schema": schema, "network": json.dumps(settings)} | notes
    save_file(halves | {k: v.clone() for k, v in tensors.items()}, sibling, metadata)
    os.replace(sibling, path)


def load_prior(
    path: Path, schema: str, kind: str, build: Build[Prior], check: Callable[[Prior], None] | None = None
) -> Prior:
    """The prior in a file, in float32 and evaluation mode on the CPU.

    Args:
        path: the file.
        schema: that it must have.
        kind: what it should hold, in words.
        build: see `Build`; may raise KeyError, ValueError, TypeError or RuntimeError where the file does not fit.
        check: raises WeightsError where its statistics cannot be.

    Raises:
        WeightsError: the file is missing, damaged, made for another network, or holds NaN.
    """
    if not path.is_file():
        raise WeightsError(f"The weights file {path.name} is missing; reinstall DPoser or train a prior.")
    if path.stat().st_size > MAX_BYTES:
        raise WeightsError(f"The weights file {path.name} is too large to be a {kind}.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}
        if metadata.get("schema") != schema:
            raise WeightsError(f"The weights file {path.name} is not a DPoser {kind}.")
        prior, network = build(json.loads(metadata["network"]), metadata, tensors)
        network.load_state_dict({k.removeprefix(PREFIX): v for k, v in tensors.items()})
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise WeightsError(
            f"The weights file {path.name} is damaged or made for another network; reinstall DPoser."
        ) from error
    if check:
        check(prior)
    if not all(torch.isfinite(p).all() for p in prior.state_dict().values()):
        raise WeightsError(f"The weights file {path.name} holds NaN or infinite values; reinstall DPoser.")
    return prior.eval().requires_grad_(False)
