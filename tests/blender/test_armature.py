# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading and writing keys, against Blender's own evaluation of the rig before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from rigcheck.clips import everywhere, nowhere, read, turned  # noqa: E402
from rigcheck.extension import part  # noqa: E402


def matrices(quaternions: np.ndarray) -> np.ndarray:
    from mathutils import Quaternion

    flat = [np.array(Quaternion(q).to_matrix()) for q in quaternions.reshape(-1, 4)]
    return np.array(flat).reshape(*quaternions.shape[:-1], 3, 3)


def forward(clip: Any, rotations: np.ndarray) -> np.ndarray:
    """Blender's rule, global = parent @ inv(rest of parent) @ rest @ basis, written out as in its manual."""
    basis = np.broadcast_to(np.eye(4), (*rotations.shape[:2], 4, 4)).copy()
    basis[..., :3, :3], basis[..., :3, 3] = matrices(rotations), clip.translations
    poses = np.empty_like(basis)
    for j, parent in enumerate(clip.parents):
        above = (
            clip.rest[j] if parent < 0 else poses[:, parent] @ np.linalg.inv(clip.rest[parent]) @ clip.rest[j]
        )
        poses[:, j] = above @ basis[:, j]
    return poses


def test_curves_of_every_rotation_mode_give_blenders_pose(armature: Any, rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, modes=rigs.MODES)
    clip = read(ob)
    assert clip.poses is None
    np.testing.assert_allclose(forward(clip, clip.rotations), rigs.poses(ob, clip.frames), atol=2e-6)


def test_new_rotations_of_every_mode_show_in_blenders_pose(armature: Any, rigs: Any, writing: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, modes=rigs.MODES)
    clip = read(ob)
    wanted = turned(clip)
    written = writing.write(clip, wanted, clip.translations, everywhere(clip), nowhere(clip))
    assert written.action == "walk_clean" and len(written.names) == len(clip.names)
    np.testing.assert_allclose(rigs.poses(ob, clip.frames), forward(clip, wanted), atol=1e-5)


def test_the_original_stays_bit_equal_under_a_fake_user(armature: Any, rigs: Any, compat: Any, writing: Any) -> None:
    ob = rigs.smpl()
    action = rigs.animate(ob)
    slot = compat.slot_identifier(ob.animation_data)
    before = rigs.keys(ob)
    clip = read(ob)
    writing.write(clip, turned(clip), clip.translations, everywhere(clip), nowhere(clip))
    assert ob.animation_data.action != action and action.use_fake_user
    assert compat.slot_identifier(ob.animation_data) == slot
    compat.assign(ob.animation_data, action, slot)
    after = rigs.keys(ob)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[path], after[path]) for path in before)


def test_bones_and_frames_that_do_not_change_keep_their_keys(armature: Any, rigs: Any, writing: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob)
    before = rigs.keys(ob)
    clip = read(ob)
    changed = nowhere(clip)
    arm = clip.names.index("left_elbow")
    changed[10:20, arm] = True
    writing.write(clip, turned(clip), clip.translations, changed, nowhere(clip))
    after = rigs.keys(ob)
    assert before.keys() == after.keys()
    for (path, index), keys in before.items():
        same = np.ones(len(keys), bool)
        if "left_elbow" in path:
            same[10:20] = False
        assert np.array_equal(after[path, index][same], keys[same])
        assert np.array_equal(after[path, index][:, 0], keys[:, 0])


def test_a_translation_moves_the_root_alone(armature: Any, rigs: Any, writing: Any) -> None:
    ob = rigs.mixamo()
    rigs.animate(ob)
    clip = read(ob)
    assert clip.scale == pytest.approx(0.01)
    moved, changed = clip.translations.copy(), nowhere(clip)
    moved[:, 0] += 5.0
    changed[:, 0] = True
    before = rigs.poses(ob, clip.frames)
    writing.write(clip, clip.rotations, moved, nowhere(clip), changed)
    after = rigs.poses(ob, clip.frames)
    shift = before[:, 0, :3, :3] @ np.zeros(3) + (clip.rest[0, :3, :3] @ np.full(3, 5.0))
    np.testing.assert_allclose(
        after[..., :3, 3] - before[..., :3, 3], np.broadcast_to(shift[:, None], (48, 22, 3)), atol=1e-3
    )


