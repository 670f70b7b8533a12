# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``clean``."""

from __future__ import annotations

from engine.errors import MappingError
from engine.motion.retarget import RigEdit
from engine.motion.rigs import RigMap, find_map, restored_map
from engine.protocol import Arrays, Header
from engine.requests.parameters import floats, names_of, settings_of
from engine.requests.rig import Answer, check_answer, described, motion_of, packed
from engine.tasks.steps import OnStep


def clean(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Clean an animation: `engine.tasks.clean.clean`.

    Args:
        params: of a rig's animation, see `engine.requests.rig`; ``settings`` (fields of `CleanSettings`).
        arrays: of a rig's animation; where it is known ``confidence`` (T, 22) from 0 to 1, of the joints' rotations.
        on_step: told (done, total, stage); stops the task by raising.

    Returns:
        ``report``, ``map`` (body joint to bone, empty for a rig that has none) and what `described` tells; and the
        arrays of one edit, see `packed`.

    Raises:
        ProtocolError: a parameter or array is missing or unknown.
        EngineError: as the task does.
    """
    from engine.tasks.clean import CleanSettings, clean

    motion = motion_of(params, arrays)
    check_answer(motion, len(motion))
    human_bones = names_of(params, "human_bones")
    bone_map: RigMap | dict[str, str] | None = names_of(params, "bone_map")
    if params.get("mapping") is not None:
        bone_map = restored_map(params["mapping"], motion.skeleton)
    settings = settings_of(CleanSettings, params.get("settings", {}))
    confidence = floats(arrays, "confidence", 2) if "confidence" in arrays else None
    result = clean(motion, settings, bone_map, on_step, human_bones, confidence)
    rig_map: RigMap | None
    try:
        rig_map = bone_map if isinstance(bone_map, RigMap) else find_map(motion.skeleton, bone_map, human_bones)
    except MappingError:  # filters need no map
        rig_map = None
    edit = RigEdit(result.motion, result.rotations_changed, result.translations_changed)
    answer = {"report": result.report, "map": rig_map.bones if rig_map else {}}
    return answer | described(motion, rig_map), packed([edit])
