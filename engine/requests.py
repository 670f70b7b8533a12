# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender may ask for over the pipe: each request's parameters and arrays to a task and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine.errors import MappingError, MotionError, ProtocolError
from engine.motion.motion import Motion
from engine.motion.rigs import RigMap, find_map
from engine.motion.skeleton import Skeleton
from engine.motion.units import in_human_size
from engine.protocol import Arrays, Header
from engine.tasks.steps import OnStep

Answer = tuple[Header, Arrays]


def clean(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Clean an animation: `engine.tasks.clean.clean`.

    Args:
        params: ``fps``, ``names`` (J), ``scale`` (metres per rig unit), ``settings`` (fields of
            `CleanSettings`), ``bone_map`` (body joint to bone, or null to find it), ``human_bones`` (VRM human bone to
            bone, or null), ``mapping`` (what `map_bones` found, in place of both, or null).
        arrays: ``parents`` (J,), ``rest`` (J, 4, 4), ``tails`` (J, 3), ``rotations`` (T, J, 4) WXYZ,
            ``translations`` (T, J, 3).
        on_step: told (done, total, stage); stops the task by raising.

    Returns:
        ``{"report", "map", "joints", "scale"}``: the map from body joint to bone is empty for a rig that has none,
        ``joints`` counts those of the body that the rig has, with those that lie between two bones, and ``scale``
        is metres per rig unit for a body of human size; and
        ``rotations``, ``translations`` float64, ``rotations_changed``, ``translations_changed`` (T, J) uint8.

    Raises:
        ProtocolError: a parameter or array is missing or unknown.
        EngineError: as the task does.
    """
    from engine.tasks.clean import CleanSettings, clean

    motion = _motion(params, arrays)
    human_bones = _names(params, "human_bones")
    bone_map: RigMap | dict[str, str] | None = _names(params, "bone_map")
    if params.get("mapping") is not None:
        bone_map = RigMap.restored(params["mapping"])
    settings = _dataclass(CleanSettings, params.get("settings", {}))
    result = clean(motion, settings, bone_map, on_step, human_bones)
    try:
        rig_map = bone_map if isinstance(bone_map, RigMap) else find_map(motion.skeleton, bone_map, human_bones)
        found, joints = rig_map.bones, len(rig_map.sources)
    except MappingError:  # filters need no map
        found, joints = {}, 0
    scale = motion.skeleton.scale
    return {"report": result.report, "map": found, "joints": joints, "scale": scale}, {
        "rotations": result.motion.rotations,
        "translations": result.motion.translations,
        "rotations_changed": result.rotations_changed.astype(np.uint8),
        "translations_changed": result.translations_changed.astype(np.uint8),
    }


def map_bones(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Find which bones are the body's joints: `engine.motion.rigs.find_map`. Needs no torch.

    Args:
        params: ``names`` (J), ``scale``, ``bone_map``, ``human_bones`` as in `clean`.
        arrays: ``parents`` (J,), ``rest`` (J, 4, 4), ``tails`` (J, 3).
        on_step: not told, since it takes a moment.

    Returns:
        ``{"found", "map", "problem"}`` and no arrays. ``found`` is what is found without the bone map, ``map`` what
        comes of both; null where there is none, and then ``problem`` says why in a sentence. A mapping is that of
        `RigMap.described`.

    Raises:
        ProtocolError: a parameter or array is missing.
        MotionError: they make no skeleton.
    """
    skeleton = _skeleton(params, arrays)
    bone_map, human_bones = _names(params, "bone_map"), _names(params, "human_bones")
    answer: Header = {"found": None, "map": None, "problem": ""}
    try:
        answer["found"] = find_map(skeleton, None, human_bones).described()
    except MappingError as error:
        answer["problem"] = str(error)
    if not bone_map:
        return answer | {"map": answer["found"]}, {}
    try:
        return answer | {"map": find_map(skeleton, bone_map, human_bones).described(), "problem": ""}, {}
    except MappingError as error:
        return answer | {"problem": str(error)}, {}


TASKS: dict[str, Callable[[Header, Arrays, OnStep], Answer]] = {"clean": clean, "map": map_bones}


def _motion(params: Header, arrays: Arrays) -> Motion:
    skeleton = _skeleton(params, arrays)
    fps, rotations, translations = (
        _required(params, "fps"), _required(arrays, "rotations"), _required(arrays, "translations"),
    )  # fmt: skip
    if rotations.ndim != 3 or translations.ndim != 3:
        raise MotionError("The animation's arrays do not fit its skeleton.")
    rotations, translations = (np.asarray(array, np.float64) for array in (rotations, translations))
    return Motion(in_human_size(skeleton), rotations, translations, float(fps))


def _skeleton(params: Header, arrays: Arrays) -> Skeleton:
    names, scale = _required(params, "names"), _required(params, "scale")
    parents, rest, tails = (_required(arrays, key) for key in ("parents", "rest", "tails"))
    if parents.ndim != 1:
        raise MotionError("The animation's arrays do not fit its skeleton.")
    rest, tails = np.asarray(rest, np.float64), np.asarray(tails, np.float64)
    return Skeleton(tuple(names), tuple(parents.tolist()), rest, tails, float(scale))


def _required(values: Mapping[str, Any], key: str) -> Any:
    try:
        return values[key]
    except KeyError as error:
        raise ProtocolError(f"A request to the engine lacks {key}; reinstall DPoser.") from error


def _names(params: Header, key: str) -> dict[str, str] | None:
    """An optional table from name to name."""
    value = params.get(key)
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value.values()):
        raise ProtocolError(f"A request to the engine has a {key} that is no table of names; reinstall DPoser.")
    return value


def _dataclass(kind: type[Any], values: dict[str, Any]) -> Any:
    """An instance of ``kind`` from JSON, whose lists become tuples."""
    unknown = values.keys() - {field.name for field in dataclasses.fields(kind)}
    if unknown:
        raise ProtocolError(f"The engine knows no setting called {min(unknown)}; reinstall DPoser.")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
