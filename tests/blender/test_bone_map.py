# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of bones: what is kept with the armature, what is wrong told at once, and the real engine's word on it."""

from __future__ import annotations

import importlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

bpy = pytest.importorskip("bpy")

REQUIRED = {
    "pelvis", "head", *(f"{side}_{joint}" for side in ("left", "right")
                        for joint in ("hip", "knee", "ankle", "shoulder", "elbow")),
}  # fmt: skip


@pytest.fixture
def parts(extension: Callable[[str], Any]) -> SimpleNamespace:
    names = ("bone_map", "bone_checks", "body_joints", "found_bones", "mirror", "presets", "vrm",
             "session", "skeleton")  # fmt: skip
    loaded = {name: extension(name) for name in names}
    return SimpleNamespace(bone_map_file=importlib.import_module("dposer_ext.engine.motion.bone_map_file"), **loaded)


@pytest.fixture
def engine(extension: Callable[[str], Any]) -> Iterator[None]:
    """The real engine; skipped where its Python lacks its libraries."""
    python = extension("session").interpreter(bpy.context).path
    probe = [python, "-c", "import scipy"]
    if subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("the engine's libraries are not in the interpreter; set DPOSER_PYTHON to one that has them")
    yield


@pytest.fixture
def presets_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BLENDER_USER_CONFIG", str(tmp_path))
    if not Path(bpy.utils.user_resource("CONFIG")).is_relative_to(tmp_path):
        pytest.skip("this Blender keeps to the folder it started with")
    return tmp_path


def by_hand(ob: Any) -> dict[str, str]:
    """What the data says, read from the properties themselves."""
    bone_map, found = ob.data.dposer_bone_map, {}
    for prop in bone_map.bl_rna.properties:
        if prop.type == "STRING" and prop.identifier != "name" and getattr(bone_map, prop.identifier):
            found[prop.identifier] = getattr(bone_map, prop.identifier)
        if prop.type == "BOOLEAN" and getattr(bone_map, prop.identifier):
            found[prop.identifier.removesuffix("_absent")] = ""
    return found


def problems(parts: Any, ob: Any) -> dict[str, str]:
    return dict(parts.bone_map.checked(ob.data)[2].problems)


def found_of(parts: Any, ob: Any) -> Any:
    return parts.bone_map.checked(ob.data)[1].found


def undo() -> None:
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo()


# What is kept.


def test_every_joint_has_a_readable_row(parts: Any) -> None:
    joints = [joint for _, group in parts.body_joints.GROUPS for joint in group]
    assert len(joints) == 22 and sorted(joints) == sorted(parts.body_joints.TITLES)
    assert parts.body_joints.TITLES["left_elbow"] == "Left Elbow"
    assert len(set(parts.body_joints.TITLES.values())) == 22 and len(set(parts.body_joints.BONES.values())) == 22
    assert parts.body_joints.in_words("left_elbow and spine2 by 'left_arm'.") == (
        "Left Elbow and Middle Spine by 'left_arm'."
    )


def test_a_bone_and_no_bone_exclude_each_other(parts: Any, rigs: Any) -> None:
    ob = rigs.smpl()
    bone_map = ob.data.dposer_bone_map
    assert parts.bone_map.entries(ob.data) == {}
    bone_map.left_elbow = "prop"
    bone_map.left_elbow_absent = True
    assert bone_map.left_elbow == "" and parts.bone_map.entries(ob.data) == {"left_elbow": ""}
    bone_map.left_elbow = "prop"
    assert not bone_map.left_elbow_absent and parts.bone_map.entries(ob.data) == {"left_elbow": "prop"}
    parts.bone_map.put(ob.data, "left_elbow", None)
    assert parts.bone_map.entries(ob.data) == {}


