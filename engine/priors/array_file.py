# SPDX-License-Identifier: GPL-3.0-or-later
"""Learned arrays on disk: safetensors in float32, written without torch, and read with NumPy alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from engine.errors import WeightsError
from engine.motion.files import replacing
from engine.priors.safetensors_arrays import read_arrays

Made = TypeVar("Made")


def save_arrays(path: Path, schema: str, arrays: dict[str, np.ndarray], notes: dict[str, str]) -> None:
    """Write arrays, whole or not at all; ``notes`` go into the metadata beside the schema. Raises FileError."""
    from safetensors.numpy import save  # here, as who only cleans may lack it

    tensors = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
    with replacing(path) as stream:
        stream.write(save(tensors, {"schema": schema, **notes}))


def load_arrays(
    path: Path, schema: str, most_bytes: int, build: Callable[[dict[str, np.ndarray]], Made]
) -> Made:
    """What ``build`` makes of the arrays (float64) in a file; it may raise KeyError, ValueError or TypeError.

    Raises:
        WeightsError: the file is missing, damaged, too large, or holds something else.
    """
    if not path.is_file():
        raise WeightsError(f"The weights file {path.name} is missing; reinstall DPoser.")
    try:
        arrays, metadata = read_arrays(path, most_bytes)
        if metadata.get("schema") != schema:
            raise ValueError("another schema")
        return build({key: array.astype(np.float64) for key, array in arrays.items()})
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise WeightsError(f"The weights file {path.name} is damaged; reinstall DPoser.") from error