def test_sparse_keys_change_where_they_should_only(armature: Any, rigs: Any, compat: Any, writing: Any) -> None:
    ob = rigs.smpl(extra=False)
    bone = ob.pose.bones["left_elbow"]
    bone.rotation_mode = "XYZ"
    for frame, value in ((1, 0.0), (20, 1.0), (40, -0.5), (60, 0.4), (80, 0.0)):
        bone.rotation_euler = (value, 0.3 * value, 0.0)
        bone.keyframe_insert("rotation_euler", frame=frame)
    fine = np.arange(1, 80.01, 0.25)
    before = {c.array_index: [c.evaluate(f) for f in fine] for c in compat.curves(ob.animation_data)}
    clip = read(ob, 1, 80)
    changed = nowhere(clip)
    j = clip.names.index("left_elbow")
    changed[44:50, j] = True  # frames 45 to 50, between the keys on 40 and 60
    wanted = np.where(changed[..., None], turned(clip), clip.rotations)
    writing.write(clip, wanted, clip.translations, changed, nowhere(clip))
    curves = {c.array_index: c for c in compat.curves(ob.animation_data)}
    outside = (fine <= 40) | (fine >= 60)
    whole = (fine == np.round(fine)) & ~((fine >= 45) & (fine <= 50))
    for i in range(2):
        after = np.array([curves[i].evaluate(f) for f in fine])
        np.testing.assert_allclose(after[outside], np.array(before[i])[outside], atol=1e-6)
        np.testing.assert_allclose(after[whole], np.array(before[i])[whole], atol=1e-6)
        kinds = {k.co[0]: k.type for k in curves[i].keyframe_points}
        assert {f for f, kind in kinds.items() if kind == "KEYFRAME"} == {1, 20, 40, 60, 80}
        assert {f for f, kind in kinds.items() if kind == "GENERATED"} == set(range(41, 60))
    shown = rigs.poses(ob, range(45, 51))[:, j, :3, :3]
    np.testing.assert_allclose(shown, forward(clip, wanted)[44:50, j, :3, :3], atol=1e-5)


def test_sparse_keys_become_a_key_on_every_changed_frame(armature: Any, rigs: Any, writing: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob)
    curves = {c.data_path: c for c in part_curves(ob) if "head" in c.data_path}
    for c in part_curves(ob):
        if "head" in c.data_path:
            for key in list(c.keyframe_points)[-2:0:-1]:
                if key.co[0] % 10:
                    c.keyframe_points.remove(key, fast=True)
            c.update()
    assert curves
    clip = read(ob)
    wanted = turned(clip)
    writing.write(clip, wanted, clip.translations, everywhere(clip), nowhere(clip))
    counts = {len(keys) for (path, _), keys in rigs.keys(ob).items() if "head" in path}
    assert counts == {48}
    np.testing.assert_allclose(rigs.poses(ob, clip.frames), forward(clip, wanted), atol=1e-5)


def part_curves(ob: Any) -> list[Any]:
    return list(part("compat").curves(ob.animation_data))


def test_keys_between_frames_do_not_bring_the_noise_back(armature: Any, rigs: Any, writing: Any) -> None:
    ob = rigs.smpl(extra=False)
    bone = ob.pose.bones["head"]
    bone.rotation_mode = "XYZ"
    for step in range(200):
        bone.rotation_euler = (0.1 * (-1) ** step, 0, 0)
        bone.keyframe_insert("rotation_euler", frame=1 + step / 5)
    clip = read(ob, *armature.action_range(ob))
    assert (clip.frames[0], clip.frames[-1]) == (1, 40)
    still = np.zeros_like(clip.rotations)
    still[..., 0] = 1
    writing.write(clip, still, clip.translations, everywhere(clip), nowhere(clip))
    curve = next(c for c in part_curves(ob) if c.array_index == 0 and "head" in c.data_path)
    assert max(abs(curve.evaluate(f)) for f in np.arange(1, 40, 0.1)) < 1e-6


def test_a_bone_without_keys_gets_them_where_it_changes(armature: Any, rigs: Any, compat: Any, writing: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob)
    for curve in list(part_curves(ob)):
        if "head" in curve.data_path:
            compat.remove_curve(ob.animation_data, curve)
    ob.pose.bones["head"].rotation_quaternion = (1, 0, 0, 0)
    clip = read(ob)
    changed, j = nowhere(clip), clip.names.index("head")
    changed[10:15, j] = True
    before, wanted = rigs.poses(ob, clip.frames), np.where(changed[..., None], turned(clip), clip.rotations)
    writing.write(clip, wanted, clip.translations, changed, nowhere(clip))
    after = rigs.poses(ob, clip.frames)
    same = np.ones(48, bool)
    same[10:15] = False
    np.testing.assert_allclose(after[same], before[same], atol=1e-6)
    np.testing.assert_allclose(after[10:15, j, :3, :3], forward(clip, wanted)[10:15, j, :3, :3], atol=1e-5)
    new = [c for c in part_curves(ob) if "head" in c.data_path]
    assert len(new) == 4 and {c.group.name for c in new} == {"head"}


