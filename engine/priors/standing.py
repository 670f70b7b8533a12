# SPDX-License-Identifier: GPL-3.0-or-later
"""How people move who stand with their feet in place: spectra of what sways, read without torch."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from engine.motion.joints import JOINTS
from engine.priors.array_file import load_arrays, save_arrays
from engine.priors.dynamics import Dynamics

FILE = Path(__file__).resolve().parent.parent / "weights" / "standing.safetensors"
SCHEMA = "dposer-standing/1"
MAX_BYTES = 2_000_000

SWAYING: tuple[int, ...] = tuple(
    number
    for number, joint in enumerate(JOINTS)
    if joint.split("_")[-1] not in ("hip", "knee", "ankle", "foot")
)
"""Joints of which the spectra tell, the root first: all but the legs', which follow from where pelvis and feet are."""
SIZE = 3 * len(SWAYING) + 3
"""Coordinates: log-rotations of `SWAYING` in radians, and the pelvis' place in metres, in the joints' own axes."""


def save(path: Path, dynamics: Dynamics, notes: dict[str, str]) -> None:
    """Write spectra in float32, whole or not at all; ``notes`` go into the metadata."""
    arrays = {"frequencies": dynamics.frequencies, "density": dynamics.density}
    save_arrays(path, SCHEMA, arrays, notes)


@lru_cache(maxsize=1)
def load(path: Path = FILE) -> Dynamics:
    """The spectra of standing, `SIZE` coordinates, as `engine.training.standing.learn` makes them.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    return load_arrays(path, SCHEMA, MAX_BYTES, _built)


def _built(arrays: dict[str, np.ndarray]) -> Dynamics:
    frequencies, density = arrays["frequencies"], arrays["density"]
    if density.shape != (len(frequencies), SIZE, SIZE) or len(frequencies) < 2:
        raise ValueError("shapes differ")
    if not (np.isfinite(density).all() and np.isfinite(frequencies).all() and (np.diff(frequencies) > 0).all()):
        raise ValueError("values that are not finite or not ascending")
    return Dynamics(frequencies, density, np.zeros(SIZE))