def test_the_map_survives_saving_appending_and_linking(parts: Any, rigs: Any, tmp_path: Path) -> None:
    wanted = {"left_elbow": "prop", "right_wrist": ""}
    parts.bone_map.replace(rigs.smpl().data, wanted)
    file = str(tmp_path / "rig.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)
    assert parts.bone_map.entries(bpy.data.objects["Smpl"].data) == wanted
    for link in (False, True):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        with bpy.data.libraries.load(file, link=link) as (_, chosen):
            chosen.objects = ["Smpl"]
        assert parts.bone_map.entries(bpy.data.objects["Smpl"].data) == wanted


def test_the_search_shows_every_bone_hidden_ones_too(parts: Any, rigs: Any) -> None:
    ob = rigs.smpl()
    hidden = ob.data.collections.new("Mechanics")
    hidden.is_visible = False
    hidden.assign(ob.data.bones["left_elbow"])
    ob.data.bones["left_wrist"].hide = True
    shown = parts.bone_map._search(ob.data.dposer_bone_map, bpy.context, "left")
    assert sorted(shown) == sorted(bone.name for bone in ob.data.bones)


# What is wrong.


def test_a_bone_that_was_renamed_or_deleted(parts: Any, rigs: Any) -> None:
    ob = rigs.smpl()
    ob.data.dposer_bone_map.left_elbow = "left_elbow"
    assert problems(parts, ob) == {}
    ob.data.bones["left_elbow"].name = "ulna"
    assert "no bone 'left_elbow'" in problems(parts, ob)["left_elbow"]
    ob.data.bones["ulna"].name = "left_elbow"
    assert problems(parts, ob) == {}


def test_a_bone_of_two_joints_is_told_at_both(parts: Any, rigs: Any) -> None:
    ob = rigs.smpl()
    parts.bone_map.replace(ob.data, {"left_elbow": "prop", "right_elbow": "prop", "head": "head"})
    told = problems(parts, ob)
    assert told.keys() == {"left_elbow", "right_elbow"}
    assert "Right Elbow" in told["left_elbow"] and "Left Elbow" in told["right_elbow"]
    line = parts.bone_checks.in_one_line(told)
    assert line == "2 joints need a look: Left Elbow, Right Elbow"


def test_bones_out_of_order_are_told_at_the_lower_one(parts: Any, rigs: Any) -> None:
    ob = rigs.smpl()
    parts.bone_map.replace(ob.data, {"left_shoulder": "left_elbow", "left_wrist": "left_shoulder"})
    told = problems(parts, ob)
    assert told.keys() == {"left_wrist"}
    assert "'left_shoulder' is not below 'left_elbow'" in told["left_wrist"] and "Left Shoulder" in told["left_wrist"]
    assert parts.bone_checks.in_one_line(told).startswith("Left Wrist: 'left_shoulder' is not below")


def test_leaving_out_a_joint_that_a_body_needs(parts: Any, rigs: Any) -> None:
    ob = rigs.smpl()
    everything = dict.fromkeys(parts.body_joints.TITLES, "")
    parts.bone_map.replace(ob.data, everything)
    assert problems(parts, ob).keys() == REQUIRED | {"spine1"}
    parts.bone_map.replace(ob.data, {"left_wrist": "", "spine2": "", "neck": "", "left_collar": ""})
    assert problems(parts, ob) == {}


def test_what_is_found_and_taken_by_another_joint(parts: Any, rigs: Any, engine: None) -> None:
    ob = rigs.smpl()
    bpy.ops.dposer.find_bones()
    ob.data.dposer_bone_map.left_collar = "left_shoulder"
    told = problems(parts, ob)
    assert told.keys() == {"left_shoulder"} and "given to Left Collar" in told["left_shoulder"]
    ob.data.dposer_bone_map.left_collar = "right_foot"
    told = problems(parts, ob)
    assert "not below" in told["left_collar"] and "not below" in told["left_shoulder"]


@pytest.mark.parametrize("seed", range(40))
def test_what_the_table_says_is_what_the_engine_says(parts: Any, rigs: Any, engine: None, seed: int) -> None:
    """Random maps by hand: the table has a problem where, and only where, the engine refuses the map."""
    import random

    rng = random.Random(seed)
    ob = rigs.smpl()
    names = [bone.name for bone in ob.data.bones]
    wanted = {}
    for joint in rng.sample(sorted(parts.body_joints.TITLES), rng.choice((1, 1, 2, 3, 6, 22))):
        wanted[joint] = rng.choice((joint, joint, joint, rng.choice(names), "", "gone"))
    parts.bone_map.replace(ob.data, wanted)
    try:
        refused = bpy.ops.dposer.find_bones() != {"FINISHED"}
    except RuntimeError:
        refused = True
    told = problems(parts, ob)
    assert bool(told) == refused, (wanted, told, parts.found_bones.recall(ob.data.session_uid).problem)


def test_a_panel_can_ask_at_each_drawing_of_a_great_rig(parts: Any, rigs: Any, engine: None) -> None:
    """Ten milliseconds are a third of what a frame of the interface has at 30 frames per second."""
    ob = rigs.smpl()
    bpy.ops.object.mode_set(mode="EDIT")
    above = ob.data.edit_bones["left_wrist"]
    for number in range(700):
        bone = ob.data.edit_bones.new(f"chain {number}")
        bone.head, bone.tail, bone.parent = above.tail, above.tail + above.vector.normalized() * 0.01, above
        above = bone
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.dposer.find_bones()
    parts.bone_map.replace(ob.data, {"left_wrist": "chain 699", "left_elbow": "chain 698"})
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        parts.bone_map.checked(ob.data)
        times.append(time.perf_counter() - begin)
    assert sorted(times)[10] < 0.01


# The engine's word.


def test_find_bones_says_what_the_rig_is_and_changes_nothing(parts: Any, rigs: Any, engine: None) -> None:
    ob = rigs.mixamo()
    assert bpy.ops.dposer.find_bones() == {"FINISHED"}
    found = found_of(parts, ob)
    assert found.title == "Mixamo" and found.certainty == "certain" and found.reasons
    assert found.bones["left_elbow"] == ("mixamorig:LeftForeArm",) and len(found.bones) == 22
    assert by_hand(ob) == {}
    by_hand_now, search, checked = parts.bone_map.checked(ob.data)
    assert parts.bone_checks.summary(by_hand_now, search.found, checked) == "Mixamo, 22 of 22, certain"
    ob.data.dposer_bone_map.right_wrist_absent = True
    by_hand_now, search, checked = parts.bone_map.checked(ob.data)
    assert parts.bone_checks.summary(by_hand_now, search.found, checked) == "Mixamo, 21 of 22, certain, 1 by hand"


def test_what_was_found_is_forgotten_when_the_bones_change(parts: Any, rigs: Any, engine: None) -> None:
    ob = rigs.mixamo()
    bpy.ops.dposer.find_bones()
    ob.data.bones["mixamorig:Head"].name = "top"
    assert parts.bone_map.checked(ob.data)[1] is None
    ob.data.bones["top"].name = "mixamorig:Head"
    assert found_of(parts, ob).title == "Mixamo"


def test_a_rig_that_is_no_body(parts: Any, rigs: Any, engine: None) -> None:
    ob = rigs.add("Two", [("a", -1, (0, 0, 0), (0, 0, 1)), ("b", 0, (0, 0, 1), (0, 0, 2))])
    with pytest.raises(RuntimeError, match="these joints by hand"):
        bpy.ops.dposer.find_bones()
    search = parts.bone_map.checked(ob.data)[1]
    assert search.found is None and search.problem.endswith(".")
    assert problems(parts, ob).keys() >= REQUIRED


def test_cleaning_obeys_the_map(parts: Any, rigs: Any, engine: None) -> None:
    """The arm under names that mean something else, turned only where the map says that it is an arm."""
    ob = rigs.smpl(extra=False)
    rigs.animate(ob, 60, noise=5.0)
    assert bpy.ops.dposer.clean_motion(method="wiener") == {"FINISHED"}
    changed = set(_changed(rigs, ob))
    assert any("left_wrist" in path for path in changed)
    rigs.animate(ob, 60, noise=5.0)
    ob.data.dposer_bone_map.left_wrist_absent = True
    assert bpy.ops.dposer.clean_motion(method="wiener") == {"FINISHED"}
    assert not any("left_wrist" in path for path in _changed(rigs, ob))
    ob.data.dposer_bone_map.left_knee = "gone"
    with pytest.raises(RuntimeError, match="gone"):
        bpy.ops.dposer.clean_motion(method="wiener")


def _changed(rigs: Any, ob: Any) -> Iterator[str]:
    """Data paths whose values differ between the armature's action and the one it came from."""
    clean = rigs.keys(ob)
    original = next(a for a in bpy.data.actions if a.name == ob.animation_data.action.name.removesuffix("_clean"))
    slot = getattr(ob.animation_data, "action_slot", None)
    identifier, action = (slot.identifier if slot else ""), ob.animation_data.action
    ob.animation_data.action = original
    if identifier:
        ob.animation_data.action_slot = original.slots[identifier]
    noisy = rigs.keys(ob)
    ob.animation_data.action = action
    if identifier:
        ob.animation_data.action_slot = action.slots[identifier]
    return (path for (path, i), keys in clean.items() if not (keys == noisy[path, i]).all())


# By hand.


def test_pick_bone_takes_the_selected_one(rigs: Any, extension: Any) -> None:
    ob, select = rigs.smpl(), extension("compat").select
    bpy.ops.object.mode_set(mode="POSE")
    for bone in ob.pose.bones:
        select(bone, False)
    ob.data.bones.active = ob.data.bones["left_elbow"]
    for bone in ob.pose.bones:
        select(bone, bone.name == "prop")
    assert bpy.ops.dposer.pick_bone(joint="left_wrist") == {"FINISHED"}
    assert by_hand(ob) == {"left_wrist": "prop"}
    select(ob.pose.bones["head"], True)
    assert bpy.ops.dposer.pick_bone(joint="left_wrist") == {"FINISHED"}
    assert by_hand(ob) == {"left_wrist": "left_elbow"}, "of several bones it is the active one"
    ob.data.bones.active = None
    with pytest.raises(RuntimeError, match="Click a bone"):
        bpy.ops.dposer.pick_bone(joint="left_wrist")


def test_clear_one_and_all(parts: Any, rigs: Any) -> None:
    ob = rigs.smpl()
    parts.bone_map.replace(ob.data, {"left_wrist": "prop", "head": "", "neck": "neck"})
    assert bpy.ops.dposer.clear_bone(joint="left_wrist") == {"FINISHED"}
    assert by_hand(ob) == {"head": "", "neck": "neck"}
    assert bpy.ops.dposer.clear_bone(joint="left_wrist") == {"CANCELLED"}
    assert bpy.ops.dposer.clear_bone_map() == {"FINISHED"}
    assert by_hand(ob) == {}
    with pytest.raises(RuntimeError, match="mapped by hand"):
        bpy.ops.dposer.clear_bone_map()


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("upper_arm_fk.L", "upper_arm_fk.R"),
        ("thigh.L.001", "thigh.R.001"),
        ("LeftArm", "RightArm"),
        ("mixamorig:LeftForeArm", "mixamorig:RightForeArm"),
        ("Bip01 L Thigh", "Bip01 R Thigh"),
        ("CC_Base_L_Upperarm", "CC_Base_R_Upperarm"),
        ("Character1_LeftUpLeg", "Character1_RightUpLeg"),
        ("J_Bip_L_LowerLeg", "J_Bip_R_LowerLeg"),
        ("lShldrBend", "rShldrBend"),
        ("l_upperarm", "r_upperarm"),
        ("upperarm_l", "upperarm_r"),
        ("lthigh", "rthigh"),
        ("LFoot_jnt", "RFoot_jnt"),
        ("Bob:leftHand_jnt", "Bob:rightHand_jnt"),
        ("arm_left_02", "arm_right_02"),
        ("LEFT_ARM", "RIGHT_ARM"),
        ("LfArm", "RtArm"),
        ("左ひじ", "右ひじ"),
        ("spine", ""),
        ("leg", ""),
    ],
)
def test_the_bone_of_the_other_side(parts: Any, name: str, other: str) -> None:
    assert parts.mirror.counterpart(name, {name, other, "spine", "reg", "seg"} - {""}) == other
    if other:
        assert parts.mirror.counterpart(other, {name, other}) == name
    assert parts.mirror.counterpart(name, {name}) == ""