def test_locked_and_modified_curves_are_left(armature: Any, rigs: Any, writing: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob)
    for curve in part_curves(ob):
        if "left_knee" in curve.data_path:
            curve.lock = True
        if '"neck"' in curve.data_path and curve.array_index == 1:
            curve.modifiers.new("NOISE")
        if "right_knee" in curve.data_path:
            curve.mute = True
    clip = read(ob)
    np.testing.assert_allclose(forward(clip, clip.rotations), rigs.poses(ob, clip.frames), atol=2e-6)
    locked = {n for n, lock in zip(clip.names, clip.rotations_locked, strict=True) if lock}
    assert locked == {"left_knee", "neck", "right_knee"}
    before = rigs.keys(ob)
    writing.write(clip, turned(clip), clip.translations, everywhere(clip), nowhere(clip))
    after = rigs.keys(ob)
    for path, keys in before.items():
        left = any(f'"{name}"' in path[0] for name in locked) or path[0].endswith("location")
        assert np.array_equal(after[path], keys) == left


def test_a_constrained_rig_is_read_as_it_is_seen(armature: Any, rigs: Any, writing: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob)
    target = bpy.data.objects.new("Target", None)
    bpy.context.scene.collection.objects.link(target)
    target.location = (0.3, -0.4, 1.2)
    ik = ob.pose.bones["left_wrist"].constraints.new("IK")
    ik.target, ik.chain_count = target, 3
    bpy.context.scene.frame_set(7)
    clip = read(ob)
    assert bpy.context.scene.frame_current == 7
    before = rigs.poses(ob, clip.frames)
    np.testing.assert_allclose(forward(clip, clip.rotations), before, atol=5e-6)
    arm = {"left_wrist", "left_elbow", "left_shoulder"}
    assert {n for n, lock in zip(clip.names, clip.rotations_locked, strict=True) if lock} == arm
    assert clip.locked_by == {"follow constraints": 3}
    keys, wanted = rigs.keys(ob), turned(clip)
    writing.write(clip, wanted, clip.translations, everywhere(clip), nowhere(clip))
    for path, points in rigs.keys(ob).items():
        if any(f'"{name}"' in path[0] for name in arm):
            assert np.array_equal(points, keys[path])
    free = [j for j, name in enumerate(clip.names) if name not in arm and name != "prop"]
    np.testing.assert_allclose(
        rigs.poses(ob, clip.frames)[:, free], forward(clip, wanted)[:, free], atol=1e-5
    )


@pytest.mark.parametrize("flag", ["rotation", "scale", "location"])
def test_unusual_inheritance(armature: Any, rigs: Any, flag: str, writing: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, modes=rigs.MODES)
    for name in ("left_shoulder", "neck", "spine1"):
        bone = ob.data.bones[name]
        if flag == "rotation":
            bone.use_inherit_rotation = False
        elif flag == "scale":
            bone.inherit_scale = "NONE"
        else:
            bone.use_local_location = False
    clip = read(ob)
    assert clip.poses is not None
    np.testing.assert_allclose(forward(clip, clip.rotations), rigs.poses(ob, clip.frames), atol=5e-6)
    wanted = turned(clip)
    writing.write(clip, wanted, clip.translations, everywhere(clip), nowhere(clip))
    np.testing.assert_allclose(rigs.poses(ob, clip.frames), forward(clip, wanted), atol=2e-5)


def test_driven_bones_are_left(armature: Any, rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, modes=("XYZ",))
    ob.pose.bones["head"].driver_add("rotation_euler", 0).driver.expression = "0.01 * frame"
    bpy.context.view_layer.update()
    clip = read(ob)
    assert clip.locked_by == {"follow drivers": 1}
    np.testing.assert_allclose(forward(clip, clip.rotations), rigs.poses(ob, clip.frames), atol=5e-6)


