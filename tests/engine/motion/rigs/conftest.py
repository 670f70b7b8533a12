# SPDX-License-Identifier: GPL-3.0-or-later
"""People to find: one skeleton per naming convention, made from the published names and the measures of an adult."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.motion.joints import JOINTS
from engine.motion.skeleton import Skeleton

SIDES = {
    "left": {"L": "L", "l": "l", "Left": "Left", "left": "left"},
    "right": {"L": "R", "l": "r", "Left": "Right", "left": "right"},
}
LEG = ("hip", "knee", "ankle", "foot")
ARM = ("collar", "shoulder", "elbow", "wrist")
BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # Y up, Z ahead -> Z up, -Y ahead


@dataclass(frozen=True)
class Person:
    """A skeleton and what must be found in it.

    Attributes:
        name: of the convention's table.
        skeleton: the rig.
        bones: body joint -> the bones that an edit turns.
        by_structure: whether the tree alone tells the limbs; not so in a control rig, which holds each limb many times.
    """

    name: str
    skeleton: Skeleton
    bones: dict[str, tuple[str, ...]]
    by_structure: bool = True

    def renamed(self, names: Mapping[str, str]) -> Person:
        """The same person with other bone names."""
        skeleton = dataclasses.replace(self.skeleton, names=tuple(names[name] for name in self.skeleton.names))
        bones = {joint: tuple(names[bone] for bone in bones) for joint, bones in self.bones.items()}
        return dataclasses.replace(self, skeleton=skeleton, bones=bones)


@dataclass(frozen=True)
class Names:
    """Bones of a convention: `{L}`, `{l}`, `{Left}`, `{left}` stand for the side; several parts make one limb.

    Attributes:
        above: bones from the floor to the pelvis.
        spine: joint -> bones that it turns, from the pelvis up.
        below: bones between pelvis and thigh. between: bones between chest and collar.
        leaves: (name, parent): twist bones and helpers half-way along their parent.
        fingers: each finger's first bone; "1" in it counts its three bones.
        toes: whether the toe bones are there and stand for all toes.
        arms: degrees by which the arms hang in the rest pose.
        axes: "blender" (Z up, each bone along its Y axis, rolled at random) or "bvh" (Y up, no rotations).
    """

    pelvis: str
    spine: dict[str, list[str]]
    neck: list[str]
    head: str
    leg: list[list[str]]
    arm: list[list[str]]
    above: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)
    leaves: list[tuple[str, str]] = field(default_factory=list)
    fingers: list[str] = field(default_factory=list)
    face: list[str] = field(default_factory=list)
    top: str | None = None
    props: list[tuple[str, str]] = field(default_factory=list)
    loose_pairs: list[str] = field(default_factory=list)
    arms: float = 0.0
    axes: str = "blender"


FINGERS_MIXAMO = [f"{{Left}}Hand{finger}1" for finger in ("Thumb", "Index", "Middle", "Ring", "Pinky")]
HIK_LEG = [["{Left}UpLeg"], ["{Left}Leg"], ["{Left}Foot"], ["{Left}ToeBase"]]
HIK_ARM = [["{Left}Shoulder"], ["{Left}Arm"], ["{Left}ForeArm"], ["{Left}Hand"]]
UE_LEG = [["thigh_{l}"], ["calf_{l}"], ["foot_{l}"], ["ball_{l}"]]
UE_ARM = [["clavicle_{l}"], ["upperarm_{l}"], ["lowerarm_{l}"], ["hand_{l}"]]
UE_FINGERS = [f"{finger}_01_{{l}}" for finger in ("thumb", "index", "middle", "ring", "pinky")]
UE_LEAVES = [("upperarm_twist_01_{l}", "upperarm_{l}"), ("lowerarm_twist_01_{l}", "lowerarm_{l}"),
             ("thigh_twist_01_{l}", "thigh_{l}"), ("calf_twist_01_{l}", "calf_{l}")]  # fmt: skip
RIGIFY_LEG = [["thigh.{L}"], ["shin.{L}"], ["foot.{L}"], ["toe.{L}"]]
RIGIFY_ARM = [["shoulder.{L}"], ["upper_arm.{L}"], ["forearm.{L}"], ["hand.{L}"]]
RIGIFY_FINGERS = ["thumb.01.{L}", "f_index.01.{L}", "f_middle.01.{L}", "f_ring.01.{L}", "f_pinky.01.{L}"]


def single(*bones: str) -> dict[str, list[str]]:
    return {f"spine{n + 1}": [bone] for n, bone in enumerate(bones)}


CONVENTIONS: dict[str, Names] = {
    "smpl": Names(
        "pelvis", single("spine1", "spine2", "spine3"), ["neck"], "head",
        [["{left}_hip"], ["{left}_knee"], ["{left}_ankle"], ["{left}_foot"]],
        [["{left}_collar"], ["{left}_shoulder"], ["{left}_elbow"], ["{left}_wrist"]],
        above=["root"], face=["jaw", "left_eye_smplhf", "right_eye_smplhf"],
        fingers=[f"{{left}}_{finger}1" for finger in ("thumb", "index", "middle", "ring", "pinky")],
    ),
    "smpl_old": Names(
        "Pelvis", single("Spine1", "Spine2", "Spine3"), ["Neck"], "Head",
        [["{L}_Hip"], ["{L}_Knee"], ["{L}_Ankle"], ["{L}_Foot"]],
        [["{L}_Collar"], ["{L}_Shoulder"], ["{L}_Elbow"], ["{L}_Wrist"]],
        leaves=[("{L}_Hand", "{L}_Wrist")], above=["root"],
    ),
    "mixamo": Names(
        "mixamorig:Hips", {j: [f"mixamorig:{b}" for b in bs] for j, bs in single("Spine", "Spine1", "Spine2").items()},
        ["mixamorig:Neck"], "mixamorig:Head",
        [[f"mixamorig:{part}" for part in parts] for parts in HIK_LEG],
        [[f"mixamorig:{part}" for part in parts] for parts in HIK_ARM],
        fingers=[f"mixamorig:{finger}" for finger in FINGERS_MIXAMO], top="mixamorig:HeadTop_End",
        leaves=[("mixamorig:{Left}Toe_End", "mixamorig:{Left}ToeBase")],
        props=[("mixamorig:Sword_joint", "mixamorig:RightHand")],
    ),
    "rigify_metarig": Names(
        "spine", single("spine.001", "spine.002", "spine.003"), ["spine.004", "spine.005"], "spine.006",
        RIGIFY_LEG, RIGIFY_ARM, fingers=RIGIFY_FINGERS, arms=40.0,
        leaves=[("heel.02.{L}", "foot.{L}"), ("breast.{L}", "spine.003"), ("pelvis.{L}", "spine")],
        face=["face", "nose", "lip.T.L", "eye.L", "eye.R"],
    ),
    "rigify_deform": Names(
        "DEF-spine", single("DEF-spine.001", "DEF-spine.002", "DEF-spine.003"),
        ["DEF-spine.004", "DEF-spine.005"], "DEF-spine.006",
        [["DEF-thigh.{L}", "DEF-thigh.{L}.001"], ["DEF-shin.{L}", "DEF-shin.{L}.001"], ["DEF-foot.{L}"],
         ["DEF-toe.{L}"]],
        [["DEF-shoulder.{L}"], ["DEF-upper_arm.{L}", "DEF-upper_arm.{L}.001"],
         ["DEF-forearm.{L}", "DEF-forearm.{L}.001"], ["DEF-hand.{L}"]],
        above=["root"], arms=40.0, fingers=[f"DEF-{finger}" for finger in RIGIFY_FINGERS],
        leaves=[("DEF-breast.{L}", "DEF-spine.003"), ("DEF-pelvis.{L}", "DEF-spine")],
    ),
    "cmu_bvh": Names(
        "Hips", single("LowerBack", "Spine", "Spine1"), ["Neck", "Neck1"], "Head", HIK_LEG, HIK_ARM,
        below=["{L}HipJoint"], axes="bvh",
        leaves=[("{Left}FingerBase", "{Left}Hand"), ("{L}Thumb", "{Left}Hand")],
    ),
    "unreal4": Names(
        "pelvis", single("spine_01", "spine_02", "spine_03"), ["neck_01"], "head", UE_LEG, UE_ARM,
        above=["root"], leaves=UE_LEAVES, fingers=UE_FINGERS, arms=50.0,
        loose_pairs=["ik_foot_root", "ik_foot_{l}", "ik_hand_root", "ik_hand_{l}"],
    ),
    "unreal5": Names(
        "pelvis", {"spine1": ["spine_01", "spine_02"], "spine2": ["spine_03", "spine_04"], "spine3": ["spine_05"]},
        ["neck_01", "neck_02"], "head", UE_LEG, UE_ARM, above=["root"], arms=50.0, fingers=UE_FINGERS,
        leaves=[*UE_LEAVES, ("upperarm_twist_02_{l}", "upperarm_{l}"), ("thigh_twist_02_{l}", "thigh_{l}")],
        loose_pairs=["ik_foot_root", "ik_foot_{l}", "ik_hand_root", "ik_hand_{l}"], props=[("weapon_r", "hand_r")],
        face=["FACIAL_C_FacialRoot", "FACIAL_C_Jaw", "FACIAL_L_Eye", "FACIAL_R_Eye"],
    ),
    "rokoko": Names(
        "Hips", {"spine1": ["Spine1", "Spine2"], "spine2": ["Spine3"], "spine3": ["Spine4"]}, ["Neck"], "Head",
        [["{Left}Thigh"], ["{Left}Shin"], ["{Left}Foot"], ["{Left}Toe"]], HIK_ARM, top="HeadVertex",
        leaves=[("{Left}ToeTip", "{Left}Toe")],
        fingers=[f"{{Left}}Finger{n}Metacarpal1" for n in (2, 3, 4, 5)] + ["{Left}Finger1Proximal1"],
    ),
    "xsens": Names(
        "Pelvis", {"spine1": ["L5", "L3"], "spine2": ["T12"], "spine3": ["T8"]}, ["Neck"], "Head",
        [["{Left}UpperLeg"], ["{Left}LowerLeg"], ["{Left}Foot"], ["{Left}Toe"]],
        [["{Left}Shoulder"], ["{Left}UpperArm"], ["{Left}ForeArm"], ["{Left}Hand"]], axes="bvh",
    ),
    "vrm": Names(
        "hips", single("spine", "chest", "upperChest"), ["neck"], "head",
        [["{left}UpperLeg"], ["{left}LowerLeg"], ["{left}Foot"], ["{left}Toes"]],
        [["{left}Shoulder"], ["{left}UpperArm"], ["{left}LowerArm"], ["{left}Hand"]],
        face=["leftEye", "rightEye", "jaw"],
        fingers=[f"{{left}}{finger}Proximal1" for finger in ("Thumb", "Index", "Middle", "Ring", "Little")],
    ),
    "vroid": Names(
        "J_Bip_C_Hips", single("J_Bip_C_Spine", "J_Bip_C_Chest", "J_Bip_C_UpperChest"), ["J_Bip_C_Neck"],
        "J_Bip_C_Head",
        [["J_Bip_{L}_UpperLeg"], ["J_Bip_{L}_LowerLeg"], ["J_Bip_{L}_Foot"], ["J_Bip_{L}_ToeBase"]],
        [["J_Bip_{L}_Shoulder"], ["J_Bip_{L}_UpperArm"], ["J_Bip_{L}_LowerArm"], ["J_Bip_{L}_Hand"]],
        above=["Root"], face=["J_Adj_L_FaceEye", "J_Adj_R_FaceEye", "J_Sec_Hair1_01"],
        leaves=[("J_Sec_{L}_Bust1", "J_Bip_C_UpperChest")],
        fingers=[f"J_Bip_{{L}}_{finger}1" for finger in ("Thumb", "Index", "Middle", "Ring", "Little")],
    ),
    "reallusion": Names(
        "CC_Base_Hip", single("CC_Base_Waist", "CC_Base_Spine01", "CC_Base_Spine02"),
        ["CC_Base_NeckTwist01", "CC_Base_NeckTwist02"], "CC_Base_Head",
        [["CC_Base_{L}_Thigh"], ["CC_Base_{L}_Calf"], ["CC_Base_{L}_Foot"], ["CC_Base_{L}_ToeBase"]],
        [["CC_Base_{L}_Clavicle"], ["CC_Base_{L}_Upperarm"], ["CC_Base_{L}_Forearm"], ["CC_Base_{L}_Hand"]],
        above=["CC_Base_BoneRoot"], below=["CC_Base_Pelvis"], arms=30.0, face=["CC_Base_FacialBone", "CC_Base_JawRoot"],
        leaves=[("CC_Base_{L}_ThighTwist01", "CC_Base_{L}_Thigh"),
                ("CC_Base_{L}_ForearmTwist01", "CC_Base_{L}_Forearm"), ("CC_Base_{L}_RibsTwist", "CC_Base_Spine02")],
        fingers=[f"CC_Base_{{L}}_{finger}1" for finger in ("Thumb", "Index", "Mid", "Ring", "Pinky")],
    ),
    "daz": Names(
        "hip", {"spine2": ["abdomen"], "spine3": ["chest"]}, ["neck"], "head",
        [["{l}Thigh"], ["{l}Shin"], ["{l}Foot"], ["{l}Toe"]],
        [["{l}Collar"], ["{l}Shldr"], ["{l}ForeArm"], ["{l}Hand"]], below=["{l}Buttock"], axes="bvh",
        fingers=[f"{{l}}{finger}1" for finger in ("Thumb", "Index", "Mid", "Ring", "Pinky")],
    ),
    "daz_genesis8": Names(
        "hip", {"spine1": ["abdomenLower", "abdomenUpper"], "spine2": ["chestLower"], "spine3": ["chestUpper"]},
        ["neckLower", "neckUpper"], "head",
        [["{l}ThighBend", "{l}ThighTwist"], ["{l}Shin"], ["{l}Foot"], ["{l}Toe"]],
        [["{l}Collar"], ["{l}ShldrBend", "{l}ShldrTwist"], ["{l}ForearmBend", "{l}ForearmTwist"], ["{l}Hand"]],
        below=["pelvis"], arms=45.0, face=["upperFaceRig", "lowerFaceRig", "lEye", "rEye"],
        leaves=[("{l}Pectoral", "chestUpper"), ("{l}Heel", "{l}Foot")],
        fingers=[f"{{l}}{finger}1" for finger in ("Thumb", "Index", "Mid", "Ring", "Pinky")],
    ),
    "daz_genesis9": Names(
        "hip", {"spine1": ["spine1", "spine2"], "spine2": ["spine3"], "spine3": ["spine4"]}, ["neck1", "neck2"], "head",
        [["{l}_thigh"], ["{l}_shin"], ["{l}_foot"], ["{l}_toes"]],
        [["{l}_shoulder"], ["{l}_upperarm"], ["{l}_forearm"], ["{l}_hand"]],
        below=["pelvis"], arms=45.0, face=["l_eye", "r_eye", "lowerjaw"],
        leaves=[("{l}_thightwist1", "{l}_thigh"), ("{l}_upperarmtwist1", "{l}_upperarm"),
                ("{l}_forearmtwist1", "{l}_forearm"), ("{l}_pectoral", "spine4"), ("{l}_metatarsal", "{l}_foot")],
        fingers=[f"{{l}}_{finger}1" for finger in ("thumb", "index", "mid", "ring", "pinky")],
    ),
    "biped": Names(
        "Bip001 Pelvis", single("Bip001 Spine", "Bip001 Spine1", "Bip001 Spine2"), ["Bip001 Neck"], "Bip001 Head",
        [["Bip001 {L} Thigh"], ["Bip001 {L} Calf"], ["Bip001 {L} Foot"], ["Bip001 {L} Toe0"]],
        [["Bip001 {L} Clavicle"], ["Bip001 {L} UpperArm"], ["Bip001 {L} Forearm"], ["Bip001 {L} Hand"]],
        above=["Bip001"], arms=35.0, top="Bip001 HeadNub",
        fingers=[f"Bip001 {{L}} Finger{n}1" for n in range(5)], leaves=[("Bip001 {L} Toe0Nub", "Bip001 {L} Toe0")],
    ),
    "humanik": Names(
        "Character1_Hips",
        {"spine1": ["Character1_Spine", "Character1_Spine1"], "spine2": ["Character1_Spine2"],
         "spine3": ["Character1_Spine3"]},
        ["Character1_Neck", "Character1_Neck1"], "Character1_Head",
        [[f"Character1_{part}" for part in parts] for parts in HIK_LEG],
        [[f"Character1_{part}" for part in parts] for parts in HIK_ARM], above=["Character1_Reference"],
        leaves=[(f"Character1_{part}Roll", f"Character1_{part}")
                for part in ("{Left}UpLeg", "{Left}Leg", "{Left}Arm", "{Left}ForeArm")],
        fingers=[f"Character1_{finger}" for finger in FINGERS_MIXAMO],
    ),
    "makehuman": Names(
        "root", {"spine1": ["spine05", "spine04"], "spine2": ["spine03", "spine02"], "spine3": ["spine01"]},
        ["neck01", "neck02", "neck03"], "head",
        [["upperleg01.{L}", "upperleg02.{L}"], ["lowerleg01.{L}", "lowerleg02.{L}"], ["foot.{L}"], []],
        [["clavicle.{L}", "shoulder01.{L}"], ["upperarm01.{L}", "upperarm02.{L}"],
         ["lowerarm01.{L}", "lowerarm02.{L}"], ["wrist.{L}"]],
        below=["pelvis.{L}"], arms=40.0, face=["jaw", "eye.L", "eye.R", "special04"],
        leaves=[(f"toe{n}-1.{{L}}", "foot.{L}") for n in range(1, 6)] + [("breast.{L}", "spine02")],
        fingers=[f"finger{n}-1.{{L}}" for n in range(1, 6)],
    ),
    "plask": Names(
        "hips", single("spine", "spine1", "spine2"), ["neck"], "head",
        [["{left}UpLeg"], ["{left}Leg"], ["{left}Foot"], ["{left}ToeBase"]],
        [["{left}Shoulder"], ["{left}Arm"], ["{left}ForeArm"], ["{left}Hand"]], axes="bvh",
        leaves=[("{left}HandIndex1", "{left}Hand")],
    ),
}  # fmt: skip


def person(name: str, names: Names) -> Person:
    """Build a convention's skeleton: 1.75 m, facing +Z, then in the axes that the convention is met in."""
    bones: dict[str, tuple[str | None, np.ndarray]] = {}

    def add(bone: str, parent: str | None, *at: float) -> str:
        bones[bone] = parent, np.array(at)
        return bone

    parent = None
    for bone in names.above:
        parent = add(bone, parent, 0.0, 0.0, 0.0)
    root = parent
    pelvis = add(names.pelvis, parent, 0.0, 0.95, 0.0)
    parent = pelvis
    spine = [bone for group in names.spine.values() for bone in group]
    for n, bone in enumerate(spine):
        parent = add(bone, parent, 0.0, 1.02 + 0.36 * n / len(spine), -0.02 + 0.01 * (n % 2))
    chest = parent
    for n, bone in enumerate(names.neck):
        parent = add(bone, parent, 0.0, 1.49 + 0.1 * n / len(names.neck), -0.02 + 0.02 * n)
    head = add(names.head, parent, 0.0, 1.6, 0.01)
    if names.top:
        add(names.top, head, 0.0, 1.8, 0.01)
    for n, bone in enumerate(names.face):
        add(bone, head, 0.03 * (n % 3 - 1), 1.65, 0.08)
    hang = Rotation.from_euler("z", -names.arms, degrees=True)
    for side, words in SIDES.items():
        mirror = np.array([1.0 if side == "left" else -1.0, 1.0, 1.0])
        shoulder = np.array([0.18, 1.43, -0.02])
        arm = [np.array([0.04, 1.42, 0.0]), shoulder, shoulder + hang.apply([0.28, 0, -0.005]),
               shoulder + hang.apply([0.535, 0, 0.0])]  # fmt: skip
        leg = [np.array([0.1, 0.9, 0.0]), np.array([0.11, 0.49, 0.01]), np.array([0.11, 0.08, -0.02]),
               np.array([0.12, 0.02, 0.11])]  # fmt: skip
        for start, parts, points, end in (
            (pelvis, names.leg, leg, leg[-1] + [0, 0, 0.06]),
            (chest, names.arm, arm, arm[-1] + hang.apply([0.1, 0, 0])),
        ):
            parent = start
            if start is pelvis:
                for n, bone in enumerate(names.below):
                    bone = bone.format(**words)
                    if bone not in bones:
                        aside = 0.0 if bone == names.below[n] else 0.02
                        add(bone, parent, *(mirror * [aside, 0.94, 0.0]))
                    parent = bone
            for group, begin, stop in zip(parts, points, [*points[1:], end], strict=True):
                for n, part in enumerate(group):
                    place = begin + (stop - begin) * n / len(group)
                    parent = add(part.format(**words), parent, *(mirror * place))
        for leaf, above in names.leaves:
            leaf, above = leaf.format(**words), above.format(**words)
            if "toe" in leaf.lower() and "foot" in above.lower():
                offset = np.array([0.02 * (int(leaf[3]) - 3), -0.06, 0.12])
            elif any(word in above.lower() for word in ("toe", "foot")):
                offset = np.array([0.0, -0.03, 0.05])
            elif above.lower().endswith(("hand", "wrist")):
                offset = hang.apply([0.08, 0.0, 0.02])
            else:
                following = next((point for owner, point in bones.values() if owner == above), bones[above][1])
                offset = mirror * (following - bones[above][1]) / 2 + [0.01, 0.0, 0.03]
            add(leaf, above, *(bones[above][1] + mirror * offset))
        hand = names.arm[-1][0].format(**words)
        for n, finger in enumerate(names.fingers):
            parent = hand
            for k in range(3):
                bone = finger.format(**words)
                bone = bone[::-1].replace("1", str(k + 1), 1)[::-1]
                place = arm[-1] + hang.apply([0.06 + 0.03 * n % 0.04 + 0.028 * k, 0.0, 0.05 - 0.025 * n])
                parent = add(bone, parent, *(mirror * place))
    for bone, above in names.props:
        add(bone, above, *(bones[above][1] + [0.0, 0.02, 0.05]))
    above = root
    for bone in names.loose_pairs:
        if "{" not in bone:
            above = add(bone, root, 0.0, 0.0, 0.0)
        else:
            for side, words in SIDES.items():
                x = 0.1 if side == "left" else -0.1
                add(bone.format(**words), above, x, 0.1 if "foot" in bone else 1.0, 0.0)

    found = {"pelvis": (names.pelvis,), "head": (names.head,)} | {j: tuple(b) for j, b in names.spine.items()}
    if names.neck:
        halved = name in ("cmu_bvh", "reallusion")  # these tables read the middle of the neck and turn its lowest bone
        found["neck"] = (names.neck[0],) if halved else tuple(names.neck)
    for side, words in SIDES.items():
        for joints, groups in ((LEG, names.leg), (ARM, names.arm)):
            found |= {f"{side}_{j}": (g[0].format(**words),) for j, g in zip(joints, groups, strict=True) if g}
    return Person(name, skeleton_of(bones, names.axes), {j: found[j] for j in JOINTS if j in found})


