# SPDX-License-Identifier: GPL-3.0-or-later
"""The bones that an animator maps to the body's joints by hand, kept with the armature's data.

Every joint has a bone, ``armature.dposer_bone_map.left_elbow``, empty for one that is found automatically, and a
switch, ``left_elbow_absent``, for a joint that the rig is to be without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, PointerProperty, StringProperty
from bpy.types import Armature, Context, Object, PropertyGroup

from ..engine.motion.joints import JOINTS
from . import bone_checks, found_bones
from .body_joints import BONES, TITLES

if TYPE_CHECKING:
    from .bone_checks import Checked
    from .found_bones import Search

_OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}


def absent_property(joint: str) -> str:
    """The name of the switch that leaves a joint out."""
    return f"{joint}_absent"


def entries(data: Armature) -> dict[str, str]:
    """Joint -> bone as mapped by hand, "" for a joint that is left out; the others are found automatically."""
    bone_map, found = data.dposer_bone_map, {}
    for joint in JOINTS:
        bone = getattr(bone_map, joint)
        if bone or getattr(bone_map, absent_property(joint)):
            found[joint] = bone
    return found


def put(data: Armature, joint: str, bone: str | None) -> None:
    """Map a joint to a bone by hand: "" leaves the joint out, None has it found automatically."""
    bone_map = data.dposer_bone_map
    setattr(bone_map, joint, bone or "")
    setattr(bone_map, absent_property(joint), bone == "")


def replace(data: Armature, wanted: Mapping[str, str]) -> None:
    """Make the map by hand this one and no other."""
    for joint in JOINTS:
        put(data, joint, wanted.get(joint))


def refusal(ob: Object | None) -> str:
    """Why the bones of this armature cannot be mapped, in a few words; empty where they can."""
    if ob is None or ob.type != "ARMATURE":
        return "Select an armature first"
    override = ob.data.override_library
    if not ob.data.is_editable or (override is not None and override.is_system_override):
        return (
            f"{ob.data.name} is linked from another file: map its bones there, or make it local or "
            "an editable library override first"
        )
    return editing(ob)


def editing(ob: Object) -> str:
    """Why the bones of an armature cannot be trusted now, in a few words; empty where they can."""
    return f"The bones of {ob.name} are being edited: leave Edit Mode first" if ob.data.is_editmode else ""


def checked(data: Armature) -> tuple[dict[str, str], Search | None, Checked]:
    """What was mapped by hand, what was found, and what comes of both; quick enough to draw."""
    by_hand, search = entries(data), found_bones.recall(data.session_uid)
    found = search.found if search is not None else None
    named = [bone for bone in by_hand.values() if bone]
    follows: Mapping[str, str] = {}
    if found is not None:
        named += [bone for bones in found.bones.values() for bone in bones]
        follows = found.follows
    lineage = _lineage(data, named, follows)
    if search is not None and (
        search.count != len(data.bones) or (found is not None and bone_checks.outdated(found, lineage))
    ):
        search = found = None  # the bones have changed
    return by_hand, search, bone_checks.check(by_hand, found, search is not None, lineage)


def _lineage(data: Armature, names: Iterable[str], follows: Mapping[str, str]) -> dict[str, str]:
    """Each bone of these that there is -> the bone it follows, and so on upwards."""
    lineage: dict[str, str] = {}
    for name in names:
        bone = data.bones.get(name)
        while bone is not None and bone.name not in lineage:
            above = data.bones.get(follows[bone.name]) if bone.name in follows else bone.parent
            lineage[bone.name] = above.name if above is not None else ""
            bone = above
    return lineage


def _search(self: PropertyGroup, context: Context, text: str) -> list[str]:
    """All the armature's bones, whatever is hidden; Blender picks and sorts what fits the text."""
    return [bone.name for bone in self.id_data.bones]


def _bone_chosen(joint: str) -> Callable[[PropertyGroup, Context], None]:
    def update(self: PropertyGroup, context: Context) -> None:
        if getattr(self, joint) and getattr(self, absent_property(joint)):
            setattr(self, absent_property(joint), False)

    return update


def _left_out(joint: str) -> Callable[[PropertyGroup, Context], None]:
    def update(self: PropertyGroup, context: Context) -> None:
        if getattr(self, absent_property(joint)) and getattr(self, joint):
            setattr(self, joint, "")

    return update


def _properties() -> dict[str, Any]:
    """Annotations: two properties for each joint."""
    found: dict[str, Any] = {}
    for joint in JOINTS:
        found[joint] = StringProperty(
            name=TITLES[joint],
            description=f"The bone of the {BONES[joint]}; empty to have it found automatically",
            search=_search,
            search_options=set(),
            update=_bone_chosen(joint),
            override=_OVERRIDABLE,
        )
        found[absent_property(joint)] = BoolProperty(
            name=f"No {TITLES[joint]}",
            description=f"Leave this joint out: the rig has no bone for the {BONES[joint]}, or it is to be left alone",
            default=False,
            update=_left_out(joint),
            override=_OVERRIDABLE,
        )
    return found


class DPoserBoneMap(PropertyGroup):
    """Bones mapped by hand, kept in the armature's data."""

    __annotations__ = _properties()


def register() -> None:
    """Give each armature its map."""
    Armature.dposer_bone_map = PointerProperty(
        type=DPoserBoneMap,
        name="DPoser Bone Map",
        description="Bones of the body's joints, mapped by hand",
        override=_OVERRIDABLE,
    )


def unregister() -> None:
    """Take the maps back."""
    del bpy.types.Armature.dposer_bone_map


CLASSES = (DPoserBoneMap,)