def test_mirror_copies_what_is_mapped_by_hand_on_the_left(parts: Any, rigs: Any) -> None:
    ob = rigs.mixamo()
    with pytest.raises(RuntimeError, match="left side"):
        bpy.ops.dposer.mirror_bone_map()
    left = {"left_elbow": "mixamorig:LeftForeArm", "left_foot": "", "left_hip": "mixamorig:Hips"}
    parts.bone_map.replace(ob.data, left | {"right_knee": "mixamorig:RightLeg", "head": "mixamorig:Head"})
    assert bpy.ops.dposer.mirror_bone_map() == {"FINISHED"}
    assert by_hand(ob) == left | {
        "right_elbow": "mixamorig:RightForeArm", "right_foot": "", "right_knee": "mixamorig:RightLeg",
        "head": "mixamorig:Head",
    }  # fmt: skip
    parts.bone_map.replace(ob.data, {"left_hip": "mixamorig:Hips"})
    with pytest.raises(RuntimeError, match="nothing was changed"):
        bpy.ops.dposer.mirror_bone_map()
    assert by_hand(ob) == {"left_hip": "mixamorig:Hips"}


def test_one_undo_takes_each_change_back(parts: Any, rigs: Any, tmp_path: Path) -> None:
    file = tmp_path / "map.json"
    parts.bone_map_file.write(file, "Smpl", {"head": "head", "neck": "neck"})
    ob = rigs.smpl()
    before = {"left_elbow": "left_elbow", "left_wrist": ""}
    parts.bone_map.replace(ob.data, before)
    ob.data.bones.active = ob.data.bones["prop"]
    bpy.ops.ed.undo_push(message="Before")
    for change in (
        lambda: bpy.ops.dposer.pick_bone("EXEC_DEFAULT", True, joint="left_wrist"),
        lambda: bpy.ops.dposer.clear_bone("EXEC_DEFAULT", True, joint="left_elbow"),
        lambda: bpy.ops.dposer.mirror_bone_map("EXEC_DEFAULT", True),
        lambda: bpy.ops.dposer.clear_bone_map("EXEC_DEFAULT", True),
        lambda: bpy.ops.dposer.load_bone_map("EXEC_DEFAULT", True, filepath=str(file)),
    ):
        assert change() == {"FINISHED"}
        assert by_hand(bpy.data.objects["Smpl"]) != before
        undo()
        assert by_hand(bpy.data.objects["Smpl"]) == before


