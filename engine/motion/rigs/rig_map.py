# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the bones of the body's joints in a rig.

A table (``*.json`` beside this file) holds::

    title        what an animator calls such rigs
    prefixes     regular expressions of what may stand before every bone name ("mixamorig:", "CC_Base_")
    signature    bones that, all present, tell the convention
    joints       body joint -> source, or a list of sources of which the first present is taken; a source is
                 "Bone"                                    the bone turns as the joint does
                 {"chain": ["A", "B"], "at": 0.5}          the joint turns half-way from A to B; edits turn A
                 {"between": ["A", "B"], "at": 0.5}        the same for a joint without bone: edits go to its child
    twist        joint -> {"of": child joint, "share": 0.5}: part of the child bone's twist that the joint takes
    limbs        joint -> direction, in body axes (X left, Y up, Z ahead), that the limb has in the rest pose of every
                 such rig, where the joint positions of the rig do not tell it
    tpose        joint -> angles about X, then Y, then Z (degrees, body axes) of the joint's bone when the body stands
                 in T-pose; for files whose zero pose is none, because every bone points along its own axis
    turn         joint -> {"degrees": [x, y, z], "why": "..."}: turn of the T-pose joint about X, then Y, then Z before
                 it is aligned to the rig's limb
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any

from engine.errors import MappingError
from engine.motion.joints import JOINTS, PARENTS
from engine.motion.skeleton import Skeleton

TABLES = ("smpl", "mixamo", "cmu_bvh", "daz", "reallusion")
SPINE = ("spine1", "spine2", "spine3")
REQUIRED = tuple(
    joint for joint in JOINTS if joint.split("_")[-1] in ("pelvis", "hip", "knee", "ankle", "shoulder", "elbow", "head")
)


@dataclass(frozen=True)
class Source:
    """Where a body joint's rotation comes from.

    Attributes:
        bones: one bone, or two of one chain.
        at: position from the first bone's rotation (0) to the second's (1).
        own: whether an edit of the joint turns the first bone; otherwise its change reaches the next mapped child.
    """

    bones: tuple[str, ...]
    at: float = 0.0
    own: bool = True


@dataclass(frozen=True)
class RigMap:
    """The mapping of one rig.

    Attributes:
        name: the table's name, or "custom".
        title: what an animator calls the convention.
        sources: body joint -> source, for the joints the rig has.
        twist: body joint -> (child joint, share of the child bone's twist that belongs to the joint).
        limbs: body joint -> direction of its limb in the rest pose, in body axes.
        tpose: body joint -> rotation of its bone in T-pose, as angles about X, Y, Z in degrees, see the module.
        turn: body joint -> angles about X, Y, Z in degrees, see the module.
        confidence: 0 to 1, the share of the convention's joints that were found.
    """

    name: str
    title: str
    sources: Mapping[str, Source]
    twist: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    limbs: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    tpose: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    turn: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    confidence: float = 1.0

    @property
    def bones(self) -> dict[str, str]:
        """Body joint -> the bone that its edits turn, for joints that have one."""
        return {joint: source.bones[0] for joint, source in self.sources.items() if source.own}

    def joints_of(self, bone: str) -> set[str]:
        """The body's joints that a bone of the rig moves by itself; none for a bone that is no part of the body."""
        return {joint for joint, source in self.sources.items() if source.bones[-1] == bone}


def find_map(skeleton: Skeleton, bone_map: Mapping[str, str] | None = None) -> RigMap:
    """Map a rig's bones to the body's joints.

    Tried in turn: the known convention whose signature the rig bears; any whose needed bones it has. The caller's own
    entries overrule the table's and also stand alone. Toes, collars, wrists, neck and all but one of the spine's
    joints may be missing.

    Args:
        skeleton: the rig.
        bone_map: body joint -> bone name, complete or in part; an empty name removes the joint from the mapping.

    Raises:
        MappingError: needed bones are missing, or the given ones do not exist or do not follow the body's order.
    """
    found = max((_fit(table, skeleton) for table in _tables()), key=lambda fit: (fit.usable, fit.rank))
    rig_map = found.rig_map
    if bone_map:
        rig_map = _overruled(rig_map if found.usable else None, bone_map, skeleton)
    missing = _missing(rig_map.sources)
    if missing:
        raise MappingError(_advice(rig_map, missing, named=found.named or bool(bone_map)))
    _check_order(rig_map, skeleton)
    return rig_map


@dataclass(frozen=True)
class _Fit:
    rig_map: RigMap
    signed: bool
    named: bool  # any bone is known by name
    usable: bool

    @property
    def rank(self) -> tuple[bool, int]:
        return self.signed, len(self.rig_map.sources)


@cache
def _tables() -> tuple[tuple[str, dict[str, Any]], ...]:
    folder = resources.files(__package__)
    return tuple((name, json.loads((folder / f"{name}.json").read_text("utf-8"))) for name in TABLES)


