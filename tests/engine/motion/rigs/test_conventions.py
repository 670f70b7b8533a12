# SPDX-License-Identifier: GPL-3.0-or-later
"""Each naming convention is told by its names, under whatever prefix, and every joint gets its bone."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest

from engine.errors import MappingError
from engine.motion.joints import JOINTS
from engine.motion.rigs import Source, find_map
from engine.motion.rigs.table import TABLES


def turned(rig_map: Any) -> dict[str, tuple[str, ...]]:
    return {joint: source.turned for joint, source in rig_map.sources.items() if source.own}


def test_there_is_someone_of_every_convention(people: dict[str, Any]) -> None:
    assert set(people) == set(TABLES)


LACKING = {"makehuman": {"left_foot", "right_foot"}}


def test_a_convention_is_found(someone: Any) -> None:
    rig_map = find_map(someone.skeleton)
    assert rig_map.name == someone.name
    assert turned(rig_map) == someone.bones
    assert set(JOINTS) - set(rig_map.sources) == LACKING.get(someone.name, set())
    assert rig_map.confidence == 1.0
    assert re.fullmatch(r"All \d+ signature bones of .+ are there\.", rig_map.reasons[0])
    assert all(reason.endswith(".") and "\n" not in reason for reason in rig_map.reasons)


@pytest.mark.parametrize("space", ["Bob:", "Crowd:Bob:", "Armature|"])
def test_a_name_space_changes_nothing(someone: Any, space: str) -> None:
    spaced = someone.renamed({bone: space + bone for bone in someone.skeleton.names})
    rig_map = find_map(spaced.skeleton)
    assert (rig_map.name, turned(rig_map)) == (someone.name, spaced.bones)
    assert f"The bones' names begin with '{space}" in rig_map.reasons[1]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("mixamo", "mixamorig:", ""),
        ("mixamo", "mixamorig:", "mixamorig"),
        ("mixamo", "mixamorig:", "mixamorig_"),
        ("mixamo", "mixamorig:", "mixamorig7:"),
        ("mixamo", "mixamorig:", "mixamorig12"),
        ("mixamo", "mixamorig:", "Bob:mixamorig:"),
        ("biped", "Bip001", "Bip01"),
        ("biped", "Bip001 ", "Bip001_"),
        ("biped", " ", "_"),
        ("biped", "Bip001 ", "ValveBiped.Bip01_"),
        ("reallusion", "CC_Base_", ""),
        ("smpl_old", "", "m_avg_"),
        ("smpl_old", "", "f_avg_"),
        ("humanik", "Character1_", "Character2_"),
        ("humanik", "Character1_", ""),
        ("humanik", "Character1_", "Character_"),
    ],
)
def test_a_prefix_changes_nothing(people: dict[str, Any], name: str, old: str, new: str) -> None:
    other = people[name].renamed(
        {bone: bone.replace(old, new) if old else new + bone for bone in people[name].skeleton.names}
    )
    rig_map = find_map(other.skeleton)
    assert (rig_map.name, turned(rig_map), rig_map.confidence) == (name, other.bones, 1.0)


def test_xsens_with_spaces_and_of_its_bvh_files(people: dict[str, Any]) -> None:
    someone = people["xsens"]
    spaced = someone.renamed({b: re.sub(r"(?<=[a-z])(?=[A-Z])", " ", b) for b in someone.skeleton.names})
    assert "Left Upper Leg" in spaced.skeleton
    assert turned(find_map(spaced.skeleton)) == spaced.bones
    names = {"Pelvis": "Hips", "L5": "Chest", "L3": "Chest2", "T12": "Chest3", "T8": "Chest4"}
    for bone in someone.skeleton.names:
        for part, other in (("UpperLeg", "Hip"), ("LowerLeg", "Knee"), ("Foot", "Ankle"), ("Shoulder", "Collar"),
                            ("UpperArm", "Shoulder"), ("ForeArm", "Elbow"), ("Hand", "Wrist")):  # fmt: skip
            if bone.endswith(part):
                names[bone] = bone.replace(part, other)
    of_file = someone.renamed({bone: names.get(bone, bone) for bone in someone.skeleton.names})
    rig_map = find_map(of_file.skeleton)
    assert (rig_map.name, turned(rig_map)) == ("xsens", of_file.bones)


def test_valve_s_biped_numbers_neck_and_head_and_skips_a_spine(people: dict[str, Any]) -> None:
    names = {b: f"ValveBiped.{b.replace(' ', '_')}" for b in people["biped"].skeleton.names}
    names |= {"Bip001 Neck": "ValveBiped.Bip01_Neck1", "Bip001 Head": "ValveBiped.Bip01_Head1",
              "Bip001 Spine2": "ValveBiped.Bip01_Spine4"}  # fmt: skip
    someone = people["biped"].renamed({b: name.replace("Bip001", "Bip01") for b, name in names.items()})
    rig_map = find_map(someone.skeleton)
    assert (rig_map.name, turned(rig_map), rig_map.confidence) == ("biped", someone.bones, 1.0)


def test_what_was_found_gives_way_to_the_user_s_entries(people: dict[str, Any]) -> None:
    someone = people["smpl"]
    rig_map = find_map(someone.skeleton, {"left_elbow": "left_index1"})
    assert rig_map.bones["left_elbow"] == "left_index1"
    assert set(JOINTS) - set(rig_map.sources) == {"left_wrist"}
    assert rig_map.reasons[-1] == "left_wrist was found, but does not go with the bones given."
    with pytest.raises(MappingError, match=r"left_ankle .* is not below left_foot"):  # needed joints do not give way
        find_map(someone.skeleton, {"left_knee": "left_foot", "left_foot": ""})


def test_humanik_is_told_from_mixamo_by_its_roll_bones(people: dict[str, Any]) -> None:
    plain = people["mixamo"].renamed({b: b.removeprefix("mixamorig:") for b in people["mixamo"].skeleton.names})
    assert find_map(plain.skeleton).name == "mixamo"


def test_rigify_controls_name_their_switches(people: dict[str, Any]) -> None:
    rig_map = find_map(people["rigify_controls"].skeleton)
    fk = {switch.bone: switch for switch in rig_map.switches if switch.property == "IK_FK"}
    assert set(fk) == {"upper_arm_parent.L", "upper_arm_parent.R", "thigh_parent.L", "thigh_parent.R"}
    assert all(switch.value == 1.0 for switch in fk.values())
    assert {joint for switch in fk.values() for joint in switch.joints} == {
        f"{side}_{joint}"
        for side in ("left", "right")
        for joint in ("hip", "knee", "ankle", "foot", "shoulder", "elbow", "wrist")
    }
    # The hips move with the lower spine's control, so they are read there and turned with the torso.
    assert rig_map.sources["pelvis"] == Source(("torso",))


def test_vrm_bones_are_told_by_the_add_on(people: dict[str, Any]) -> None:
    someone = people["vrm"]
    odd = {bone: f"骨{n}" for n, bone in enumerate(someone.skeleton.names)}
    other = someone.renamed(odd)
    rig_map = find_map(other.skeleton, human_bones=odd)
    assert (rig_map.name, turned(rig_map), rig_map.confidence) == ("vrm", other.bones, 1.0)
    assert rig_map.reasons[0] == "The VRM add-on names the bones."
    # Stale entries are passed over, and the rig is then found as if there were none.
    assert find_map(other.skeleton, human_bones={"hips": "gone"}).name == "structure"


def test_vrm_add_on_s_own_armature(people: dict[str, Any]) -> None:
    def snake(bone: str) -> str:
        side = re.match(r"(left|right)(.+)", bone)
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", side[2] if side else bone).lower()
        return f"{words}.{side[1][0].upper()}" if side else words

    other = people["vrm"].renamed({bone: snake(bone) for bone in people["vrm"].skeleton.names})
    assert "upper_leg.L" in other.skeleton
    assert turned(find_map(other.skeleton)) == other.bones


def test_the_user_s_entries_overrule_and_are_certain(people: dict[str, Any]) -> None:
    someone = people["unreal5"]
    rig_map = find_map(someone.skeleton, {"spine3": "spine_04", "left_foot": ""})
    assert rig_map.sources["spine3"] == Source(("spine_04",))
    assert rig_map.sources["spine2"] == Source(("spine_03",))
    assert "left_foot" not in rig_map.sources
    assert "spine3 is mapped by hand to 'spine_04'." in rig_map.reasons
    assert "left_foot is left out by hand." in rig_map.reasons
    assert "spine_04" not in {bone for joint, bones in turned(rig_map).items() if joint != "spine3" for bone in bones}
    with pytest.raises(MappingError, match="for two joints"):
        find_map(someone.skeleton, {"left_hip": "thigh_l", "right_hip": "thigh_l"})
    with pytest.raises(MappingError, match="is not below"):
        find_map(someone.skeleton, {"left_knee": "calf_r", "right_knee": "calf_l"})
    assert find_map(someone.skeleton, {j: b[0] for j, b in someone.bones.items()}).confidence == 1.0


def test_a_missing_bone_lowers_the_confidence_and_is_named(people: dict[str, Any]) -> None:
    someone = people["unreal4"]
    other = someone.renamed({b: "extra" if b == "ball_l" else b for b in someone.skeleton.names})
    rig_map = find_map(other.skeleton)
    assert rig_map.confidence == pytest.approx(21 / 22, abs=1e-3)
    assert rig_map.reasons[-1] == "The rig has no bone of Unreal Mannequin 4 for left_foot."


def test_without_its_signature_a_convention_is_less_sure(people: dict[str, Any]) -> None:
    someone = people["unreal4"]
    other = someone.renamed({b: "middle" if b == "spine_02" else b for b in someone.skeleton.names})
    rig_map = find_map(other.skeleton)
    assert rig_map.name == "unreal4" and 0.5 < rig_map.confidence <= 0.8
    assert rig_map.sources["spine3"] == Source(("spine_03",))
    assert "signature bones are not all there" in rig_map.reasons[0]


@pytest.mark.parametrize("count", range(1, 7))
def test_a_spine_of_any_length_ends_in_the_chest(people: dict[str, Any], count: int) -> None:
    """A HumanIK spine of one to six bones; every bone belongs to one joint and the arms' bone to the highest."""
    bones = [f"Character1_Spine{n or ''}" for n in range(count)]
    hik = people["humanik"]
    skeleton = hik.skeleton
    old = [bone for bone in skeleton.names if "Spine" in bone]
    chain = with_chain(skeleton, old, bones)
    rig_map = find_map(chain)
    used = [bone for joint in ("spine1", "spine2", "spine3") for bone in turned(rig_map).get(joint, ())]
    assert used == bones
    assert rig_map.sources["spine3"].bones[-1] == bones[-1]
    assert {"spine1", "spine2", "spine3"} <= set(rig_map.sources)
    sizes = [len(turned(rig_map).get(joint, ())) for joint in ("spine1", "spine2", "spine3")]
    assert max(sizes) - min(sizes) <= 1


