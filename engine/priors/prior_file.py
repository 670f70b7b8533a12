# SPDX-License-Identifier: GPL-3.0-or-later
"""A network and its statistics on disk: safetensors in half precision, checked before they are believed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from engine.errors import WeightsError
from engine.memory import is_out_of_memory
from engine.motion.files import replacing

FOLDER = Path(__file__).resolve().parent.parent / "weights"
MAX_BYTES = 200_000_000
MAX_SETTING, MAX_LIST = 8192, 64  # of a network: channels, layers and the like, and how many of them in a list
PREFIX = "network."

Prior = TypeVar("Prior", bound=nn.Module)
Network = TypeVar("Network", bound=nn.Module)
Build = Callable[[Network, dict[str, str], dict[str, Tensor]], Prior]
"""Makes a prior of its network, metadata and tensors; those it takes out are its own, the others the network's."""


def save_prior(
    path: Path,
    schema: str,
    network: nn.Module,
    settings: dict[str, Any],
    tensors: dict[str, Tensor],
    notes: dict[str, str],
    coarse: bool = False,
) -> None:
    """Write a network in half precision, with other tensors as they are, whole or not at all.

    Args:
        path: the file.
        schema, settings, notes: metadata, settings those of the network.
        network: what is rounded.
        tensors: what is not.
        coarse: round it to the significant bits of bfloat16 first, which zips hold in a sixth less.

    Raises:
        FileError: it cannot be written there.
    """

    def rounded(weight: Tensor) -> Tensor:
        return (weight.detach().bfloat16() if coarse else weight.detach()).half().contiguous()

    halves = {f"{PREFIX}{k}": rounded(v) for k, v in network.state_dict().items()}
    metadata = {"schema": schema, "network": json.dumps(settings)} | notes
    with replacing(path) as stream:
        stream.write(save(halves | {k: v.clone() for k, v in tensors.items()}, metadata))


def load_prior(
    path: Path,
    schema: str,
    kind: str,
    make: Callable[..., Network],
    build: Build[Network, Prior],
    check: Callable[[Prior], None] | None = None,
) -> Prior:
    """The prior in a file, in float32 and evaluation mode on the CPU.

    Args:
        path: the file.
        schema: that it must have.
        kind: what it should hold, in words.
        make: makes the network from its settings.
        build: see `Build`. Both may raise KeyError, ValueError, TypeError or RuntimeError where the file does not fit.
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
        settings = _settings(metadata["network"])
        state = {k.removeprefix(PREFIX): v for k, v in tensors.items() if k.startswith(PREFIX)}
        with _no_larger_than(sum(tensor.numel() for tensor in state.values())):
            network = make(**settings)
        prior = build(network, metadata, tensors)
        network.load_state_dict({k.removeprefix(PREFIX): v for k, v in tensors.items()})
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError, ArithmeticError) as error:
        if is_out_of_memory(error):
            raise
        raise WeightsError(
            f"The weights file {path.name} is damaged or made for another network; reinstall DPoser."
        ) from error
    if check:
        check(prior)
    if not all(torch.isfinite(p).all() for p in prior.state_dict().values()):
        raise WeightsError(f"The weights file {path.name} holds NaN or infinite values; reinstall DPoser.")
    return prior.eval().requires_grad_(False)


def _settings(text: str) -> dict[str, Any]:
    """The settings of a network; raises ValueError where they are none, or of a size that no network here has."""
    settings = json.loads(text)
    if not isinstance(settings, dict):
        raise ValueError("no settings")
    for value in settings.values():
        parts = value if isinstance(value, list) else [value]
        if len(parts) > MAX_LIST or not all(isinstance(part, int) and 0 <= part <= MAX_SETTING for part in parts):
            raise ValueError("settings out of range")
    return settings


@contextmanager
def _no_larger_than(numbers: int) -> Iterator[None]:
    """Raise ValueError as soon as this thread makes modules with more numbers than that, before they are set.

    So it is the file, not its word, that tells how much memory its network takes.
    """
    left, thread = numbers, threading.get_ident()

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal left
        if parameter is not None and threading.get_ident() == thread:
            left -= parameter.numel()
            if left < 0:
                raise ValueError("larger than its file")

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()