def skeleton_of(bones: Mapping[str, tuple[str | None, np.ndarray]], axes: str) -> Skeleton:
    """Bone -> (parent, point in metres, Y up, facing +Z) as a skeleton; a parent may come after its children."""
    order: list[str] = []

    def put(bone: str) -> None:
        parent = bones[bone][0]
        if bone not in order:
            if parent is not None:
                put(parent)
            order.append(bone)

    for bone in bones:
        put(bone)
    turn = BLENDER if axes == "blender" else np.eye(3)
    heads = {bone: turn @ bones[bone][1] for bone in order}
    rest = np.tile(np.eye(4), (len(order), 1, 1))
    tails = np.full((len(order), 3), np.nan)
    for n, bone in enumerate(order):
        rest[n, :3, 3] = heads[bone]
        children = [heads[other] for other in order if bones[other][0] == bone]
        along = next((child - heads[bone] for child in children if np.linalg.norm(child - heads[bone]) > 1e-3), None)
        if along is None:
            parent = bones[bone][0]
            along = heads[bone] - heads[parent] if parent is not None else turn @ [0.0, 0.1, 0.0]
        if np.linalg.norm(along) < 1e-3:
            along = turn @ [0.0, 0.1, 0.0]
        tails[n] = heads[bone] + along
        if axes == "blender":
            roll = np.random.default_rng(zlib.crc32(bone.encode())).uniform(-np.pi, np.pi)
            rest[n, :3, :3] = along_y(along) @ Rotation.from_euler("y", roll).as_matrix()
    parents = tuple(order.index(parent) if (parent := bones[bone][0]) is not None else -1 for bone in order)
    return Skeleton(tuple(order), parents, rest, tails)


