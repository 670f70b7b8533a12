# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion spectra on disk: named `Dynamics` in one safetensors file, read without torch."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from engine.priors.array_file import load_arrays, save_arrays
from engine.priors.dynamics import Dynamics

FILE = Path(__file__).resolve().parent.parent / "weights" / "dynamics.safetensors"
SCHEMA = "dposer-dynamics/1"
NAMES = {"body": 63, "root": 3, "pelvis": 3, "joints": 63}
MAX_BYTES = 50_000_000


def save(path: Path, spectra: dict[str, Dynamics], notes: dict[str, str]) -> None:
    """Write spectra in float32, whole or not at all; ``notes`` go into the metadata."""
    arrays = {
        f"{name}.{part}": getattr(dynamics, part)
        for name, dynamics in spectra.items()
        for part in ("frequencies", "density", "floor")
    }
    save_arrays(path, SCHEMA, arrays, notes)


def load(path: Path | None = None) -> dict[str, Dynamics]:
    """The spectra of body, root, pelvis and joint positions, as `engine.training.dynamics.learn` makes them.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    path = path or FILE
    return dict(_load(path, path.stat().st_mtime_ns if path.is_file() else 0))


@lru_cache(maxsize=2)
def _load(path: Path, _changed: int) -> dict[str, Dynamics]:
    return load_arrays(path, SCHEMA, MAX_BYTES, _built)


def _built(arrays: dict[str, np.ndarray]) -> dict[str, Dynamics]:
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
    return spectra
