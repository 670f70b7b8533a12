# SPDX-License-Identifier: GPL-3.0-or-later
"""Bone names of no known convention, in whatever spelling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.motion.rigs import find_map
from engine.motion.rigs.names import plain_name


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("mixamorig:LeftArm", ("left", "arm")),
        ("mixamorig1:RightForeArm", ("right", "forearm")),
        ("Bip001 L Thigh", ("left", "thigh")),
        ("CC_Base_R_Upperarm", ("right", "upperarm")),
        ("DEF-upper_arm.L", ("left", "upperarm")),
        ("Character1_LeftUpLeg", ("left", "upleg")),
        ("J_Bip_L_LowerLeg", ("left", "lowerleg")),
        ("lShldr", ("left", "shldr")),
        ("l_hand", ("left", "hand")),
        ("hand_r", ("right", "hand")),
        ("Left Upper Leg", ("left", "upperleg")),
        ("upper-leg-left", ("left", "upperleg")),
        ("lthigh", ("left", "thigh")),
        ("RTOE_jnt", ("right", "toe")),
        ("rtoe", ("right", "toe")),
        ("jnt_l_foot_01", ("left", "foot")),
        ("Left_Thigh_01", ("left", "thigh")),
        ("leg.L", ("left", "leg")),
        ("LeftHandIndex1", ("left", "handindex")),
        ("LeftArmTwist", ("left", "armtwist")),
        ("ik_hand_l", ("left", "ikhand")),
        ("hips", ("", "hips")),
        ("b_Head", ("", "head")),
        ("Bob:Rig|Head", ("", "head")),
    ],
)
def test_what_a_name_says(name: str, plain: tuple[str, str]) -> None:
    assert plain_name(name) == plain


# From the words of the Unreal skeleton to those of rigs that people name themselves.
WORDS = {
    "game": {"thigh": "UpperLeg", "calf": "LowerLeg", "foot": "Foot", "ball": "Toes", "clavicle": "Shoulder",
             "upperarm": "UpperArm", "lowerarm": "LowerArm", "hand": "Hand", "pelvis": "Hips"},
    "joints": {"thigh": "Hip", "calf": "Knee", "foot": "Ankle", "ball": "Toe", "clavicle": "Collar",
               "upperarm": "Shoulder", "lowerarm": "Elbow", "hand": "Wrist", "pelvis": "Hips"},
    "plain": {"thigh": "Leg", "calf": "Knee", "foot": "Ankle", "ball": "Toe", "clavicle": "Shoulder",
              "upperarm": "Arm", "lowerarm": "Elbow", "hand": "Wrist", "pelvis": "Pelvis"},
    "anatomy": {"thigh": "Femur", "calf": "Tibia", "foot": "Foot", "ball": "Toe", "clavicle": "Clavicle",
                "upperarm": "Humerus", "lowerarm": "Radius", "hand": "Hand", "pelvis": "Pelvis"},
}  # fmt: skip
SPELLING: dict[str, Callable[[str, str], str]] = {
    "Left.word": lambda word, side: f"{side}.{word}" if side else word,
    "word_L": lambda word, side: f"{word}_{side[0]}" if side else word,
    "l_word": lambda word, side: f"{side[0].lower()}_{word.lower()}" if side else word.lower(),
    "LWord": lambda word, side: f"{side[0]}{word}" if side else word,
    "word left": lambda word, side: f"{word.lower()} {side.lower()}".strip(),
    "rig name": lambda word, side: f"Anna_{side}{word}",
    "joint": lambda word, side: f"{word}_{side[0].lower()}_jnt" if side else f"{word}_jnt",
}


@pytest.mark.parametrize("spell", SPELLING.values(), ids=SPELLING.keys())
@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
def test_own_names_are_understood(
    people: dict[str, Any], words: dict[str, str], spell: Callable[[str, str], str]
) -> None:
    """Fingers, twist bones and IK bones are there too, and none of them is taken for a limb."""
    someone = people["unreal4"]

    def new(bone: str) -> str:
        stem, _, last = bone.rpartition("_")
        stem, side = (stem, {"l": "Left", "r": "Right"}[last]) if last in ("l", "r") else (bone, "")
        first, _, rest = stem.partition("_")
        return spell(words.get(first, first.capitalize()) + rest.replace("_", "").capitalize(), side)

    other = someone.renamed({bone: new(bone) for bone in someone.skeleton.names})
    assert len(set(other.skeleton.names)) == len(someone.skeleton.names)
    rig_map = find_map(other.skeleton)
    assert {joint: source.turned for joint, source in rig_map.sources.items()} == other.bones
    if rig_map.name == "names":
        assert rig_map.confidence == 0.7
        assert f"left_wrist was found by its name '{other.bones['left_wrist'][0]}'." in rig_map.reasons
    else:  # some of these spellings are another convention's
        assert rig_map.name in ("unreal4", "vrm", "xsens", "rokoko", "smpl_old") and rig_map.confidence >= 0.7