# Files.


def test_a_map_goes_out_and_comes_back(parts: Any, rigs: Any, tmp_path: Path) -> None:
    ob = rigs.smpl()
    file = tmp_path / "shared map"
    with pytest.raises(RuntimeError, match="nothing to keep"):
        bpy.ops.dposer.save_bone_map(filepath=str(file))
    wanted = {"left_elbow": "prop", "right_wrist": ""}
    parts.bone_map.replace(ob.data, wanted)
    assert bpy.ops.dposer.save_bone_map(filepath=str(file)) == {"FINISHED"}
    text = (tmp_path / "shared map.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"dposer_bone_map": 1, "rig": "Smpl", "bones": wanted}
    assert len(text.splitlines()) > 5, "for people to read"
    parts.bone_map.replace(ob.data, {"head": "head"})
    assert bpy.ops.dposer.load_bone_map(filepath=str(tmp_path / "shared map.json")) == {"FINISHED"}
    assert by_hand(ob) == wanted
    assert [path.name for path in tmp_path.iterdir()] == ["shared map.json"]


def test_found_bones_can_be_written_too(parts: Any, rigs: Any, engine: None, tmp_path: Path) -> None:
    ob = rigs.mixamo()
    bpy.ops.dposer.find_bones()
    ob.data.dposer_bone_map.left_wrist_absent = True
    file = tmp_path / "all.json"
    bpy.ops.dposer.save_bone_map(filepath=str(file), include_found=True)
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["rig"] == "Mixamo" and len(written["bones"]) == 22 and written["bones"]["left_wrist"] == ""
    assert written["bones"]["left_elbow"] == "mixamorig:LeftForeArm"
    bpy.ops.dposer.load_bone_map(filepath=str(file))
    assert bpy.ops.dposer.find_bones() == {"FINISHED"} and problems(parts, ob) == {}


def _map(**changes: Any) -> str:
    return json.dumps({"dposer_bone_map": 1, "rig": "Smpl", "bones": {"left_elbow": "prop"}} | changes)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b'{"dposer_bone_map": 1, "bones": {', "no JSON"),
        (b"\xff\xfe\x00\x01", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "JSON|no bone map"),
        (b"[]", "no bone map"),
        (b'"dposer_bone_map"', "no bone map"),
        (b"{}", "no bone map"),
        (_map(dposer_bone_map=2).encode(), "another version"),
        (_map(dposer_bone_map=True).encode(), "another version"),
        (_map(dposer_bone_map="9" * 5000).encode(), "another version"),
        (_map(bones=[]).encode(), "each joint"),
        (_map(bones=None).encode(), "each joint"),
        (_map(bones={"head": 3}).encode(), "each joint"),
        (_map(bones={"head": None}).encode(), "each joint"),
        (_map(bones={}).encode(), "maps no bone"),
        (_map(bones={"left_elbow": "prop", "tail": "prop"}).encode(), "tail"),
        (_map(bones={"left_elbow": "prop", "head": "x" * 9999}).encode(), "does not have"),
        (_map(bones={"left_elbow": "prop", "head": "a\nb"}).encode(), "does not have"),
        (b'{"dposer_bone_map": 1, "bones": {"head": "head", "head": "neck"}}', "names head twice"),
        (_map(rig="x" * (1 << 20)).encode(), "1 MB"),
    ],
)
def test_bad_files_are_refused_in_a_sentence_and_change_nothing(
    parts: Any, rigs: Any, tmp_path: Path, content: bytes, said: str
) -> None:
    ob = rigs.smpl()
    before = {"head": "head", "neck": ""}
    parts.bone_map.replace(ob.data, before)
    file = tmp_path / "bad.json"
    file.write_bytes(content)
    with pytest.raises(RuntimeError, match=said) as caught:
        bpy.ops.dposer.load_bone_map(filepath=str(file))
    sentence = str(caught.value).removeprefix("Error: ").strip()
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 400
    assert by_hand(ob) == before


