# SPDX-License-Identifier: GPL-3.0-or-later
"""From the bones where limbs bend to the sources of all joints, whatever number of bones spine, neck and limbs have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from engine.motion.joints import JOINTS, SPINE
from engine.motion.rigs.rig_map import Source
from engine.motion.skeleton import Skeleton
from engine.motion.tpose import LIMBS

TWIST = {"left_elbow": ("left_wrist", 0.5), "right_elbow": ("right_wrist", 0.5)}
"""Half of the hand's twist is the forearm's, as in the training data."""

_CHAINS = tuple(
    tuple(f"{side}_{joint}" for joint in joints)
    for side in ("left", "right")
    for joints in (("hip", "knee", "ankle"), ("collar", "shoulder", "elbow", "wrist"))
)


def spine_sources(pelvis: str, bones: Sequence[str]) -> dict[str, Source]:
    """The spine's three joints from a spine of any number of bones, from the pelvis up.

    The highest joint always turns as the highest bone, which carries neck and arms. More than three bones are grouped
    evenly, the lower groups first; with fewer, the bend between pelvis and lowest bone is spread over the lower joints.
    """
    if len(bones) >= 3:
        sizes = [(len(bones) + 2 - n) // 3 for n in range(3)]
        ends = [sum(sizes[: n + 1]) for n in range(3)]
        groups = [bones[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        return {joint: bent_together(group) for joint, group in zip(SPINE, groups, strict=True)}
    lower = SPINE[: 3 - len(bones)] if bones else ()
    spread = {
        joint: Source((pelvis, bones[0]), (n + 1) / (len(lower) + 1), own=False) for n, joint in enumerate(lower)
    }
    return spread | {joint: Source((bone,)) for joint, bone in zip(SPINE[3 - len(bones) :], bones, strict=True)}


def bent_together(bones: Sequence[str]) -> Source:
    """The source of a joint that one bone or several bones in a chain make together."""
    return Source((bones[0],)) if len(bones) == 1 else Source(tuple(bones), 1.0, shared=True)


def assemble(skeleton: Skeleton, bones: Mapping[str, str]) -> dict[str, Source]:
    """The sources of all joints that a rig has.

    Args:
        skeleton: the rig.
        bones: body joint -> bone for pelvis, head and the limbs; for the neck too, where its lowest bone is known.
            Spine and neck are the bones between pelvis and head, parted where the arms branch off.
    """
    sources = {joint: Source((bone,)) for joint, bone in bones.items() if joint != "neck"}
    trunk = between(skeleton, bones["pelvis"], bones["head"])
    if "neck" in bones:
        fork = trunk.index(bones["neck"])
    else:
        arms = [bones.get(f"{side}_collar", bones[f"{side}_shoulder"]) for side in ("left", "right")]
        chest = common_ancestor(skeleton, [*arms, bones["head"]])
        fork = trunk.index(chest) + 1 if chest in trunk else 0
    sources |= spine_sources(bones["pelvis"], trunk[:fork])
    if trunk[fork:]:
        sources["neck"] = bent_together(trunk[fork:])
    for chain in _CHAINS:
        for joint, child in pairwise([joint for joint in chain if joint in bones]):
            # A limb in two bones bends at the first and ends, twisted, with the second.
            parts = between(skeleton, bones[joint], bones[child])
            if parts:
                sources[joint] = Source((bones[joint], parts[-1]), 1.0, twists=joint in LIMBS)
    return {joint: sources[joint] for joint in JOINTS if joint in sources}


def ancestors(skeleton: Skeleton, bone: str) -> list[str]:
    """The bones above a bone, nearest first."""
    above, parent = [], skeleton.parents[skeleton.index(bone)]
    while parent >= 0:
        above.append(skeleton.names[parent])
        parent = skeleton.parents[parent]
    return above


def between(skeleton: Skeleton, upper: str, lower: str) -> list[str]:
    """The bones strictly between two of one chain, from the upper one down; all above it if they share no chain."""
    above = ancestors(skeleton, lower)
    return above[: above.index(upper)][::-1] if upper in above else above[::-1]


def common_ancestor(skeleton: Skeleton, bones: Sequence[str]) -> str | None:
    """The lowest bone that is each of the bones or above it; none if they have no common root."""
    others = [{bone, *ancestors(skeleton, bone)} for bone in bones[1:]]
    above = [bones[0], *ancestors(skeleton, bones[0])]
    return next((bone for bone in above if all(bone in other for other in others)), None)
