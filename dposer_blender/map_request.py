# SPDX-License-Identifier: GPL-3.0-or-later
"""The question which bone of an armature is which joint of the body, and the engine's answer to it."""

from __future__ import annotations

from typing import Any

from bpy.types import Object, Scene

from ..engine.errors import MappingError
from . import bone_map, skeleton, vrm
from .body_joints import in_words
from .client import Message
from .jobs import Request


def asked(ob: Object, scene: Scene) -> Request:
    """The engine's request ``map``: the rest pose, and what was mapped by hand or by the VRM add-on.

    Raises:
        ArmatureError: as `skeleton.read`.
    """
    params, arrays = skeleton.read(ob, scene)
    named = {"bone_map": bone_map.entries(ob.data), "human_bones": vrm.human_bones(ob.data)}
    return "map", params | {key: value or None for key, value in named.items()}, arrays


def told(message: Message) -> dict[str, Any]:
    """The mapping that was found.

    Raises:
        MappingError: none was.
    """
    mapping: dict[str, Any] | None = message.result["map"]
    if mapping is None:
        raise MappingError(in_words(message.result["problem"]))
    return mapping
