# SPDX-License-Identifier: GPL-3.0-or-later
"""The prior of joints, and its deterministic twin, on disk."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from engine.diffusion.joint_network import ConditionalJointMLP, JointMLP
from engine.errors import WeightsError
from engine.priors.joint_prior import DIM, JointPrior
from engine.priors.prior_file import FOLDER, load_prior, save_prior

SCHEMA, TWIN_SCHEMA = "dposer-joint-prior/1", "dposer-joint-regressor/1"


def save_joint_prior(path: Path, prior: JointPrior, notes: dict[str, str]) -> None:
    """Write a prior as half-precision safetensors (statistics stay float32), whole or not at all."""
    save_prior(
        path, SCHEMA, prior.network, prior.network.settings, {"mean": prior.mean, "std": prior.std}, notes
    )


def save_joint_regressor(path: Path, network: JointMLP, notes: dict[str, str]) -> None:
    """Write the deterministic twin likewise."""
    save_prior(path, TWIN_SCHEMA, network, network.settings, {}, notes)


def load_joint_prior(path: Path | None = None) -> JointPrior:
    """The bundled prior, or the one in ``path``, in float32 and evaluation mode on the CPU.

    Raises:
        WeightsError: the file is missing, damaged, made for another network, or holds NaN.
    """
    path = path or FOLDER / "gfpose.safetensors"

    def check(prior: JointPrior) -> None:
        if prior.mean.shape != (DIM,) or prior.std.shape != (DIM,) or (prior.std < 0).any():
            raise WeightsError(f"The weights file {path.name} holds statistics that are not of {DIM} numbers.")

    return load_prior(path, SCHEMA, "prior of joints", ConditionalJointMLP, _build, check)


def load_joint_regressor(path: Path) -> JointMLP:
    """The twin in a file; raises WeightsError likewise."""
    return load_prior(path, TWIN_SCHEMA, "regressor of joints", JointMLP, lambda network, *_: network)


def _build(network: ConditionalJointMLP, metadata: dict[str, str], tensors: dict[str, Tensor]) -> JointPrior:
    return JointPrior(network, tensors.pop("mean"), tensors.pop("std"))
