# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the bones of the body's joints in a rig: by hand, by convention, by name, by structure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from engine.errors import MappingError
from engine.motion.joints import JOINTS, PARENTS
from engine.motion.rigs.assemble import bent_together
from engine.motion.rigs.fitting import fits
from engine.motion.rigs.names import by_names
from engine.motion.rigs.rig_map import REQUIRED, RigMap, Source
from engine.motion.rigs.structure import Unclear, by_structure
from engine.motion.rigs.table import Reading, read_human_bones, readings, usual_bone
from engine.motion.skeleton import Skeleton
from engine.wording import few, fit

RESEMBLANCE = 5  # joints that a convention must name in a rig before its names are advised; a "root" is any rig's


def find_map(
    skeleton: Skeleton,
    bone_map: Mapping[str, str] | None = None,
    human_bones: Mapping[str, str] | None = None,
) -> RigMap:
    """Map a rig's bones to the body's joints.

    Tried in turn: the names that VRM gives the bones; the known convention whose signature the rig bears; any whose
    needed bones it has; bone names of no known convention; the rig's structure. The caller's own entries overrule what
    is found and also stand alone. Toes, collars, wrists, neck and all but one of the spine's joints may be missing.

    Args:
        skeleton: the rig.
        bone_map: body joint -> bone name, complete or in part; an empty name removes the joint from the mapping.
        human_bones: VRM human bone ("leftUpperArm") -> bone name, as the VRM add-on keeps them with an armature.

    Raises:
        MappingError: needed bones are missing, or the given ones do not exist or do not follow the body's order.
    """
    read = readings(skeleton)
    nearest = max(read, key=lambda reading: reading.rank).rig_map
    found = _surest(skeleton, read, human_bones)
    if bone_map:
        given = _overruled(found if isinstance(found, RigMap) else None, bone_map, skeleton)
        if given.missing:
            raise MappingError(_advice(nearest if nearest.sources else given, given.missing))
        given = _without_conflicts(given, bone_map, skeleton)
        disorder = _disorder(given, skeleton)
        if disorder is not None:
            raise MappingError(disorder.sentence)
        return given
    if isinstance(found, RigMap):
        return found
    if found.disorder is not None:
        raise MappingError(found.disorder)
    if len(nearest.sources) >= RESEMBLANCE:
        raise MappingError(_advice(nearest, nearest.missing))
    raise MappingError(
        f"The rig's bone names follow no known convention and {found.unclear}; map these joints by hand: "
        f"{', '.join(nearest.missing)}, or choose a filter to clean a rig that is no body."
    )


def restored_map(described: Any, skeleton: Skeleton) -> RigMap:
    """The mapping that `RigMap.described` gave of a rig, which a file may have kept meanwhile.

    Raises:
        MappingError: it is none, or not one of this rig.
    """
    rig_map = RigMap.restored(described)
    if not fits(rig_map, skeleton) or rig_map.missing:
        raise MappingError("The mapping of the rig's bones is broken, or another rig's; find the bones again.")
    if (disorder := _disorder(rig_map, skeleton)) is not None:
        raise MappingError(disorder.sentence)
    return rig_map


@dataclass(frozen=True)
class _Failure:
    disorder: str | None  # of the surest mapping that lacks nothing
    unclear: str


def _surest(
    skeleton: Skeleton, read: list[Reading], human_bones: Mapping[str, str] | None
) -> RigMap | _Failure:
    """The first mapping that lacks no needed joint and follows the body's order."""
    disorders = []
    try:
        for candidate in _candidates(skeleton, read, human_bones):
            disorder = _disorder(candidate, skeleton)
            if disorder is None:
                return candidate
            disorders.append(disorder.sentence)
    except Unclear as error:
        return _Failure(next(iter(disorders), None), str(error))
    return _Failure(next(iter(disorders), None), "its structure is no body's")


def _candidates(
    skeleton: Skeleton, read: list[Reading], human_bones: Mapping[str, str] | None
) -> Iterator[RigMap]:
    """Mappings that lack no needed joint, surest first; raises Unclear where even structure tells nothing."""
    if human_bones:
        told = read_human_bones(skeleton, human_bones).rig_map
        if not told.missing:
            yield replace(told, reasons=("The VRM add-on names the bones.", *told.reasons[1:]))
    usable = [reading for reading in read if not reading.rig_map.missing]
    yield from (reading.rig_map for reading in sorted(usable, key=lambda reading: reading.rank, reverse=True))
    named = by_names(skeleton)
    if named is not None and not named.missing:
        yield named
    structure = by_structure(skeleton)
    if not structure.missing:
        yield structure