def test_nla_strips_below_the_action_are_seen(armature: Any, rigs: Any, writing: Any) -> None:
    ob = rigs.smpl()
    below = rigs.animate(ob, seed=1)
    ob.animation_data.nla_tracks.new().strips.new("below", 1, below)
    ob.animation_data.action = None
    ob.pose.bones["head"].rotation_quaternion = (0.9, 0.1, 0.3, 0.0)
    ob.pose.bones["head"].keyframe_insert("rotation_quaternion", frame=1)
    clip = read(ob)
    before = rigs.poses(ob, clip.frames)
    np.testing.assert_allclose(forward(clip, clip.rotations), before, atol=5e-6)
    wanted = turned(clip)
    writing.write(clip, wanted, clip.translations, everywhere(clip), nowhere(clip))
    np.testing.assert_allclose(rigs.poses(ob, clip.frames), forward(clip, wanted), atol=1e-5)
    ob.animation_data.action_blend_type = "ADD"
    mixed = read(ob)
    np.testing.assert_allclose(forward(mixed, mixed.rotations), rigs.poses(ob, mixed.frames), atol=5e-6)
    with pytest.raises(armature.ArmatureError, match="Replace"):
        writing.write(mixed, turned(mixed), mixed.translations, everywhere(mixed), nowhere(mixed))


def test_names_that_need_escaping(armature: Any, rigs: Any, writing: Any) -> None:
    ob = rigs.add(
        "Odd", [('a "quoted" \\ bone', -1, (0, 0, 0), (0, 0, 1)), ("b[0]", 0, (0, 0, 1), (0, 0, 2))]
    )
    rigs.animate(ob, 10)
    clip = read(ob, 1, 10)
    wanted = turned(clip)
    writing.write(clip, wanted, clip.translations, everywhere(clip), nowhere(clip))
    np.testing.assert_allclose(rigs.poses(ob, clip.frames), forward(clip, wanted), atol=1e-5)


def test_a_connected_bone_has_no_location(armature: Any, rigs: Any) -> None:
    ob = rigs.add("Two", [("a", -1, (0, 0, 0), (0, 0, 1)), ("b", 0, (0, 0, 1), (0, 1, 2))])
    bpy.ops.object.mode_set(mode="EDIT")
    ob.data.edit_bones["b"].use_connect = True
    bpy.ops.object.mode_set(mode="OBJECT")
    rigs.animate(ob, 5)
    ob.pose.bones["b"].location = (1, 2, 3)
    clip = read(ob, 1, 5)
    assert not clip.translations[:, 1].any() and clip.translations_locked[1]
    np.testing.assert_allclose(forward(clip, clip.rotations), rigs.poses(ob, clip.frames), atol=2e-6)


def test_an_action_shared_through_slots(armature: Any, rigs: Any, compat: Any, writing: Any) -> None:
    if not compat.HAS_SLOTS:
        pytest.skip("slots came with Blender 4.4")
    first, second = rigs.smpl(), rigs.mixamo()
    action = rigs.animate(first)
    second.animation_data_create().action = action
    second.animation_data.action_slot = action.slots.new(id_type="OBJECT", name="Second")
    rigs.animate(second, seed=5)
    assert second.animation_data.action == action and len(action.slots) == 2
    before, poses = rigs.keys(first), rigs.poses(first, range(1, 49))
    clip = read(second)
    wanted = turned(clip)
    writing.write(clip, wanted, clip.translations, everywhere(clip), nowhere(clip))
    assert second.animation_data.action_slot.identifier == "OBSecond"
    np.testing.assert_allclose(rigs.poses(second, clip.frames), forward(clip, wanted), atol=1e-3)
    after = rigs.keys(first)
    assert first.animation_data.action == action
    assert all(np.array_equal(before[path], after[path]) for path in before)
    assert np.array_equal(rigs.poses(first, range(1, 49)), poses)


def test_a_slot_must_be_chosen(armature: Any, rigs: Any, compat: Any) -> None:
    if not compat.HAS_SLOTS:
        pytest.skip("slots came with Blender 4.4")
    ob = rigs.smpl()
    rigs.animate(ob)
    ob.animation_data.action_slot = None
    assert "slot" in armature.refusal(ob)


def test_edits_made_meanwhile_are_not_overwritten(armature: Any, rigs: Any, writing: Any) -> None:
    ob = rigs.smpl()
    action = rigs.animate(ob)
    clip = read(ob)
    part_curves(ob)[5].keyframe_points[3].co[1] += 0.1
    actions = len(bpy.data.actions)
    with pytest.raises(armature.ArmatureError, match="edited"):
        writing.write(clip, turned(clip), clip.translations, everywhere(clip), nowhere(clip))
    assert ob.animation_data.action == action and len(bpy.data.actions) == actions


