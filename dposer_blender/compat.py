# SPDX-License-Identifier: GPL-3.0-or-later
"""Every branch on Blender's version, from 4.2 to 5.2, and nothing else.

4.4 gave actions slots, 5.0 took the curves out of actions without slots and moved a bone's selection.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bpy
from bpy.types import ID, Action, AnimData, FCurve, NlaStrip, Object, PoseBone

HAS_SLOTS = bpy.app.version >= (4, 4, 0)
HAS_POSE_SELECTION = bpy.app.version >= (5, 0, 0)


def slot_identifier(animation: AnimData | None) -> str:
    """Which part of its action animates the owner; empty where it has none, or before slots."""
    if not HAS_SLOTS or animation is None or animation.action_slot is None:
        return ""
    return str(animation.action_slot.identifier)


def action_of(animation: AnimData | None) -> tuple[Action | None, str]:
    """The assigned action, and the identifier of the slot in use."""
    return (animation.action, slot_identifier(animation)) if animation is not None else (None, "")


def curves(animation: AnimData | None) -> Iterable[FCurve]:
    """The f-curves with which the assigned action animates the owner; none where it has none."""
    action = animation.action if animation is not None else None
    if animation is None or action is None:
        return ()
    if not HAS_SLOTS:
        return action.fcurves
    bag = _channelbag(animation.action, animation.action_slot)
    return () if bag is None else bag.fcurves


def slots_for(action: Action, ob: Object) -> list[str]:
    """Identifiers of the slots that can animate an object, its own first; one empty one before slots."""
    if not HAS_SLOTS:
        return [""] if action.id_root == "OBJECT" else []
    fitting = [str(slot.identifier) for slot in action.slots if slot.target_id_type in ("OBJECT", "UNSPECIFIED")]
    own = slot_identifier(ob.animation_data)
    return sorted(fitting, key=lambda slot: slot != own)


def curves_of(action: Action, slot: str) -> Iterable[FCurve]:
    """The f-curves of an action, those of the slot of that identifier where there are slots."""
    if not HAS_SLOTS:
        return action.fcurves
    bag = _channelbag(action, action.slots[slot])
    return () if bag is None else bag.fcurves


def strip_curves(strip: NlaStrip) -> Iterable[FCurve]:
    """The f-curves of an NLA strip's action with which it animates the owner; none where it has no action."""
    if strip.action is None:
        return ()
    if not HAS_SLOTS:
        return strip.action.fcurves
    bag = _channelbag(strip.action, strip.action_slot) if strip.action_slot is not None else None
    return () if bag is None else bag.fcurves


def new_curve(animation: AnimData, path: str, index: int, group: str) -> FCurve:
    """Add an f-curve, shown under ``group``, to the assigned action, which animates the owner already."""
    return new_curve_of(animation.action, slot_identifier(animation), path, index, group)


def new_curve_of(action: Action, slot: str, path: str, index: int, group: str) -> FCurve:
    """Add an f-curve, shown under ``group``, to an action, in its slot of that identifier where there are slots."""
    if not HAS_SLOTS:
        return action.fcurves.new(path, index=index, action_group=group)
    bag = _channelbag(action, action.slots[slot])
    if bpy.app.version >= (5, 0, 0):
        return bag.fcurves.new(path, index=index, group_name=group)
    curve = bag.fcurves.new(path, index=index)
    curve.group = bag.groups.get(group) or bag.groups.new(group)
    return curve


def remove_curve(animation: AnimData, curve: FCurve) -> None:
    """Take an f-curve out of the assigned action."""
    remove_curve_of(animation.action, slot_identifier(animation), curve)


def remove_curve_of(action: Action, slot: str, curve: FCurve) -> None:
    """Take an f-curve out of an action's slot of that identifier."""
    (_channelbag(action, action.slots[slot]) if HAS_SLOTS else action).fcurves.remove(curve)


def assign(animation: AnimData, action: Action | None, slot: str) -> None:
    """Let ``action`` animate the owner through its slot of that identifier; None for no action."""
    animation.action = action
    if HAS_SLOTS and action is not None:
        animation.action_slot = action.slots[slot]


def assign_to_strip(strip: NlaStrip, action: Action, slot: str) -> None:
    """Let an NLA strip, whose track is not in tweak mode, show ``action`` through its slot of that identifier."""
    strip.action = action
    if HAS_SLOTS:
        strip.action_slot = action.slots[slot]


def new_slot(action: Action, owner: ID) -> str:
    """Give a new action what it needs to animate the owner; the slot's identifier, empty before slots."""
    if not HAS_SLOTS:
        return ""
    slot = action.slots.new(id_type=owner.id_type, name=owner.name)
    action.layers.new("Layer").strips.new(type="KEYFRAME").channelbag(slot, ensure=True)
    return str(slot.identifier)


def is_selected(bone: PoseBone) -> bool:
    """Whether the user selected this bone in Pose Mode."""
    return bool(bone.select if HAS_POSE_SELECTION else bone.bone.select)


def select(bone: PoseBone, state: bool) -> None:
    """Select a bone for Pose Mode, or deselect it."""
    if HAS_POSE_SELECTION:
        bone.select = state
    else:
        bone.bone.select = state


def _channelbag(action: Action, slot: Any) -> Any:  # 4.2 has no such classes
    from bpy_extras.anim_utils import action_get_channelbag_for_slot

    return action_get_channelbag_for_slot(action, slot)
