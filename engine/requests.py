# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender may ask for over the pipe: each request's parameters and arrays to a task and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from engine.errors import MappingError, MotionError, ProtocolError
from engine.motion.motion import Motion
from engine.motion.skeleton import Skeleton
from engine.motion.units import in_human_size
from engine.protocol import Arrays, Header
from engine.tasks.steps import OnStep

Answer = tuple[Header, Arrays]


def clean(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Clean an animation: `engine.tasks.clean.clean`.

    Args:
        params: ``fps``, ``names`` (J), ``scale`` (metres per rig unit), ``settings`` (fields of
            `CleanSettings`), ``bone_map`` (body joint to bone, or null to find it).
        arrays: ``parents`` (J,), ``rest`` (J, 4, 4), ``tails`` (J, 3), ``rotations`` (T, J, 4) WXYZ,
            ``translations`` (T, J, 3).
        on_step: told (done, total, stage); stops the task by raising.

    Returns:
        ``{"report", "map"}``, where the map from body joint to bone is empty for a rig that has none; and
        ``rotations``, ``translations`` float64, ``rotations_changed``, ``translations_changed`` (T, J) uint8.

    Raises:
        ProtocolError: a parameter or array is missing or unknown.
        EngineError: as the task does.
    """
    from engine.motion.rigs import find_map
    from engine.tasks.clean import CleanSettings, clean

    motion = _motion(params, arrays)
    bone_map = params.get("bone_map")
    settings = _dataclass(CleanSettings, params.get("settings", {}))
    result = clean(motion, settings, bone_map, on_step)
    try:
        found = dict(find_map(motion.skeleton, bone_map).bones)
    except MappingError:  # filters need no map
        found = {}
    return {"report": result.report, "map": found}, {
        "rotations": result.motion.rotations,
        "translations": result.motion.translations,
        "rotations_changed": result.rotations_changed.astype(np.uint8),
        "translations_changed": result.translations_changed.astype(np.uint8),
    }


TASKS: dict[str, Callable[[Header, Arrays, OnStep], Answer]] = {"clean": clean}


def _motion(params: Header, arrays: Arrays) -> Motion:
    try:
        names, fps, scale = params["names"], params["fps"], params["scale"]
        parents, rest, tails = (arrays[key] for key in ("parents", "rest", "tails"))
        rotations, translations = arrays["rotations"], arrays["translations"]
    except KeyError as error:
        raise ProtocolError(f"A request to the engine lacks {error.args[0]}; reinstall DPoser.") from error
    if rotations.ndim != 3 or translations.ndim != 3 or parents.ndim != 1:
        raise MotionError("The animation's arrays do not fit its skeleton.")
    rest, tails, rotations, translations = (
        np.asarray(array, np.float64) for array in (rest, tails, rotations, translations)
    )
    skeleton = in_human_size(Skeleton(tuple(names), tuple(parents.tolist()), rest, tails, float(scale)))
    return Motion(skeleton, rotations, translations, float(fps))


def _dataclass(kind: type[Any], values: dict[str, Any]) -> Any:
    """An instance of ``kind`` from JSON, whose lists become tuples."""
    unknown = values.keys() - {field.name for field in dataclasses.fields(kind)}
    if unknown:
        raise ProtocolError(f"The engine knows no setting called {min(unknown)}; reinstall DPoser.")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