def test_an_armature_removed_meanwhile(armature: Any, rigs: Any, writing: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob)
    clip = read(ob)
    bpy.data.objects.remove(ob)
    with pytest.raises(armature.ArmatureError, match="removed"):
        writing.write(clip, turned(clip), clip.translations, everywhere(clip), nowhere(clip))


def test_an_action_exchanged_meanwhile(armature: Any, rigs: Any, writing: Any) -> None:
    ob = rigs.smpl()
    action = rigs.animate(ob)
    clip = read(ob)
    ob.animation_data.action = action.copy()
    with pytest.raises(armature.ArmatureError, match="another action"):
        writing.write(clip, turned(clip), clip.translations, everywhere(clip), nowhere(clip))


def test_a_failure_while_writing_leaves_nothing(
    armature: Any, rigs: Any, monkeypatch: pytest.MonkeyPatch, writing: Any
) -> None:
    ob = rigs.smpl()
    action = rigs.animate(ob)
    clip = read(ob)

    def fail(*_: Any) -> int:
        raise MemoryError

    monkeypatch.setattr(writing.curves, "rewrite", fail)
    with pytest.raises(MemoryError):
        writing.write(clip, turned(clip), clip.translations, everywhere(clip), nowhere(clip))
    assert ob.animation_data.action == action and len(bpy.data.actions) == 1
    assert len(rigs.keys(ob)) == 23 * 4 + 3


def test_nothing_changed_writes_nothing(armature: Any, rigs: Any, writing: Any) -> None:
    ob = rigs.smpl()
    action = rigs.animate(ob)
    clip = read(ob)
    assert writing.write(clip, clip.rotations, clip.translations, nowhere(clip), nowhere(clip)) is None
    assert ob.animation_data.action == action and len(bpy.data.actions) == 1


def test_what_cannot_be_worked_on_says_why(armature: Any, rigs: Any) -> None:
    assert "Select" in armature.refusal(None)
    assert "Select" in armature.refusal(bpy.data.objects.new("Mesh", bpy.data.meshes.new("Mesh")))
    ob = rigs.smpl()
    assert "no action" in armature.refusal(ob)
    rigs.animate(ob)
    assert armature.refusal(ob) == ""
    target = ob.pose.bones["head"].constraints.new("COPY_ROTATION")
    target.target = bpy.data.objects.new("Empty", None)
    ob.data.pose_position = "REST"
    with pytest.raises(armature.ArmatureError, match="rest position"):
        armature.read(ob, bpy.context.scene, 1, 2)


def test_a_linked_armature_is_refused_and_an_override_is_not(
    armature: Any, rigs: Any, tmp_path: Path, writing: Any
) -> None:
    ob = rigs.smpl()
    rigs.animate(ob)
    library = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=library, compress=False)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(library, link=True) as (source, wanted):
        wanted.objects = source.objects
    linked = bpy.data.objects["Smpl"]
    bpy.context.scene.collection.objects.link(linked)
    assert armature.refusal(linked) == "" and "linked" in armature.refusal_to_write(linked)
    clip = read(linked)
    np.testing.assert_allclose(forward(clip, clip.rotations), rigs.poses(linked, clip.frames), atol=2e-6)
    with pytest.raises(armature.ArmatureError, match="linked"):
        writing.write(clip, turned(clip), clip.translations, everywhere(clip), nowhere(clip))
    override = linked.override_create()
    override.override_library.is_system_override = False
    bpy.context.scene.collection.objects.link(override)
    assert armature.refusal(override) == armature.refusal_to_write(override) == ""
    clip = read(override)
    wanted = turned(clip)
    writing.write(clip, wanted, clip.translations, everywhere(clip), nowhere(clip))
    assert override.animation_data.action.library is None
    np.testing.assert_allclose(rigs.poses(override, clip.frames), forward(clip, wanted), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("walk", "walk_clean"),
        ("walk_clean", "walk_clean"),
        ("walk_clean.001", "walk_clean"),
        ("walk_cleanup", "walk_cleanup_clean"),
    ],
)
def test_names_of_clean_actions(armature: Any, name: str, expected: str, writing: Any) -> None:
    assert writing._named(name, "_clean") == expected


def test_a_long_name_keeps_its_ending(armature: Any, rigs: Any, writing: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 3).name = "ä" * 200
    clip = read(ob, 1, 3)
    assert writing.write(
        clip, turned(clip), clip.translations, everywhere(clip), nowhere(clip)
    ).action.endswith("ä_clean")
