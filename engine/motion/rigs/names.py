# SPDX-License-Identifier: GPL-3.0-or-later
"""Joints found by bone names of no known convention, whatever their prefix, spelling and way to tell the sides."""

from __future__ import annotations

import re
from collections import Counter

from engine.motion.joints import REQUIRED
from engine.motion.rigs.assemble import TWIST, ancestors, assemble, between, common_ancestor
from engine.motion.rigs.rig_map import RigMap
from engine.motion.skeleton import Skeleton

CERTAINTY = 0.7

# What stands before or after the words that tell a bone.
_NOISE = {
    "armature", "avg", "b", "base", "bip", "biped", "bn", "bone", "c", "cc", "character", "ctrl", "def", "fk", "hik",
    "j", "jnt", "joint", "jt", "mixamorig", "org", "rig", "rl", "sk", "skeleton", "valve", "valvebiped",
}  # fmt: skip
_SIDES = {"left": "left", "l": "left", "lf": "left", "lft": "left", "right": "right", "r": "right", "rt": "right"}
_COMMON = 0.6  # share of the bones that a word begins, if it belongs to the rig and not to the bone

# The surest name of a joint first. A bone serves one joint, so a "shoulder" is the collar only beside an "arm", and a
# "foot" the toes only beside an "ankle": joints are looked up in this order.
_LIMBS = {
    "hip": ("upperleg", "upleg", "thigh", "thighbend", "legupper", "femur", "hip", "leg"),
    "knee": ("lowerleg", "lowleg", "calf", "shin", "leglower", "tibia", "shank", "knee", "leg"),
    "ankle": ("ankle", "foot"),
    "foot": ("toebase", "toes", "toe", "ball", "toe0", "foot"),
    "shoulder": ("upperarm", "uparm", "armupper", "shldr", "shldrbend", "humerus", "arm", "shoulder"),
    "elbow": ("forearm", "lowerarm", "lowarm", "armlower", "forearmbend", "elbow", "radius"),
    "wrist": ("wrist", "hand"),
    "collar": ("collar", "clavicle", "collarbone", "clav", "shoulder"),
}
_ABOVE = {"knee": "hip", "ankle": "knee", "foot": "ankle", "elbow": "shoulder", "wrist": "elbow"}
_MIDDLE = {"head": ("head",), "neck": ("neck", "necklower", "neckbase"), "pelvis": ("pelvis", "hips", "hip")}
_ALL = {name for names in (*_LIMBS.values(), *_MIDDLE.values()) for name in names}

_Index = dict[tuple[str, str], list[str]]


def by_names(skeleton: Skeleton) -> RigMap | None:
    """The mapping that the bones' names tell; none if they leave a needed joint open."""
    index = _index(skeleton)
    bones = _limbs(skeleton, index)
    head = index.get(("", "head"), [])
    needed = [joint for joint in REQUIRED if joint not in ("pelvis", "head")]
    if not head or any(joint not in bones for joint in needed):
        return None
    bones["head"] = head[0]
    legs = [bones["left_hip"], bones["right_hip"]]
    named = [bone for name in _MIDDLE["pelvis"] for bone in index.get(("", name), [])]
    carriers = [bone for bone in named if all(bone in ancestors(skeleton, low) for low in (*legs, bones["head"]))]
    pelvis = carriers[0] if carriers else common_ancestor(skeleton, [*legs, bones["head"]])
    if pelvis is None or pelvis in bones.values():
        return None
    bones["pelvis"] = pelvis
    necks = [bone for name in _MIDDLE["neck"] for bone in index.get(("", name), [])]
    trunk = between(skeleton, pelvis, bones["head"])
    if necks and necks[0] in trunk:
        bones["neck"] = necks[0]
    sources = assemble(skeleton, bones)
    reasons = tuple(f"{joint} was found by its name '{bone}'." for joint, bone in bones.items() if joint != "pelvis")
    by = "its name" if carriers else "structure, where legs and spine meet"
    return RigMap(
        name="names",
        title="bone names of no known convention",
        sources=sources,
        twist=TWIST,
        confidence=round(CERTAINTY * len(sources) / 22, 3),
        reasons=(f"pelvis was found by {by}: '{pelvis}'.", *reasons),
    )


def plain_name(name: str) -> tuple[str, str]:
    """The side ("left", "right" or "") and the bare lower-case word of a bone: "mixamorig:LeftArm" is left, "arm"."""
    words = _words(name)
    while words and (words[0] in _NOISE or words[0].isdigit()):
        words.pop(0)
    while words and words[-1] in _NOISE:
        words.pop()
    # A copy's number ("thigh.L.001") is no copy of the bone's name.
    for end in (0, -1):
        if len(words) > 1 and words[end] in _SIDES:
            side = _SIDES[words.pop(end)]
            return side, _word(words)
    word = _word(words)
    for start in ("left", "right", "l", "r"):  # written without a break: "lthigh"
        if word not in _ALL and word.startswith(start) and word[len(start) :] in _ALL:
            return _SIDES[start], word[len(start) :]
    return "", word


def _limbs(skeleton: Skeleton, index: _Index) -> dict[str, str]:
    bones: dict[str, str] = {}
    for side in ("left", "right"):
        for joint, names in _LIMBS.items():
            above = bones.get(f"{side}_{_ABOVE[joint]}") if joint in _ABOVE else None
            below = bones.get(f"{side}_shoulder") if joint == "collar" else None
            for bone in (bone for name in names for bone in index.get((side, name), [])):
                follows = above is None or above in ancestors(skeleton, bone)
                leads = below is None or bone in ancestors(skeleton, below)
                if bone not in bones.values() and follows and leads:
                    bones[f"{side}_{joint}"] = bone
                    break
    return bones


def _index(skeleton: Skeleton) -> _Index:
    """Side and bare word -> bones, in the rig's order."""
    spelled = {bone: re.sub(r"^.*[:|]", "", bone) for bone in skeleton.names}
    first = Counter(words[0] for words in map(_words, spelled.values()) if len(words) > 1)
    word, count = first.most_common(1)[0] if first else ("", 0)
    if count > _COMMON * len(skeleton) and word not in _SIDES:
        spelled = {bone: re.sub(rf"(?i)^{re.escape(word)}[^a-z0-9]*", "", name) for bone, name in spelled.items()}
    index: _Index = {}
    for bone, name in spelled.items():
        index.setdefault(plain_name(name), []).append(bone)
    return index


def _words(name: str) -> list[str]:
    """The words and numbers of a name in lower case: "CC_Base_L_ThighTwist01" is cc base l thigh twist 01."""
    name = re.sub(r"^.*[:|]", "", name)
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def _word(words: list[str]) -> str:
    """Words as one; a number that only says "the first" is left out."""
    if len(words) > 1 and words[-1].isdigit() and words[-1].lstrip("0") == "1":
        words = words[:-1]
    return "".join(words)
