# SPDX-License-Identifier: GPL-3.0-or-later
"""DiffPose's prior on disk, and the context encoder that is trained before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from engine.diffusion.graph_network import ContextEncoder, PoseGraphNet
from engine.diffusion.sde import DiscreteVP
from engine.errors import WeightsError
from engine.priors.lifting_prior import LiftingPrior
from engine.priors.prior_file import FOLDER, load_prior, save_prior

SCHEMA, CONTEXT_SCHEMA = "dposer-lifting-prior/1", "dposer-context-encoder/1"
ENCODERS = ("frame", "clip")
"""What the bundled priors' encoders see: single frames, or sequences."""


class _Both(nn.Module):
    """The two networks of a prior as one, whose settings tell them apart by a prefix."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.encoder, self.network = _encoder(**_of(settings, "encoder_")), _graph(**_of(settings, "network_"))


def _of(settings: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in settings.items() if key.startswith(prefix)}


def _encoder(**settings: Any) -> ContextEncoder:
    return ContextEncoder(_parents(settings), **settings)


def _graph(**settings: Any) -> PoseGraphNet:
    return PoseGraphNet(_parents(settings), **settings)


def _parents(settings: dict[str, Any]) -> list[int]:
    """The parents, taken out of settings, in which they are kept one up."""
    return [parent - 1 for parent in settings.pop("joints_of")]


def save_lifting_prior(path: Path, prior: LiftingPrior, notes: dict[str, str]) -> None:
    """Write both networks as half-precision safetensors, whole or not at all."""
    both = nn.ModuleDict({"encoder": prior.encoder, "network": prior.network})
    settings = {f"encoder_{key}": value for key, value in prior.encoder.settings.items()}
    settings |= {f"network_{key}": value for key, value in prior.network.settings.items()}
    made = {
        "components": str(prior.components),
        "standard": str(int(prior.standard)),
        "steps": str(prior.sde.steps),
        "betas": f"{prior.sde.beta_first} {prior.sde.beta_last}",
    }
    save_prior(path, SCHEMA, both, settings, {}, made | notes)


def load_lifting_prior(path: Path | None = None, encoder: str = "frame") -> LiftingPrior:
    """The bundled prior of an encoder, or the one in ``path``, in float32 and evaluation mode on the CPU.

    Args:
        path: another file than the bundled ones.
        encoder: of the bundled ones, one of `ENCODERS`.

    Raises:
        WeightsError: the file is missing, damaged, made for another network, or holds NaN.
    """
    path = path or FOLDER / f"diffpose_{encoder}.safetensors"

    def check(prior: LiftingPrior) -> None:
        if not 1 <= prior.components <= 100 or not 1 <= prior.sde.steps <= 10_000:
            raise WeightsError(f"The weights file {path.name} holds a diffusion of impossible size; reinstall DPoser.")

    return load_prior(path, SCHEMA, "lifting prior", _Both, _build, check)


def _build(both: _Both, metadata: dict[str, str], tensors: dict[str, Tensor]) -> LiftingPrior:
    first, last = (float(beta) for beta in metadata["betas"].split())
    return LiftingPrior(
        both.encoder,
        both.network,
        int(metadata["components"]),
        DiscreteVP(int(metadata["steps"]), first, last),
        metadata["standard"] == "1",
    )


def save_context_encoder(path: Path, encoder: ContextEncoder, notes: dict[str, str]) -> None:
    """Write a context encoder alone."""
    save_prior(path, CONTEXT_SCHEMA, encoder, encoder.settings, {}, notes)


def load_context_encoder(path: Path) -> ContextEncoder:
    """The context encoder in a file; raises WeightsError likewise."""
    return load_prior(path, CONTEXT_SCHEMA, "context encoder", _encoder, lambda network, *_: network)