def test_files_that_cannot_be_read_or_written(parts: Any, rigs: Any, tmp_path: Path) -> None:
    ob = rigs.smpl()
    ob.data.dposer_bone_map.head = "head"
    for path in (tmp_path / "gone.json", tmp_path):
        with pytest.raises(RuntimeError, match="cannot be read"):
            bpy.ops.dposer.load_bone_map(filepath=str(path))
    (tmp_path / "taken.json").mkdir()
    for path in (tmp_path / "nowhere" / "map.json", tmp_path / "taken.json"):
        with pytest.raises(RuntimeError, match="cannot be written"):
            bpy.ops.dposer.save_bone_map(filepath=str(path))
    assert [path.name for path in tmp_path.iterdir()] == ["taken.json"]
    ob.data.dposer_bone_map.head = "gone"
    with pytest.raises(RuntimeError, match="gone"):
        bpy.ops.dposer.save_bone_map(filepath=str(tmp_path / "map.json"))


def test_presets_are_kept_on_this_machine(parts: Any, rigs: Any, presets_folder: Path) -> None:
    ob = rigs.smpl()
    assert parts.presets.names() == []
    parts.bone_map.replace(ob.data, {"left_elbow": "prop"})
    assert bpy.ops.dposer.save_bone_map_preset(preset="Käthe's rig_2") == {"FINISHED"}
    assert parts.presets.names() == ["Käthe's rig_2"]
    assert next(presets_folder.rglob("*.json")).is_relative_to(presets_folder)
    bpy.ops.dposer.clear_bone_map()
    assert bpy.ops.dposer.load_bone_map_preset(preset="Käthe's rig_2") == {"FINISHED"}
    assert by_hand(ob) == {"left_elbow": "prop"}
    assert bpy.ops.dposer.remove_bone_map_preset(preset="Käthe's rig_2") == {"FINISHED"}
    assert parts.presets.names() == [] and by_hand(ob) == {"left_elbow": "prop"}
    for operator in (bpy.ops.dposer.load_bone_map_preset, bpy.ops.dposer.remove_bone_map_preset):
        with pytest.raises(RuntimeError, match="no preset"):
            operator(preset="../secret")
    for name in ("", " ", "../up", "a/b", ".hidden", "x" * 61, "a\nb", "c:d"):
        with pytest.raises(RuntimeError, match="Name the preset"):
            bpy.ops.dposer.save_bone_map_preset(preset=name)
    assert not list(presets_folder.rglob("*.json"))


