# SPDX-License-Identifier: GPL-3.0-or-later
"""Where results go (new action, over the old one, NLA layer), and roots that the object carries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from rigcheck.clips import everywhere, nowhere, read, turned  # noqa: E402
from rigcheck.extension import part  # noqa: E402


def write(writing: Any, clip: Any, target: str, rotations: np.ndarray | None = None) -> Any:
    rotations = turned(clip) if rotations is None else rotations
    return writing.write(
        clip, rotations, clip.translations, everywhere(clip), nowhere(clip), target=target
    )


def shown_by_a_new_action(armature: Any, writing: Any, ob: Any, compat: Any) -> np.ndarray:
    """Poses of the ordinary way to write, whose tests are in test_armature."""
    clip = read(ob)
    action, slot = ob.animation_data.action, clip.slot
    write(writing, clip, "NEW")
    poses, result = pose_of(ob, clip.frames), ob.animation_data.action
    compat.assign(ob.animation_data, action, slot)
    bpy.data.actions.remove(result)
    return poses


def pose_of(ob: Any, frames: Any) -> np.ndarray:
    found = []
    for frame in frames:
        bpy.context.scene.frame_set(int(frame))
        posed = ob.evaluated_get(bpy.context.evaluated_depsgraph_get())
        found.append([np.array(posed.matrix_world @ bone.matrix) for bone in posed.pose.bones])
    return np.array(found)


def angles(matrices: np.ndarray) -> np.ndarray:
    """Degrees by which matrices (T, 4, 4) turn."""
    return np.degrees(np.arccos((np.trace(matrices[:, :3, :3], axis1=1, axis2=2) - 1) / 2))


def test_overwriting_changes_the_action_itself(armature: Any, writing: Any, rigs: Any, compat: Any) -> None:
    ob = rigs.smpl()
    action = rigs.animate(ob)
    wanted = shown_by_a_new_action(armature, writing, ob, compat)
    written = write(writing, read(ob), "OVERWRITE")
    assert written.action == action.name and ob.animation_data.action == action
    assert len(bpy.data.actions) == 1
    np.testing.assert_array_equal(pose_of(ob, range(1, 49)), wanted)


def test_a_failure_while_overwriting_leaves_every_key(
    armature: Any, writing: Any, rigs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ob = rigs.smpl()
    action = rigs.animate(ob)
    for curve in list(rig_curves(ob)):
        if '"head"' in curve.data_path:
            part("compat").remove_curve(ob.animation_data, curve)
    before, handles = rigs.keys(ob), all_handles(ob)
    clip = read(ob)
    rewrite, calls = writing.curves.rewrite, []

    def fail_late(*arguments: Any) -> int:
        calls.append(1)
        if len(calls) == 60:
            raise MemoryError
        return rewrite(*arguments)

    monkeypatch.setattr(writing.curves, "rewrite", fail_late)
    with pytest.raises(MemoryError):
        write(writing, clip, "OVERWRITE")
    after = rigs.keys(ob)
    assert ob.animation_data.action == action and before.keys() == after.keys()
    assert all(np.array_equal(before[path], after[path]) for path in before)
    assert all(np.array_equal(a, b) for a, b in zip(handles, all_handles(ob), strict=True))


def rig_curves(ob: Any) -> list[Any]:
    return list(part("compat").curves(ob.animation_data))


def all_handles(ob: Any) -> list[np.ndarray]:
    return [np.array([(*k.handle_left, *k.handle_right) for k in c.keyframe_points]) for c in rig_curves(ob)]


def test_taking_back_leaves_an_action_whose_curves_are_in_no_groups(
    armature: Any, writing: Any, rigs: Any, compat: Any
) -> None:
    ob = rigs.smpl()
    action = rigs.animate(ob)
    holder = action.layers[0].strips[0].channelbags[0] if compat.HAS_SLOTS else action
    for group in list(holder.groups):
        holder.groups.remove(group)
    for curve in list(compat.curves(ob.animation_data)):
        if '"left_elbow"' in curve.data_path or curve.data_path.endswith("location"):
            compat.remove_curve(ob.animation_data, curve)  # written, these come first: Blender sorts by groups
    before, clip = rigs.keys(ob), read(ob)
    change = writing.Change(turned(clip), clip.translations, everywhere(clip), nowhere(clip))
    work = writing.Writing(clip, change, writing.Settings())
    assert work.advance(bpy.context, 60.0)
    work.take_back()
    assert ob.animation_data.action == action
    after = rigs.keys(ob)
    assert after.keys() == before.keys()
    assert all((after[key] == before[key]).all() for key in before)


def test_taking_back_follows_bones_renamed_meanwhile(
    armature: Any, writing: Any, rigs: Any, compat: Any
) -> None:
    ob = rigs.smpl()
    rigs.animate(ob)
    before, clip = rigs.keys(ob), read(ob)
    change = writing.Change(turned(clip), clip.translations, everywhere(clip), nowhere(clip))
    work = writing.Writing(clip, change, writing.Settings())
    assert work.advance(bpy.context, 60.0)
    ob.data.bones["head"].name = 'the "skull"'
    work.take_back()
    new = 'pose.bones["the \\"skull\\""]'
    wanted = {(path.replace('pose.bones["head"]', new), index): keys for (path, index), keys in before.items()}
    after = rigs.keys(ob)
    assert after.keys() == wanted.keys()
    assert all((after[key] == wanted[key]).all() for key in wanted)


def test_an_nla_layer_above_the_original(armature: Any, writing: Any, rigs: Any, compat: Any) -> None:
    ob = rigs.smpl()
    action = rigs.animate(ob)
    original, wanted = pose_of(ob, range(1, 49)), shown_by_a_new_action(armature, writing, ob, compat)
    clip = read(ob)
    changed = everywhere(clip)
    changed[:, clip.names.index("left_hip")] = False
    writing.write(clip, turned(clip), clip.translations, changed, nowhere(clip), target="NLA")
    animation = ob.animation_data
    assert animation.action is None and len(animation.nla_tracks) == 2
    below, above = (track.strips[0] for track in animation.nla_tracks)
    assert below.action == action and above.action.name == "walk_clean"
    paths = {curve.data_path for curve in _curves_of(above, compat)}
    assert len(paths) == 22 and not any("left_hip" in path or path.endswith("location") for path in paths)
    leg = {b.name for b in ob.pose.bones["left_hip"].children_recursive} | {"left_hip"}
    others = [n for n, b in enumerate(ob.pose.bones) if b.name not in leg]
    np.testing.assert_allclose(pose_of(ob, range(1, 49))[:, others], wanted[:, others], atol=1e-6)
    animation.nla_tracks[1].mute = True
    np.testing.assert_allclose(pose_of(ob, range(1, 49)), original, atol=1e-6)


def _curves_of(strip: Any, compat: Any) -> Any:
    if not compat.HAS_SLOTS:
        return strip.action.fcurves
    from bpy_extras.anim_utils import action_get_channelbag_for_slot

    return action_get_channelbag_for_slot(strip.action, strip.action_slot).fcurves


def test_strips_alone_are_cleaned_to_an_action_on_top(armature: Any, writing: Any, rigs: Any) -> None:
    ob = rigs.smpl()
    walk = rigs.animate(ob)
    ob.animation_data.nla_tracks.new().strips.new("walk", 1, walk)
    ob.animation_data.action = None
    assert armature.refusal(ob) == "" and armature.action_range(ob) == (1, 48)
    clip = read(ob)
    before = pose_of(ob, clip.frames)
    np.testing.assert_allclose(clip.poses, before, atol=1e-6)
    changed = nowhere(clip)
    changed[:, clip.names.index("left_elbow")] = True
    writing.write(clip, turned(clip), clip.translations, changed, nowhere(clip))
    action = ob.animation_data.action
    assert action is not None and action.name == "Smpl_clean" and len(rig_curves(ob)) == 4
    after = pose_of(ob, clip.frames)
    names = [b.name for b in ob.pose.bones]
    arm = [names.index(name) for name in ("left_elbow", "left_wrist", "prop")]
    others = [n for n in range(len(names)) if n not in arm]
    np.testing.assert_allclose(after[:, others], before[:, others], atol=1e-6)
    turn = np.linalg.inv(before[:, arm[0]]) @ after[:, arm[0]]
    np.testing.assert_allclose(angles(turn), 20, atol=0.01)


def test_tweaking_a_strip_cleans_its_action(armature: Any, writing: Any, rigs: Any, compat: Any) -> None:
    ob = rigs.smpl()
    action = rigs.animate(ob)
    wanted = shown_by_a_new_action(armature, writing, ob, compat)
    animation = ob.animation_data
    track = animation.nla_tracks.new()
    strip = track.strips.new("walk", 101, action)
    if compat.HAS_SLOTS:
        strip.action_slot = action.slots[0]
    strip.blend_type = "REPLACE"
    animation.action = None
    animation.nla_tracks.active = track
    strip.select = True
    animation.use_tweak_mode = True
    assert animation.use_tweak_mode and animation.action == action
    clip = read(ob, *armature.action_range(ob))
    assert (clip.frames[0], clip.scene_frames[0]) == (1, 101)
    np.testing.assert_allclose(clip.poses, pose_of(ob, range(101, 149)), atol=1e-6)
    write(writing, clip, "NEW")
    assert animation.use_tweak_mode and animation.action.name == "walk_clean"
    np.testing.assert_allclose(pose_of(ob, range(101, 149)), wanted, atol=1e-5)
    animation.use_tweak_mode = False
    assert strip.action.name == "walk_clean"
    np.testing.assert_allclose(pose_of(ob, range(101, 149)), wanted, atol=1e-5)
    animation.use_tweak_mode = True
    with pytest.raises(armature.ArmatureError, match="tweak mode"):
        write(writing, read(ob), "NLA")


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "AXIS_ANGLE"])
@pytest.mark.parametrize("constrained", [False, True])
def test_a_root_that_the_object_carries(
    armature: Any, writing: Any, rigs: Any, mode: str, constrained: bool
) -> None:
    """Bones that stand up along Y, as FBX files give them, under an object that is turned, scaled and walks."""
    from mathutils import Euler, Matrix

    ob = rigs.mixamo()
    rigs.animate(ob)
    lying = Matrix.Rotation(np.radians(-90), 4, "X")
    ob.data.transform(lying)
    ob.data.update_tag()
    ob.rotation_mode = mode
    for curve in list(rig_curves(ob)):
        if curve.data_path.endswith("location"):
            part("compat").remove_curve(ob.animation_data, curve)
    for frame in range(1, 49):
        turn = Euler((np.radians(90), 0, 0.05 * frame)).to_quaternion()
        if mode == "QUATERNION":
            ob.rotation_quaternion = turn
            ob.keyframe_insert("rotation_quaternion", frame=frame)
        elif mode == "AXIS_ANGLE":
            axis, angle = turn.to_axis_angle()
            ob.rotation_axis_angle = (angle, *axis)
            ob.keyframe_insert("rotation_axis_angle", frame=frame)
        else:
            ob.rotation_euler = turn.to_euler("XYZ")
            ob.keyframe_insert("rotation_euler", frame=frame)
        ob.location = (0.1, -0.03 * frame, 0.02)
        ob.keyframe_insert("location", frame=frame)
    if constrained:
        limit = ob.pose.bones["mixamorig:Head"].constraints.new("LIMIT_SCALE")
        limit.influence = 0.5
    clip = read(ob)
    assert clip.names[0] == clip.object_name == "Mixamo (object)" and (clip.poses is not None) == constrained
    before = pose_of(ob, clip.frames)
    head = [b.name for b in ob.pose.bones].index("mixamorig:Head")
    np.testing.assert_allclose(path_of(clip, "mixamorig:Head"), before[:, head, :3, 3] @ AXES, atol=1e-5)
    changed = nowhere(clip)
    changed[:, 0] = True
    places = clip.translations.copy()
    places[:, 0] += np.array([0.5, 0.0, 0.0]) / 0.01  # half a metre, in centimetres
    writing.write(clip, turned(clip), places, changed, changed)
    after = pose_of(ob, clip.frames)
    relative = np.linalg.inv(before[:, :1]) @ before, np.linalg.inv(after[:, :1]) @ after
    np.testing.assert_allclose(*relative, atol=1e-3)
    np.testing.assert_allclose(angles(after[:, 0] @ np.linalg.inv(before[:, 0])), 20, atol=0.01)
    moved = pose_of_object(ob, clip.frames)
    np.testing.assert_allclose(moved - [[0.1 + 0.5, -0.03 * f, 0.02] for f in clip.frames], 0.0, atol=1e-5)


AXES = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])  # the world to the armature's axes, in which Y is up


def pose_of_object(ob: Any, frames: Any) -> np.ndarray:
    found = []
    for frame in frames:
        bpy.context.scene.frame_set(int(frame))
        posed = ob.evaluated_get(bpy.context.evaluated_depsgraph_get())
        found.append(np.array(posed.matrix_world.translation))
    return np.array(found)


def path_of(clip: Any, bone: str) -> np.ndarray:
    """(T, 3) metres, where the bone is by the clip's local transforms and Blender's rule."""
    from mathutils import Matrix, Quaternion, Vector

    result = []
    for t in range(len(clip)):
        pose, chain, j = Matrix(), [], clip.names.index(bone)
        while j >= 0:
            chain.append(j)
            j = int(clip.parents[j])
        above = Matrix()
        for j in reversed(chain):
            rest = Matrix(clip.rest[j].tolist())
            basis = Matrix.LocRotScale(Vector(clip.translations[t, j]), Quaternion(clip.rotations[t, j]), None)
            pose = pose @ above.inverted() @ rest @ basis
            above = rest
        result.append(np.array(pose.translation) * clip.scale)
    return np.array(result)
