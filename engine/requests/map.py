# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``map``."""

from __future__ import annotations

from engine.errors import MappingError
from engine.motion.rigs import find_map
from engine.protocol import Arrays, Header
from engine.requests.parameters import names_of
from engine.requests.rig import Answer, skeleton_of
from engine.tasks.steps import OnStep


def map_bones(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Find which bones are the body's joints: `engine.motion.rigs.find_map`. Needs no torch.

    Args:
        params: ``names`` (J), ``scale``, ``bone_map``, ``human_bones`` as in `engine.requests.rig`.
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
    skeleton = skeleton_of(params, arrays)
    bone_map, human_bones = names_of(params, "bone_map"), names_of(params, "human_bones")
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