def _overruled(rig_map: RigMap | None, bone_map: Mapping[str, str], skeleton: Skeleton) -> RigMap:
    unknown = [joint for joint in bone_map if joint not in JOINTS]
    if unknown:
        raise MappingError(f"The bone map names {few(unknown)}, which the body does not have; see its 22 joints.")
    absent = [bone for bone in bone_map.values() if bone and bone not in skeleton]
    if absent:
        raise MappingError(f"The bone map names bones that the rig does not have: {few(absent)}.")
    if rig_map is None:
        rig_map = RigMap("custom", "the given bone map", {})
    given = {
        joint: _given(rig_map.sources.get(joint), bone, set(bone_map.values()))
        for joint, bone in bone_map.items()
        if bone
    }
    taken = {bone for source in given.values() for bone in source.turned}
    kept = {
        joint: left
        for joint, source in rig_map.sources.items()
        if joint not in bone_map and (left := _left_over(source, taken)) is not None
    }
    by_hand = len(given) / max(len(given) + len(kept), 1)
    return replace(
        rig_map,
        sources={joint: (kept | given)[joint] for joint in JOINTS if joint in kept | given},
        confidence=round(by_hand + (1.0 - by_hand) * rig_map.confidence, 3),
        reasons=(
            *(f"{joint} is mapped by hand to '{bone}'." for joint, bone in bone_map.items() if bone),
            *(f"{joint} is left out by hand." for joint, bone in bone_map.items() if not bone),
            *rig_map.reasons,
        ),
    )


def _without_conflicts(rig_map: RigMap, bone_map: Mapping[str, str], skeleton: Skeleton) -> RigMap:
    """The mapping without those joints found by themselves that do not go with the ones mapped by hand."""
    while (disorder := _disorder(rig_map, skeleton)) is not None:
        found = [joint for joint in disorder.joints if not bone_map.get(joint) and joint not in REQUIRED]
        if not found:
            break
        sources = {joint: source for joint, source in rig_map.sources.items() if joint not in found}
        reasons = (*rig_map.reasons, *(f"{joint} was found, but does not go with the bones given." for joint in found))
        rig_map = replace(rig_map, sources=sources, reasons=reasons)
    return rig_map


def _given(found: Source | None, bone: str, by_hand: set[str]) -> Source:
    """The source of a joint mapped by hand; as it was found, where the hand confirms its first bone alone."""
    if found is None or not found.own or found.bones[0] != bone or by_hand.intersection(found.bones[1:]):
        return Source((bone,))
    return found


def _left_over(source: Source, taken: set[str]) -> Source | None:
    """A source without the bones that other joints took; none if that takes its turning from it."""
    if not taken.intersection(source.turned):
        return source
    rest = [bone for bone in source.turned if bone not in taken]
    return bent_together(rest) if rest else None


def _advice(rig_map: RigMap, missing: list[str]) -> str:
    usual = {joint: usual_bone(rig_map.name, joint) for joint in missing} if rig_map.name != "custom" else {}
    wanted = [f"{joint} ({usual[joint]})" if usual.get(joint) else joint for joint in missing]
    return f"The rig is nearest to {rig_map.title}, but these bones are missing: {', '.join(wanted)}; map them by hand."


@dataclass(frozen=True)
class _Disorder:
    """Joints whose bones do not go together, and why in words."""

    joints: tuple[str, ...]
    sentence: str


def _disorder(rig_map: RigMap, skeleton: Skeleton) -> _Disorder | None:
    """What is wrong with the order of the mapped bones; edits are applied from parent to child."""
    turned = {joint: source.turned for joint, source in rig_map.sources.items() if source.own}
    used = [bone for bones in turned.values() for bone in bones]
    twice = sorted({bone for bone in used if used.count(bone) > 1})
    if twice:
        joints = tuple(joint for joint, bones in turned.items() if set(twice).intersection(bones))
        return _Disorder(joints, f"The bone map uses a bone for two joints: {few(twice)}.")
    parents = rig_map.parents(skeleton)
    for joint, bones in turned.items():
        above = PARENTS[JOINTS.index(joint)]
        while above >= 0 and JOINTS[above] not in turned:
            above = PARENTS[above]
        chain = [(turned[JOINTS[above]][-1], JOINTS[above])] if above >= 0 else []
        chain += [(bone, joint) for bone in bones]
        for (upper, its), (lower, own) in pairwise(chain):
            ancestor, wanted = parents[skeleton.index(lower)], skeleton.index(upper)
            while ancestor >= 0 and ancestor != wanted:
                ancestor = parents[ancestor]
            if ancestor != wanted:
                order = f"{fit(lower)} ({own}) is not below {fit(upper)} ({its})"
                return _Disorder((its, own), f"The bone {order} in the rig; map other bones.")
    return None
