# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of bone names, one per naming convention, and how they are read.

A table (``*.json`` beside this file) holds::

    title        what an animator calls such rigs
    prefixes     regular expressions of what may stand before every bone name ("mixamorig:", "CC_Base_")
    loose        true where space, underscore, dot and hyphen between the words of a name differ from rig to rig
    signature    bones that, all present, tell the convention; or a list of several such lists
    joints       body joint -> source, or a list of sources of which the first present is taken; a source is
                 "Bone"                                    the bone turns as the joint does
                 {"chain": ["A", "B"], "at": 0.5}          the joint turns half-way from A to B; edits turn A, and of a
                                                       limb (`tpose.LIMBS`) bend A and twist B
                 {"between": ["A", "B"], "at": 0.5}        the same for a joint without bone: edits go to its child
    spine        bones from the pelvis up; those that the rig has make the three joints of the spine together
    neck         bones from the chest up; those that the rig has make the neck together
    twist        joint -> {"of": child joint, "share": 0.5}: part of the child bone's twist that the joint takes
    limbs        joint -> direction, in body axes (X left, Y up, Z ahead), that the limb has in the rest pose of every
                 such rig, where the joint positions of the rig do not tell it
    tpose        joint -> angles about X, then Y, then Z (degrees, body axes) of the joint's bone when the body stands
                 in T-pose; for files whose zero pose is none, because every bone points along its own axis
    turn         joint -> {"degrees": [x, y, z], "why": "..."}: turn of the T-pose joint about X, then Y, then Z before
                 it is aligned to the rig's limb
    switches     {"bone", "property", "value", "joints"} of each custom property that decides whether a control rig
                 obeys the bones of the table
    follows      bone -> bone that it follows by a constraint, in place of its parent
    shown        control -> bone that shows where the control's part of the body is, see `RigMap`
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from engine.motion.joints import JOINTS, SPINE
from engine.motion.rigs.assemble import bent_together, spine_sources
from engine.motion.rigs.rig_map import RigMap, Source, Switch
from engine.motion.skeleton import Skeleton
from engine.motion.tpose import LIMBS

# Where two tables fit equally well the earlier one is taken.
TABLES = (
    "smpl", "smpl_old", "mixamo", "cmu_bvh", "daz", "daz_genesis8", "daz_genesis9", "reallusion", "rigify_controls",
    "rigify_deform", "rigify_metarig", "unreal4", "unreal5", "vroid", "vrm", "xsens", "rokoko", "biped", "humanik",
    "makehuman", "plask",
)  # fmt: skip

MOST_PREFIXES = 16  # of one rig that are tried
UNSIGNED = 0.8  # confidence in a convention whose signature the rig lacks


@dataclass(frozen=True)
class Reading:
    """A rig as one table reads it.

    Attributes:
        rig_map: the mapping, maybe incomplete.
        signature: number of bones in the signature that the rig bears; 0 if none is complete.
    """

    rig_map: RigMap
    signature: int

    @property
    def rank(self) -> tuple[int, int]:
        """Greater for the better reading."""
        return self.signature, len(self.rig_map.sources)


def readings(skeleton: Skeleton) -> list[Reading]:
    """Each table's best reading of a rig, over the prefixes that its bones carry."""
    found = []
    for name, content in _tables():
        squeezed = bool(content.get("loose"))
        options = [
            _read(name, content, _Bones(_without(prefix, skeleton), squeezed), prefix)
            for prefix in _prefixes(content["prefixes"], skeleton)
        ]
        found.append(max(options, key=lambda reading: (not reading.rig_map.missing, reading.rank)))
    return found


def read_human_bones(skeleton: Skeleton, human_bones: Mapping[str, str]) -> Reading:
    """A rig by the names that VRM gives its bones.

    Args:
        skeleton: the rig.
        human_bones: VRM human bone ("leftUpperArm") -> bone; bones that the rig does not have are passed over.
    """
    present = {human: bone for human, bone in human_bones.items() if bone in skeleton}
    return _read("vrm", dict(_tables())["vrm"], _Bones(present), "")


def usual_bone(name: str, joint: str) -> str | None:
    """The bone that a table gives a joint first; none if it does not have the joint."""
    content = dict(_tables())[name]
    if joint in content["joints"]:
        entry = content["joints"][joint]
        choice = entry[0] if isinstance(entry, list) else entry
        return choice if isinstance(choice, str) else choice["chain" if "chain" in choice else "between"][0]
    return content["spine"][0] if joint in (*SPINE, "a spine joint") and "spine" in content else None


class _Bones:
    """A rig's bones by the names that a table has for them."""

    def __init__(self, by_name: Mapping[str, str], squeezed: bool = False) -> None:
        self._squeezed = squeezed
        self._by_name: dict[str, str] = {}
        for name, bone in by_name.items():
            self._by_name.setdefault(self._key(name), bone)

    def get(self, name: str) -> str | None:
        return self._by_name.get(self._key(name))

    def __contains__(self, name: str) -> bool:
        return self._key(name) in self._by_name

    def _key(self, name: str) -> str:
        return re.sub(r"[ _.\-]", "", name) if self._squeezed else name