# Who may.


def test_linked_data_is_shown_and_not_changed(parts: Any, rigs: Any, engine: None, tmp_path: Path) -> None:
    parts.bone_map.replace(rigs.smpl().data, {"left_wrist": ""})
    library = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=library)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(library, link=True) as (_, chosen):
        chosen.objects = ["Smpl"]
    ob = bpy.data.objects["Smpl"]
    bpy.context.scene.collection.objects.link(ob)
    bpy.context.view_layer.objects.active = ob
    assert bpy.ops.dposer.find_bones() == {"FINISHED"}
    assert found_of(parts, ob).title.startswith("SMPL") and by_hand(ob) == {"left_wrist": ""}
    for change in (bpy.ops.dposer.clear_bone_map, bpy.ops.dposer.mirror_bone_map):
        with pytest.raises(RuntimeError, match="linked from another file"):
            change()
    with pytest.raises(RuntimeError, match="linked from another file"):
        bpy.ops.dposer.pick_bone(joint="head")
    assert bpy.ops.dposer.save_bone_map(filepath=str(tmp_path / "map.json")) == {"FINISHED"}
    override = ob.override_create(remap_local_usages=True)
    bpy.context.view_layer.objects.active = override
    assert "linked from another file" in parts.bone_map.refusal(override), "its data is still the library's"
    override.data = override.data.override_create(remap_local_usages=True)
    override.data.override_library.is_system_override = False
    assert parts.bone_map.refusal(override) == ""
    override.data.dposer_bone_map.head = "head"
    assert parts.bone_map.entries(override.data) == {"left_wrist": "", "head": "head"}


