# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion spectra on disk: named `Dynamics` in one safetensors file, read without torch."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from engine.errors import WeightsError
from engine.priors.dynamics import Dynamics

FILE = Path(__file__).resolve().parent.parent / "weights" / "dynamics.safetensors"
SCHEMA = "dposer-dynamics/1"
NAMES = {"body": 63, "root": 3, "pelvis": 3, "joints": 63}
MAX_BYTES = 50_000_000


def save(path: Path, spectra: dict[str, Dynamics], notes: dict[str, str]) -> None:
    """Write spectra in float32, whole or not at all; ``notes`` go into the metadata."""
    tensors = {
        f"{name}.{part}": np.ascontiguousarray(getattr(dynamics, part), np.float32)
        for name, dynamics in spectra.items()
        for part in ("frequencies", "density", "floor")
    }
    sibling = path.with_suffix(".partial")
    save_file(tensors, sibling, {"schema": SCHEMA, **notes})
    os.replace(sibling, path)


def load(path: Path | None = None) -> dict[str, Dynamics]:
    """The spectra of body, root, pelvis and joint positions, as `engine.training.dynamics.learn` makes them.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    path = path or FILE
    if not path.is_file():
        raise WeightsError(f"The weights file {path.name} is missing; reinstall DPoser.")
    return dict(_load(path, path.stat().st_mtime_ns))


@lru_cache(maxsize=2)
def _load(path: Path, _changed: int) -> dict[str, Dynamics]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("too large")
        with safe_open(path, framework="numpy") as file:
            if (file.metadata() or {}).get("schema") != SCHEMA:
                raise ValueError("another schema")
            arrays = {key: file.get_tensor(key).astype(np.float64) for key in file.keys()}
        spectra = {}
        for name, size in NAMES.items():
            frequencies, density, floor = (
                arrays[f"{name}.{part}"] for part in ("frequencies", "density", "floor")
            )
            if density.shape != (len(frequencies), size, size) or floor.shape != (size,):
                raise ValueError("shapes differ")
            if (
                not all(np.isfinite(a).all() for a in (frequencies, density, floor))
                or (np.diff(frequencies) <= 0).any()
            ):
                raise ValueError("values that are not finite or not ascending")
            spectra[name] = Dynamics(frequencies, density, floor)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise WeightsError(f"The weights file {path.name} is damaged; reinstall DPoser.") from error
    return spectra