def _fit(table: tuple[str, dict[str, Any]], skeleton: Skeleton) -> _Fit:
    """The best reading of a rig by one table, over the prefixes its bones carry."""
    name, content = table
    fits = []
    for prefix in _prefixes(content["prefixes"], skeleton):
        sources = {}
        for joint in JOINTS:
            source = next(_present(content["joints"].get(joint, []), prefix, skeleton), None)
            if source is not None:
                sources[joint] = source
        signed = all(prefix + bone in skeleton for bone in content["signature"])
        confidence = len(sources) / len(content["joints"]) * (1.0 if signed else 0.8)
        twist = {joint: (entry["of"], entry["share"]) for joint, entry in content.get("twist", {}).items()}
        limbs, tpose = (
            {joint: tuple(numbers) for joint, numbers in content.get(key, {}).items()} for key in ("limbs", "tpose")
        )
        turn = {joint: tuple(entry["degrees"]) for joint, entry in content.get("turn", {}).items()}
        rig_map = RigMap(name, content["title"], sources, twist, limbs, tpose, turn, round(confidence, 3))
        fits.append(_Fit(rig_map, signed, bool(sources), not _missing(sources)))
    return max(fits, key=lambda fit: (fit.usable, fit.rank))


def _prefixes(patterns: list[str], skeleton: Skeleton) -> list[str]:
    """Prefixes in use: none, those of the table, and name spaces ("Bob:Hips")."""
    found = {""}
    for pattern in [*patterns, r".*:"]:
        for bone in skeleton.names:
            match = re.match(pattern, bone)
            if match and match.end() < len(bone):
                found.add(match[0])
    return sorted(found)


def _present(entry: Any, prefix: str, skeleton: Skeleton) -> Iterator[Source]:
    """The sources of a table entry whose bones the rig has."""
    for choice in entry if isinstance(entry, list) else [entry]:
        if isinstance(choice, str):
            source = Source((prefix + choice,))
        else:
            own = "chain" in choice
            bones = tuple(prefix + bone for bone in choice["chain" if own else "between"])
            source = Source(bones, choice["at"], own)
        if all(bone in skeleton for bone in source.bones):
            yield source


def _missing(sources: Mapping[str, Source]) -> list[str]:
    missing = [joint for joint in REQUIRED if joint not in sources]
    return missing if any(joint in sources for joint in SPINE) else [*missing, "a spine joint"]


def _overruled(rig_map: RigMap | None, bone_map: Mapping[str, str], skeleton: Skeleton) -> RigMap:
    unknown = [joint for joint in bone_map if joint not in JOINTS]
    if unknown:
        raise MappingError(f"The bone map names {', '.join(unknown)}, which the body does not have; see its 22 joints.")
    absent = [bone for bone in bone_map.values() if bone and bone not in skeleton]
    if absent:
        raise MappingError(f"The bone map names bones that the rig does not have: {', '.join(absent)}.")
    if rig_map is None:
        rig_map = RigMap("custom", "the given bone map", {})
    given = {joint: Source((bone,)) for joint, bone in bone_map.items() if bone}
    taken = {source.bones[0] for source in given.values()}
    kept = {
        joint: source
        for joint, source in rig_map.sources.items()
        if joint not in bone_map and not (source.own and source.bones[0] in taken)
    }
    return replace(rig_map, sources={joint: (kept | given)[joint] for joint in JOINTS if joint in kept | given})


def _advice(rig_map: RigMap, missing: list[str], named: bool) -> str:
    if not named:
        return (
            "The rig's bone names follow no known convention; choose a filter to clean it, or on the command line give "
            f"--bone-map for {', '.join(missing)}."
        )
    table = dict(_tables()).get(rig_map.name, {"joints": {}})["joints"]
    wanted = [f"{joint} ({_usual(table[joint])})" if joint in table else joint for joint in missing]
    return f"The rig is nearest to {rig_map.title}, but these bones are missing: {', '.join(wanted)}; map them by hand."


def _usual(entry: Any) -> str:
    choice = entry[0] if isinstance(entry, list) else entry
    return choice if isinstance(choice, str) else choice["chain" if "chain" in choice else "between"][0]


def _check_order(rig_map: RigMap, skeleton: Skeleton) -> None:
    """Edits are applied from parent to child, so the mapped bones must follow the body's tree."""
    bones = rig_map.bones
    if len(set(bones.values())) < len(bones):
        twice = sorted(bone for bone in set(bones.values()) if list(bones.values()).count(bone) > 1)
        raise MappingError(f"The bone map uses a bone for two joints: {', '.join(twice)}.")
    for joint, bone in bones.items():
        above = PARENTS[JOINTS.index(joint)]
        while above >= 0 and JOINTS[above] not in bones:
            above = PARENTS[above]
        if above < 0:
            continue
        ancestor, wanted = skeleton.parents[skeleton.index(bone)], skeleton.index(bones[JOINTS[above]])
        while ancestor > wanted:
            ancestor = skeleton.parents[ancestor]
        if ancestor != wanted:
            raise MappingError(
                f"The bone {bone} ({joint}) is not below {bones[JOINTS[above]]} ({JOINTS[above]}) in the rig; "
                "map other bones."
            )
