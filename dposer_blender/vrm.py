# SPDX-License-Identifier: GPL-3.0-or-later
"""The bones that the VRM add-on names on an armature, read from that add-on's own property where it is there.

VRM 0 keeps a list of (``bone``, ``node.bone_name``) under ``vrm0.humanoid.human_bones``; VRM 1 keeps one group per
human bone, with its ``node.bone_name``, under ``vrm1.humanoid.human_bones``. The property belongs to another
add-on, so any part of it may be missing.
"""

from __future__ import annotations

import re
from typing import Any

from bpy.types import Armature


def human_bones(data: Armature) -> dict[str, str]:
    """VRM human bone ("leftUpperArm") -> bone of the armature that has its name; empty without the VRM add-on."""
    extension = getattr(data, "vrm_addon_extension", None)
    version = getattr(extension, "spec_version", "")
    groups = [getattr(extension, name, None) for name in ("vrm0", "vrm1")]
    if isinstance(version, str) and version.startswith("1"):
        groups.reverse()
    for group in groups:
        bones = getattr(getattr(group, "humanoid", None), "human_bones", None)
        named = {human: bone for human, bone in _named(bones) if bone in data.bones}
        if named:
            return named
    return {}


def _named(bones: Any) -> list[tuple[str, str]]:
    """The pairs of human bone and bone that either version holds."""
    if hasattr(bones, "bl_rna"):  # a group of properties, VRM 1
        found = [(_camel(p.identifier), getattr(bones, p.identifier)) for p in bones.bl_rna.properties]
    elif hasattr(bones, "values"):  # a collection, VRM 0
        found = [(getattr(entry, "bone", ""), entry) for entry in bones.values()]
    else:
        return []
    named = [(human, getattr(getattr(entry, "node", None), "bone_name", "")) for human, entry in found]
    return [pair for pair in named if all(isinstance(name, str) and name for name in pair)]


def _camel(identifier: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), identifier)