@cache
def _tables() -> tuple[tuple[str, dict[str, Any]], ...]:
    folder = resources.files(__package__)
    return tuple((name, json.loads((folder / f"{name}.json").read_text("utf-8"))) for name in TABLES)


def _read(name: str, content: dict[str, Any], bones: _Bones, prefix: str) -> Reading:
    sources = {}
    for joint in JOINTS:
        source = next(_present(content["joints"].get(joint, []), bones), None)
        if source is not None:
            in_line = joint in LIMBS and len(source.bones) > 1 and source.own
            sources[joint] = replace(source, twists=in_line)
    sources |= _column(content, bones, sources)
    sources = {joint: sources[joint] for joint in JOINTS if joint in sources}
    complete = [signature for signature in _signatures(content) if all(bone in bones for bone in signature)]
    signature = max(map(len, complete), default=0)
    expected = {*content["joints"], *(SPINE if "spine" in content else ()), *(["neck"] if "neck" in content else [])}
    confidence = len(sources) / len(expected) * (1.0 if signature else UNSIGNED)
    limbs, tpose = (
        {joint: tuple(numbers) for joint, numbers in content.get(key, {}).items()} for key in ("limbs", "tpose")
    )
    rig_map = RigMap(
        name=name,
        title=content["title"],
        sources=sources,
        twist={joint: (entry["of"], entry["share"]) for joint, entry in content.get("twist", {}).items()},
        limbs=limbs,
        tpose=tpose,
        turn={joint: tuple(entry["degrees"]) for joint, entry in content.get("turn", {}).items()},
        confidence=round(confidence, 3),
        reasons=_reasons(content, sources, expected, signature, prefix),
        switches=tuple(
            Switch(bones.get(entry["bone"]) or entry["bone"], entry["property"], entry["value"], tuple(entry["joints"]))
            for entry in content.get("switches", [])
            if entry["bone"] in bones
        ),
        follows=_pairs(content.get("follows", {}), bones),
        shown=_pairs(content.get("shown", {}), bones),
    )
    return Reading(rig_map, signature)


def _pairs(table: Mapping[str, str], bones: _Bones) -> dict[str, str]:
    """The entries of a table from bone to bone of which the rig has both."""
    found = ((bones.get(bone), bones.get(other)) for bone, other in table.items())
    return {bone: other for bone, other in found if bone is not None and other is not None}


def _signatures(content: dict[str, Any]) -> list[list[str]]:
    signature = content["signature"]
    return signature if isinstance(signature[0], list) else [signature]


def _column(content: dict[str, Any], bones: _Bones, sources: Mapping[str, Source]) -> dict[str, Source]:
    """Spine and neck from the bones of them that the rig has and that are no other joint's."""
    taken = {bone for source in sources.values() for bone in source.bones}
    spine, neck = (
        [bone for bone in map(bones.get, content.get(part, [])) if bone is not None and bone not in taken]
        for part in ("spine", "neck")
    )
    column: dict[str, Source] = {}
    if spine and "pelvis" in sources:
        column |= spine_sources(sources["pelvis"].bones[0], spine)
    if neck:
        column["neck"] = bent_together(neck)
    return column


def _reasons(
    content: dict[str, Any], sources: Mapping[str, Source], expected: set[str], signature: int, prefix: str
) -> tuple[str, ...]:
    convention = content["title"].split(" (")[0]
    reasons = []
    if signature:
        reasons.append(f"All {signature} signature bones of {convention} are there.")
    else:
        reasons.append(
            f"{len(sources)} of the {len(expected)} joints of {convention} are found by their names, "
            "but its signature bones are not all there."
        )
    if prefix:
        reasons.append(f"The bones' names begin with '{prefix}'.")
    absent = [joint for joint in JOINTS if joint in expected and joint not in sources]
    if absent:
        reasons.append(f"The rig has no bone of {convention} for {', '.join(absent)}.")
    return tuple(reasons)


def _without(prefix: str, skeleton: Skeleton) -> dict[str, str]:
    """Bone name without prefix -> bone, for the bones that carry it."""
    return {bone.removeprefix(prefix): bone for bone in skeleton.names if bone.startswith(prefix)}


def _prefixes(patterns: list[str], skeleton: Skeleton) -> list[str]:
    """Prefixes in use: none, those of the table, and name spaces ("Bob:Hips", "Armature|Hips")."""
    space = r"(?:.*[:|])?"
    found: Counter[str] = Counter()
    for pattern in [*(space + pattern for pattern in patterns), r".*[:|]"]:
        for bone in skeleton.names:
            match = re.match(pattern, bone)
            if match and match[0] and match.end() < len(bone):
                found[match[0]] += 1
    # One for each bone would take hours; a rig's own is that of many.
    return sorted(["", *(prefix for prefix, _ in found.most_common(MOST_PREFIXES))])


def _present(entry: Any, bones: _Bones) -> Iterator[Source]:
    """The sources of a table entry whose bones the rig has."""
    for choice in entry if isinstance(entry, list) else [entry]:
        names: list[str] = [choice] if isinstance(choice, str) else choice.get("chain") or choice["between"]
        found = [bone for bone in map(bones.get, names) if bone is not None]
        if len(found) < len(names):
            continue
        if isinstance(choice, str):
            yield Source(tuple(found))
        else:
            yield Source(tuple(found), choice["at"], own="chain" in choice)
