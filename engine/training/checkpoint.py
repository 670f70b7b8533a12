# SPDX-License-Identifier: GPL-3.0-or-later
"""Training state on disk: one safetensors file, written whole or not at all, that resumes bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as encoded
from torch import Tensor, nn

from engine.errors import WeightsError
from engine.motion.files import remove_leftovers, replacing


def save(
    path: Path,
    model: nn.Module,
    ema: nn.Module,
    optimiser: torch.optim.Optimizer,
    state: dict,
    generator: torch.Generator,
    second: torch.optim.Optimizer | None = None,
) -> None:
    """Write network, averaged network, optimiser moments and random state; ``state`` is any JSON-able dict.

    Raises:
        FileError: it cannot be written there.
    """
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"ema.{k}": v for k, v in ema.state_dict().items()}
    for name, one in (("optimiser", optimiser), ("second", second)):
        for i, moments in (one.state_dict()["state"] if one else {}).items():
            tensors |= {f"{name}.{i}.{k}": torch.as_tensor(v) for k, v in moments.items()}
    tensors["generator"] = generator.get_state()
    tensors["torch_generator"] = torch.get_rng_state()
    content = encoded(
        {k: v.detach().clone().contiguous() for k, v in tensors.items()}, {"state": json.dumps(state)}
    )
    remove_leftovers(path)  # A folder is one training's, and one that was killed has left what is as large.
    with replacing(path) as stream:
        stream.write(content)


def load(
    path: Path,
    model: nn.Module,
    ema: nn.Module,
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
    second: torch.optim.Optimizer | None = None,
) -> dict:
    """Restore what `save` wrote, in place, and return its ``state``.

    Raises:
        WeightsError: the file is damaged or belongs to another network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}
    except (SafetensorError, OSError, TypeError, KeyError, ValueError) as error:
        raise WeightsError(
            f"The checkpoint {path.name} cannot be read ({error}); delete it to start anew."
        ) from error

    def part(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

    try:
        model.load_state_dict(part("model."))
        ema.load_state_dict(part("ema."))
    except RuntimeError as error:
        raise WeightsError(f"The checkpoint {path.name} was made for another network.") from error
    for name, one in (("optimiser.", optimiser), ("second.", second)):
        if one is None:
            continue
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in part(name).items():
            index, kind = key.split(".", 1)
            moments.setdefault(int(index), {})[kind] = value
        one.load_state_dict({"state": moments, "param_groups": one.state_dict()["param_groups"]})
    generator.set_state(tensors["generator"])
    torch.set_rng_state(tensors["torch_generator"])
    return state
