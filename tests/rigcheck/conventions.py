# SPDX-License-Identifier: GPL-3.0-or-later
"""The bones of each naming convention as its makers publish them: data, in no one's axes."""

from __future__ import annotations

from dataclasses import dataclass, field


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