def test_operators_say_why_they_cannot(rigs: Any) -> None:
    names = ("find_bones", "clear_bone_map", "mirror_bone_map", "save_bone_map", "load_bone_map")
    for name in names:
        with pytest.raises(RuntimeError, match="Select an armature first"):
            getattr(bpy.ops.dposer, name)()
    ob = rigs.smpl()
    ob.data.dposer_bone_map.left_elbow = "left_elbow"
    bpy.ops.object.mode_set(mode="EDIT")
    for name in ("find_bones", "clear_bone_map", "mirror_bone_map"):
        with pytest.raises(RuntimeError, match="leave Edit Mode"):
            getattr(bpy.ops.dposer, name)()
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.data.objects.remove(ob)
    rigs.add("None", [])
    with pytest.raises(RuntimeError, match="no bones"):
        bpy.ops.dposer.find_bones()


# The VRM add-on.


class Node(bpy.types.PropertyGroup):
    bone_name: bpy.props.StringProperty()


class Bone0(bpy.types.PropertyGroup):
    bone: bpy.props.StringProperty()
    node: bpy.props.PointerProperty(type=Node)


class Humanoid0(bpy.types.PropertyGroup):
    human_bones: bpy.props.CollectionProperty(type=Bone0)


class Vrm0(bpy.types.PropertyGroup):
    humanoid: bpy.props.PointerProperty(type=Humanoid0)


class Bone1(bpy.types.PropertyGroup):
    node: bpy.props.PointerProperty(type=Node)


# SMPL joint -> human bone of VRM 1.0, as the glTF extension VRMC_vrm names them.
VRM = {
    "pelvis": "hips", "spine1": "spine", "spine2": "chest", "spine3": "upperChest", "neck": "neck", "head": "head",
    **{f"{side}_{joint}": f"{side}{bone}" for side in ("left", "right") for joint, bone in {
        "hip": "UpperLeg", "knee": "LowerLeg", "ankle": "Foot", "foot": "Toes", "collar": "Shoulder",
        "shoulder": "UpperArm", "elbow": "LowerArm", "wrist": "Hand"}.items()},
}  # fmt: skip


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


class HumanBones1(bpy.types.PropertyGroup):
    __annotations__ = {
        **{_snake(human): bpy.props.PointerProperty(type=Bone1) for human in VRM.values()},
        "initial_automatic_bone_assignment": bpy.props.BoolProperty(default=True),
    }


class Humanoid1(bpy.types.PropertyGroup):
    human_bones: bpy.props.PointerProperty(type=HumanBones1)


class Vrm1(bpy.types.PropertyGroup):
    humanoid: bpy.props.PointerProperty(type=Humanoid1)


class Extension(bpy.types.PropertyGroup):
    spec_version: bpy.props.EnumProperty(items=[("0.0", "VRM 0.0", ""), ("1.0", "VRM 1.0", "")])
    vrm0: bpy.props.PointerProperty(type=Vrm0)
    vrm1: bpy.props.PointerProperty(type=Vrm1)


VRM_CLASSES = (Node, Bone0, Humanoid0, Vrm0, Bone1, HumanBones1, Humanoid1, Vrm1, Extension)