def along_y(direction: np.ndarray) -> np.ndarray:
    """A rotation (3, 3) whose Y axis is a direction, as Blender's bones lie along their Y axis."""
    y = direction / np.linalg.norm(direction)
    x = np.cross(y, [0.3, 0.5, 0.81])
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def rigify_controls() -> Person:
    """A generated Rigify rig (Blender 4.5): FK controls with the mechanism bones they hang from, and their IK twins."""
    up = {bone: np.array(point) for bone, point in {
        "torso": (0, 0.98, 0.02), "hips": (0, 1.15, 0), "chest": (0, 1.15, 0), "spine_fk": (0, 1.05, 0),
        "spine_fk.001": (0, 1.15, 0), "spine_fk.002": (0, 1.15, 0), "spine_fk.003": (0, 1.3, 0), "neck": (0, 1.48, 0),
        "head": (0, 1.6, 0.02), "ORG-spine": (0, 0.92, 0),
    }.items()}  # fmt: skip
    follows = {
        "torso": "MCH-torso.parent", "hips": "torso", "chest": "torso", "MCH-spine.001": "torso",
        "spine_fk.001": "MCH-spine.001", "MCH-spine": "spine_fk.001", "spine_fk": "MCH-spine",
        "tweak_spine": "spine_fk",
        "ORG-spine": "tweak_spine", "MCH-spine.002": "torso", "spine_fk.002": "MCH-spine.002",
        "MCH-spine.003": "spine_fk.002", "spine_fk.003": "MCH-spine.003", "MCH-ROT-neck": "spine_fk.003",
        "neck": "MCH-ROT-neck", "MCH-ROT-head": "neck", "head": "MCH-ROT-head", "tweak_spine.003": "spine_fk.003",
        "ORG-spine.003": "tweak_spine.003",
    }  # fmt: skip
    bones: dict[str, tuple[str | None, np.ndarray]] = {
        "root": (None, np.zeros(3)),
        "MCH-torso.parent": (None, np.zeros(3)),
    }
    for bone, parent in follows.items():
        place = up.get(bone, up.get(bone.replace("MCH-spine", "spine_fk"), bones[parent][1]))
        bones[bone] = parent, place
    hang = Rotation.from_euler("z", -40, degrees=True)
    shoulder = np.array([0.18, 1.43, -0.02])
    arm = {"upper_arm": shoulder, "forearm": shoulder + hang.apply([0.28, 0, -0.01]),
           "hand": shoulder + hang.apply([0.53, 0, 0])}  # fmt: skip
    leg = {"thigh": (0.1, 0.9, 0), "shin": (0.1, 0.49, 0.01), "foot": (0.1, 0.08, -0.02), "toe": (0.1, 0.02, 0.11)}
    for side, mirror in (("L", np.ones(3)), ("R", np.array([-1.0, 1.0, 1.0]))):
        bones[f"shoulder.{side}"] = "ORG-spine.003", mirror * [0.04, 1.42, 0]
        bones[f"ORG-shoulder.{side}"] = "ORG-spine.003", mirror * [0.04, 1.42, 0]
        for limb, start in ((arm, f"ORG-shoulder.{side}"), (leg, "ORG-spine")):
            first = next(iter(limb))
            master = f"MCH-{first}_parent.{side}"
            bones[master] = start, mirror * np.array(limb[first])
            bones[f"{first}_parent.{side}"] = start, mirror * np.array(limb[first])
            for kind in ("fk", "ik"):
                parent = master
                for part, place in limb.items():
                    if kind == "fk" and part in ("hand", "foot", "toe"):
                        bones[f"MCH-{part}_fk.{side}"] = parent, mirror * np.array(place)
                        parent = f"MCH-{part}_fk.{side}"
                    bones[f"{part}_{kind}.{side}"] = parent, mirror * np.array(place)
                    parent = f"{part}_{kind}.{side}"
    found: dict[str, Any] = {"pelvis": ("torso",), "spine2": ("spine_fk.002",), "spine3": ("spine_fk.003",),
                             "neck": ("neck",), "head": ("head",)}  # fmt: skip
    for side, letter in (("left", "L"), ("right", "R")):
        found[f"{side}_collar"] = (f"shoulder.{letter}",)
        for joint, part in (("hip", "thigh"), ("knee", "shin"), ("ankle", "foot"), ("foot", "toe"),
                            ("shoulder", "upper_arm"), ("elbow", "forearm"), ("wrist", "hand")):  # fmt: skip
            found[f"{side}_{joint}"] = (f"{part}_fk.{letter}",)
    skeleton = skeleton_of(bones, "blender")
    return Person("rigify_controls", skeleton, {j: found[j] for j in JOINTS if j in found}, by_structure=False)


PEOPLE = {name: person(name, names) for name, names in CONVENTIONS.items()} | {"rigify_controls": rigify_controls()}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test that asks for a `someone` runs for every convention."""
    if "someone" in metafunc.fixturenames:
        metafunc.parametrize("someone", PEOPLE.values(), ids=PEOPLE.keys())


@pytest.fixture(scope="session")
def people() -> dict[str, Person]:
    """Name of each convention's table -> a person."""
    return PEOPLE
