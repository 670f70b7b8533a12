# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a bone map, told joint by joint without the engine; plain functions, quick enough to draw.

Bones are looked up, never walked over: a check costs the 22 joints and the bones above theirs, whatever the
size of the rig.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from ..engine.motion.joints import JOINTS, PARENTS, REQUIRED, SPINE
from .body_joints import TITLES
from .found_bones import Found

Entries = Mapping[str, str]
"""Body joint -> bone by hand; "" for a joint that is left out; no entry for one that is found automatically."""

Lineage = Mapping[str, str]
"""Bone -> the bone it follows, its parent as a rule, "" for none: the map's bones that the rig has, and all above."""

NOT_FOUND = "Not found: choose a bone"
"""What is wrong with a joint that a body needs and nobody has mapped."""


@dataclass(frozen=True)
class Checked:
    """A bone map as it will be used.

    Attributes:
        bones: joint -> the bones that it turns, by hand or found.
        problems: joint -> what is wrong with it, in words; the joints that are fine have none.
    """

    bones: Mapping[str, tuple[str, ...]]
    problems: Mapping[str, str]


def check(entries: Entries, found: Found | None, searched: bool, lineage: Lineage) -> Checked:
    """Put together what was mapped by hand and what was found, and see whether it holds.

    Args:
        entries: what was mapped by hand.
        found: what was found, if anything was.
        searched: whether a search has been made; before, joints without an entry are nobody's fault.
        lineage: of all bones that both name.
    """
    bones = _combined(entries, found)
    problems: dict[str, str] = {}
    for joint, bone in entries.items():
        if bone and bone not in lineage:
            problems[joint] = f"The rig has no bone '{bone}'; it was renamed or deleted"
    problems |= {joint: why for joint, why in _duplicates(entries).items() if joint not in problems}
    problems |= _disorder(entries, bones, lineage, set(problems))
    for joint in JOINTS:
        if joint not in problems and (why := _lack(joint, entries, bones, found, searched)):
            problems[joint] = why
    return Checked(bones, {joint: problems[joint] for joint in JOINTS if joint in problems})


def outdated(found: Found, lineage: Lineage) -> bool:
    """Whether bones that were found are gone."""
    return any(bone not in lineage for bones in found.bones.values() for bone in bones)


def in_one_line(problems: Mapping[str, str]) -> str:
    """All problems in a line: the only one in full, or the joints of several."""
    if len(problems) == 1:
        ((joint, problem),) = problems.items()
        return f"{TITLES[joint]}: {problem[0].lower()}{problem[1:]}"
    names = [TITLES[joint] for joint in problems]
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{len(names)} joints need a look: {listed}"


def summary(entries: Entries, found: Found | None, checked: Checked) -> str:
    """How the body is mapped, in a few words: "Mixamo, 22 of 22, certain"."""
    count = f"{len(checked.bones)} of {len(JOINTS)}"
    if found is None:
        return f"By hand, {count}" if entries else ""
    by_hand = f", {len(entries)} by hand" if entries else ""
    return f"{found.title}, {count}, {found.certainty}{by_hand}"


def _combined(entries: Entries, found: Found | None) -> dict[str, tuple[str, ...]]:
    """Entries overrule what was found; a found joint keeps the bones that no entry takes."""
    taken = {bone for bone in entries.values() if bone}
    bones: dict[str, tuple[str, ...]] = {}
    for joint in JOINTS:
        if joint in entries:
            if entries[joint]:
                bones[joint] = (entries[joint],)
        elif found is not None and joint in found.bones:
            own = found.bones[joint]
            left = tuple(bone for bone in own if bone not in taken)
            if left or not own:
                bones[joint] = left
    return bones


def _duplicates(entries: Entries) -> dict[str, str]:
    times = Counter(bone for bone in entries.values() if bone)
    found: dict[str, str] = {}
    for joint, bone in entries.items():
        others = [TITLES[other] for other in entries if other != joint and bone and entries[other] == bone]
        if times[bone] > 1 and others:
            found[joint] = f"'{bone}' is also the bone of {' and '.join(others)}"
    return found


def _disorder(
    entries: Entries, bones: Mapping[str, tuple[str, ...]], lineage: Lineage, broken: set[str]
) -> dict[str, str]:
    """Joints whose bone does not follow the bone of the joint above; told where an entry takes part in it."""
    problems: dict[str, str] = {}
    for joint, own in bones.items():
        above = _above(joint, bones)
        if not own or above is None or {joint, above} & broken:
            continue
        if joint not in entries and above not in entries:
            continue  # the engine has seen to the order of what it found
        for upper, lower in pairwise((bones[above][-1], *own)):
            if upper in lineage and lower in lineage and not _is_below(lower, upper, lineage):
                problems[joint] = f"'{lower}' is not below '{upper}', the bone of {TITLES[above]}"
                break
    return problems


def _above(joint: str, bones: Mapping[str, tuple[str, ...]]) -> str | None:
    """The nearest joint above that turns a bone."""
    above = PARENTS[JOINTS.index(joint)]
    while above >= 0 and not bones.get(JOINTS[above]):
        above = PARENTS[above]
    return JOINTS[above] if above >= 0 else None


def _is_below(lower: str, upper: str, lineage: Lineage) -> bool:
    bone, seen = lineage.get(lower, ""), {lower}
    while bone and bone != upper and bone not in seen:
        seen.add(bone)
        bone = lineage.get(bone, "")
    return bone == upper


def _lack(
    joint: str,
    entries: Entries,
    bones: Mapping[str, tuple[str, ...]],
    found: Found | None,
    searched: bool,
) -> str:
    """Why a joint that a body needs has no bone; empty where it has one or needs none."""
    if joint == SPINE[0]:
        if any(part in bones for part in SPINE) or not (searched or all(part in entries for part in SPINE)):
            return ""
        return "The body needs a bone for one of the spine's joints"
    if joint not in REQUIRED or joint in bones:
        return ""
    if joint in entries:
        return "The body needs this joint: choose a bone"
    if found is not None and joint in found.bones:
        taken = next(other for other, bone in entries.items() if bone in found.bones[joint])
        return f"Its bone was given to {TITLES[taken]}: choose another"
    return NOT_FOUND if searched else ""