@pytest.fixture
def vrm_addon() -> Iterator[None]:
    """The property that the VRM add-on keeps on armatures, by its published names."""
    for cls in VRM_CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Armature.vrm_addon_extension = bpy.props.PointerProperty(type=Extension)
    yield
    del bpy.types.Armature.vrm_addon_extension
    for cls in reversed(VRM_CLASSES):
        bpy.utils.unregister_class(cls)


def test_without_the_vrm_addon_there_are_no_human_bones(parts: Any, rigs: Any) -> None:
    assert parts.vrm.human_bones(rigs.smpl().data) == {}


@pytest.mark.parametrize("version", ["0.0", "1.0"])
def test_vrms_own_names_find_bones_whose_names_say_nothing(
    parts: Any, rigs: Any, engine: None, vrm_addon: None, version: str
) -> None:
    ob = rigs.smpl(extra=False)
    joints = [bone.name for bone in ob.data.bones]
    for number, bone in enumerate(list(ob.data.bones)):
        bone.name = f"b{number}"
    bones = {joint: f"b{number}" for number, joint in enumerate(joints)}
    extension = ob.data.vrm_addon_extension
    extension.spec_version = version
    assert parts.vrm.human_bones(ob.data) == {}
    bpy.ops.dposer.find_bones()
    assert found_of(parts, ob).certainty == "a guess"
    for joint, human in VRM.items():
        if version == "0.0":
            entry = extension.vrm0.humanoid.human_bones.add()
            entry.bone = human
            node = entry.node
        else:
            node = getattr(extension.vrm1.humanoid.human_bones, _snake(human)).node
        node.bone_name = bones[joint]
    # What the other version says is not what counts; a bone that is gone is passed over.
    extension.vrm1.humanoid.human_bones.left_hand.node.bone_name = bones["left_wrist"]
    assert parts.vrm.human_bones(ob.data) == {human: bones[joint] for joint, human in VRM.items()}
    bpy.ops.dposer.find_bones()
    found = found_of(parts, ob)
    assert found.title == "VRM humanoid" and found.certainty == "certain"
    assert {joint: turned[0] for joint, turned in found.bones.items()} == bones
    ob.data.bones[bones["left_wrist"]].name = "gone"
    assert "leftHand" not in parts.vrm.human_bones(ob.data)


def test_cleaning_takes_vrms_own_names(parts: Any, rigs: Any, engine: None, vrm_addon: None) -> None:
    """A rig that neither names nor structure tell: its bones are numbered and it has no toes to show where it looks."""
    ob = rigs.smpl(extra=False)
    bpy.ops.object.mode_set(mode="EDIT")
    for side in ("left", "right"):
        ob.data.edit_bones.remove(ob.data.edit_bones[f"{side}_foot"])
        ankle = ob.data.edit_bones[f"{side}_ankle"]
        ankle.tail = (ankle.head.x, ankle.head.y, 0.0)
    bpy.ops.object.mode_set(mode="OBJECT")
    rigs.animate(ob, 60, noise=5.0)
    human_bones = ob.data.vrm_addon_extension.vrm0.humanoid.human_bones
    for number, bone in enumerate(list(ob.data.bones)):
        entry = human_bones.add()
        entry.bone = VRM[bone.name]
        bone.name = f"b{number}"
    for number, entry in enumerate(human_bones):
        entry.node.bone_name = f"b{number}" if number else "gone"
    with pytest.raises(RuntimeError, match=r"bone names follow no known convention|missing"):
        bpy.ops.dposer.clean_motion(method="wiener")
    human_bones[0].node.bone_name = "b0"
    assert bpy.ops.dposer.clean_motion(method="wiener") == {"FINISHED"}


@pytest.mark.parametrize("attributes", [{}, {"vrm0": 3}, {"vrm0": None, "vrm1": SimpleNamespace(humanoid=None)}])
def test_a_property_of_another_shape_is_passed_over(parts: Any, attributes: dict[str, Any]) -> None:
    """Another add-on's property may be anything; only its Python side is read, so plain objects stand for it."""
    extension = SimpleNamespace(spec_version=1, **attributes)
    assert parts.vrm.human_bones(SimpleNamespace(bones={}, vrm_addon_extension=extension)) == {}


