# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones a tool works on."""

from __future__ import annotations

from collections.abc import Iterable

from bpy.types import Object

from . import compat
from .clip import Clip
from .errors import ArmatureError

ALL, SELECTED, PARTS = "ALL", "SELECTED", "PARTS"


def names(parts: Iterable[str]) -> list[str]:
    """What the engine calls parts of the body; an animator's head turns with its neck.

    Raises:
        ArmatureError: there is none.
    """
    chosen = sorted({*parts} | ({"neck"} if "head" in parts else set()))
    if not chosen:
        raise ArmatureError("No part of the body is chosen: choose some, or other bones.")
    return chosen


def selected(ob: Object) -> list[str]:
    """Bones that are selected in Pose Mode.

    Raises:
        ArmatureError: none is.
    """
    found = [bone.name for bone in ob.pose.bones if compat.is_selected(bone)]
    if not found:
        raise ArmatureError("No bone is selected: select some in Pose Mode or choose other bones.")
    return found


def changeable(ob: Object, clip: Clip, choice: str, parts: Iterable[str]) -> list[str] | None:
    """Bones, or parts of the body, that may change; None for all.

    Args:
        ob: the clip's armature.
        clip: as far as it is read.
        choice: all, the selected bones, or parts.
        parts: of the body.

    Raises:
        ArmatureError: there is none.
    """
    wanted = names(parts) if choice == PARTS else []
    chosen = set(selected(ob)) if choice == SELECTED else set(clip.names)
    free = {name for name, locked in zip(clip.names, clip.rotations_locked, strict=True) if not locked}
    if not chosen & set(clip.names):
        moving = next((name for name in reversed(clip.names) if name in free), clip.names[0])
        raise ArmatureError(f"None of the selected bones moves the body: select some that do, such as {moving}.")
    if not chosen & free:
        why = max(clip.locked_by, key=clip.locked_by.__getitem__)
        raise ArmatureError(f"No bone can be changed, since they {why}: bake the action to plain keys first.")
    if choice == PARTS:
        return wanted
    if chosen & free == set(clip.names):
        return None
    return [name for name in clip.names if name in chosen & free]