def with_chain(skeleton: Any, old: list[str], new: list[str]) -> Any:
    """The skeleton with one chain of bones in place of another."""
    first, last = skeleton.index(old[0]), skeleton.index(old[-1])
    names, parents, rest, tails = [], [], [], []
    place: dict[int, int] = {}
    for n, name in enumerate(skeleton.names):
        if name in old:
            if n == first:
                parent = place[skeleton.parents[n]]
                for k, bone in enumerate(new):
                    at = skeleton.rest[first].copy()
                    at[:3, 3] += (skeleton.rest[last, :3, 3] - at[:3, 3]) * k / len(new)
                    parents.append(parent)
                    parent = len(names)
                    names.append(bone)
                    rest.append(at)
                    tails.append(skeleton.tails[first])
            place[n] = len(names) - 1
            continue
        place[n] = len(names)
        names.append(name)
        parents.append(place[skeleton.parents[n]] if skeleton.parents[n] >= 0 else -1)
        rest.append(skeleton.rest[n])
        tails.append(skeleton.tails[n])
    return dataclasses.replace(
        skeleton, names=tuple(names), parents=tuple(parents), rest=np.array(rest), tails=np.array(tails)
    )


def test_a_bone_confirmed_by_hand_keeps_what_was_found_with_it(people: dict[str, Any]) -> None:
    long = people["unreal5"].skeleton
    assert find_map(long, {"spine1": "spine_01"}).sources == find_map(long).sources
    parted = find_map(long, {"spine1": "spine_01", "spine2": "spine_02"}).sources
    assert (parted["spine1"], parted["spine2"]) == (Source(("spine_01",)), Source(("spine_02",)))
