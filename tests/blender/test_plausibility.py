# SPDX-License-Identifier: GPL-3.0-or-later
"""Plausibility in real Blender, with the real engine: what is found, what is shown, and that nothing is changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from mathutils import Quaternion  # noqa: E402

from rigcheck.extension import part  # noqa: E402

FRAMES, BROKEN = 48, 30


@pytest.fixture
def scores_of() -> Callable[[Any], Any]:
    """The scores kept for an armature."""
    return lambda ob: part("plausibility").recall(ob.session_uid)


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    part("plausibility").forget_all()
    part("drawing.handlers").refresh()


def swaying(ob: Any) -> tuple[Any, str]:
    """Rigify's human swaying in FK, whose left elbow bends backwards on one frame."""
    for side in "LR":
        ob.pose.bones[f"upper_arm_parent.{side}"]["IK_FK"] = 1.0
    phases = np.random.default_rng(0).uniform(0.0, 6.0, 20)
    names = ("spine_fk.002", "spine_fk.003", "neck", "head", "upper_arm_fk.L", "upper_arm_fk.R", "forearm_fk.R")
    for frame in range(1, FRAMES + 1):
        for phase, name in zip(phases, names, strict=False):
            turn(ob, name, 0.05 * np.sin(phase + frame / 8.0), frame)
        turn(ob, "forearm_fk.L", -1.2 if frame == BROKEN else 0.3, frame)
    bpy.context.scene.frame_set(1)
    return ob, "left_elbow"


def turn(ob: Any, name: str, angle: float, frame: int) -> None:
    """Key a bone turned about its X axis, in its own rotation mode."""
    bone, quaternion = ob.pose.bones[name], Quaternion((1, 0, 0), angle)
    if bone.rotation_mode == "QUATERNION":
        bone.rotation_quaternion = quaternion
        bone.keyframe_insert("rotation_quaternion", frame=frame)
    else:
        bone.rotation_euler = quaternion.to_euler(bone.rotation_mode)
        bone.keyframe_insert("rotation_euler", frame=frame)


def walking(rigs: Any, kind: str) -> tuple[Any, str]:
    """A rig that walks, whose left knee bends forwards on one frame."""
    ob = getattr(rigs, kind)()
    rigs.animate(ob, FRAMES, noise=0.0)
    bone = ob.pose.bones[{"smpl": "left_knee", "mixamo": "mixamorig:LeftLeg"}[kind]]
    rest = bone.bone.matrix_local.to_quaternion()
    bone.rotation_quaternion = rest.inverted() @ Quaternion((1, 0, 0), -1.2) @ rest
    bone.keyframe_insert("rotation_quaternion", frame=BROKEN)
    bpy.context.scene.frame_set(1)
    return ob, "left_knee"


def everything(rigs: Any, ob: Any) -> dict[str, Any]:
    """What of the user's could be changed."""
    return {
        "keys": {key: values.tobytes() for key, values in rigs.keys(ob).items()},
        "basis": [tuple(map(tuple, bone.matrix_basis)) for bone in ob.pose.bones],
        "frame": (bpy.context.scene.frame_current, bpy.context.scene.frame_subframe),
        "actions": sorted(action.name for action in bpy.data.actions),
        "scenes": [scene.name for scene in bpy.data.scenes],
        "properties": [dict(bone.items()).keys() for bone in ob.pose.bones],
        "objects": sorted(ob.name for ob in bpy.data.objects),
    }


@pytest.mark.parametrize("kind", ["smpl", "mixamo", "rigify"])
def test_a_broken_frame_is_the_worst_and_nothing_is_changed(
    rigs: Any, scores_of: Callable[[Any], Any], kind: str, request: pytest.FixtureRequest
) -> None:
    ob, joint = swaying(request.getfixturevalue("rigify")) if kind == "rigify" else walking(rigs, kind)
    bpy.context.view_layer.update()
    before = everything(rigs, ob)
    assert bpy.ops.dposer.plausibility() == {"FINISHED"}
    assert everything(rigs, ob) == before
    scores = scores_of(ob)
    assert not scores.stale
    assert scores.frames.tolist() == list(range(1, FRAMES + 1)) and scores.joints.shape == (FRAMES, 21)
    worst = scores.worst[0]
    assert (scores.frames[worst.row], worst.joint) == (BROKEN, joint)
    assert worst.plausibility < 0.6 * scores.median
    assert bpy.ops.dposer.jump_to_worst_frame() == {"FINISHED"}
    assert bpy.context.scene.frame_current == BROKEN
    shown = [segment.bone for segment in scores.segments]
    assert set(shown) <= set(ob.pose.bones.keys()) and len(shown) >= 20


def test_the_scores_are_the_engines_own(rigs: Any, scores_of: Callable[[Any], Any]) -> None:
    """What the operator keeps is what the request gives for the very clip."""
    requests = pytest.importorskip("engine.requests", reason="needs the engine's dependencies in this Python")
    pytest.importorskip("torch")
    ob, _ = walking(rigs, "smpl")
    assert bpy.ops.dposer.plausibility() == {"FINISHED"}
    params, arrays = part("armature").read(ob, bpy.context.scene, 1, FRAMES).request()
    _, found = requests.TASKS["score"](params | {"settings": {"device": "cpu"}}, arrays, lambda *_: None)
    np.testing.assert_allclose(scores_of(ob).pose, found["pose"], rtol=1e-3)
    np.testing.assert_allclose(scores_of(ob).joints, found["joints"], rtol=1e-3, atol=1e-7)


def test_ranges_and_single_frames(rigs: Any, scores_of: Callable[[Any], Any]) -> None:
    ob, _ = walking(rigs, "smpl")
    scene = bpy.context.scene
    assert bpy.ops.dposer.plausibility() == {"FINISHED"}
    whole = scores_of(ob)
    scene.frame_start, scene.frame_end = 20, 35
    assert bpy.ops.dposer.plausibility(frames="SCENE") == {"FINISHED"}
    assert scores_of(ob).frames.tolist() == list(range(20, 36))
    np.testing.assert_allclose(scores_of(ob).pose, whole.pose[19:35], rtol=1e-3)
    scene.frame_set(BROKEN)
    assert bpy.ops.dposer.plausibility(frames="FRAME") == {"FINISHED"}
    assert scores_of(ob).frames.tolist() == [BROKEN]
    np.testing.assert_allclose(scores_of(ob).pose, whole.pose[BROKEN - 1], rtol=1e-3)
    scene.dposer.plausibility.frames = "SCENE"
    assert bpy.ops.dposer.plausibility() == {"FINISHED"}
    assert len(scores_of(ob).pose) == 16, "a range that is not given is the panel's"


def test_a_pose_without_animation_has_a_score(rigs: Any, scores_of: Callable[[Any], Any]) -> None:
    ob = rigs.smpl()
    ob.pose.bones["left_elbow"].rotation_mode = "XYZ"
    ob.pose.bones["left_elbow"].rotation_euler = (2.5, 0.0, 0.0)
    bpy.context.view_layer.update()
    assert bpy.ops.dposer.plausibility() == {"FINISHED"}
    assert ob.animation_data is None or ob.animation_data.action is None
    assert scores_of(ob).worst[0].joint == "left_elbow" and len(scores_of(ob).pose) == 1


def test_jumps_go_through_the_worst_moments_and_select_their_bones(
    rigs: Any, scores_of: Callable[[Any], Any], compat: Any
) -> None:
    ob, _ = walking(rigs, "smpl")
    assert not bpy.ops.dposer.jump_to_worst_frame.poll() and not bpy.ops.dposer.clear_plausibility.poll()
    assert bpy.ops.dposer.plausibility() == {"FINISHED"}
    scores, scene = scores_of(ob), bpy.context.scene
    frames = [scores.frames[moment.row] for moment in scores.worst]
    assert len(frames) > 1 and np.diff(sorted(frames)).min() >= 15
    assert [m.plausibility for m in scores.worst] == sorted(m.plausibility for m in scores.worst)
    bpy.ops.object.mode_set(mode="POSE")
    seen = []
    for which in ("NEXT", "NEXT", "PREVIOUS", "PREVIOUS", "WORST"):
        assert bpy.ops.dposer.jump_to_worst_frame(which=which) == {"FINISHED"}
        seen.append(scene.frame_current)
    assert seen == [frames[0], frames[1], frames[0], frames[-1], frames[0]]
    chosen = {bone.name for bone in ob.pose.bones if compat.is_selected(bone)}
    joints = zip(part("plausibility").JOINTS[1:], scores.joints[BROKEN - 1], strict=True)
    odd = {joint for joint, plausibility in joints if plausibility < 0.001}
    assert chosen == odd | {"left_knee"} and ob.data.bones.active.name == "left_knee"
    bpy.ops.object.mode_set(mode="OBJECT")
    assert bpy.ops.dposer.clear_plausibility() == {"FINISHED"} and scores_of(ob) is None


def test_an_edit_makes_scores_stale_and_looking_does_not(rigs: Any, scores_of: Callable[[Any], Any]) -> None:
    ob, _ = walking(rigs, "smpl")
    assert bpy.ops.dposer.plausibility() == {"FINISHED"}
    bpy.context.scene.frame_set(12)
    ob.pose.bones["head"].rotation_quaternion = (0.9, 0.1, 0.0, 0.0)
    ob.location.x += 1.0
    bpy.context.view_layer.update()
    curve = next(c for c in part("compat").curves(ob.animation_data) if "left_knee" in c.data_path)
    curve.keyframe_points[3].select_control_point = True
    bpy.context.view_layer.update()
    assert not scores_of(ob).stale
    was = curve.keyframe_points[3].co[1]
    curve.keyframe_points[3].co[1] += 0.1
    bpy.context.view_layer.update()
    assert scores_of(ob).stale
    curve.keyframe_points[3].co[1] = was
    part("drawing.handlers")._undone()
    assert not scores_of(ob).stale, "an edit that is undone leaves them right"
    ob.animation_data.action = bpy.data.actions.new("other")
    bpy.context.view_layer.update()
    assert scores_of(ob).stale


def test_an_edit_of_a_strip_makes_scores_stale(rigs: Any, scores_of: Callable[[Any], Any]) -> None:
    ob, _ = walking(rigs, "smpl")
    action = ob.animation_data.action
    slot = part("compat").slot_identifier(ob.animation_data)
    ob.animation_data.action = None
    strip = ob.animation_data.nla_tracks.new().strips.new("walk", 1, action)
    part("compat").assign_to_strip(strip, action, slot)
    strip.influence = 1.0
    bpy.context.view_layer.update()
    assert bpy.ops.dposer.plausibility() == {"FINISHED"}
    scores = scores_of(ob)
    assert not scores.stale and scores.frames[scores.worst[0].row] == BROKEN
    strip.frame_start += 5
    ob.update_tag()
    bpy.context.view_layer.update()
    assert scores_of(ob).stale


def test_handlers_are_there_while_there_are_scores(rigs: Any, tmp_path: Path) -> None:
    handlers = part("drawing.handlers")
    watched = bpy.app.handlers.depsgraph_update_post

    def counts() -> tuple[int, bool]:
        return len(handlers._handles), handlers._updated in watched

    assert counts() == (0, False)
    ob, _ = walking(rigs, "smpl")
    other = rigs.mixamo()
    rigs.animate(other, 10)
    assert bpy.ops.dposer.plausibility() == {"FINISHED"}
    bpy.context.view_layer.objects.active = ob
    assert bpy.ops.dposer.plausibility() == {"FINISHED"}
    assert counts() == (2, True) and len(watched) == 1
    assert bpy.ops.dposer.clear_plausibility() == {"FINISHED"}
    assert counts() == (2, True), "the other armature still has scores"
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert counts() == (0, False) and not list(part("plausibility").kept())


def test_an_armature_that_goes_leaves_nothing_broken(rigs: Any) -> None:
    ob, _ = walking(rigs, "smpl")
    assert bpy.ops.dposer.plausibility() == {"FINISHED"}
    bpy.data.objects.remove(ob)
    bpy.context.view_layer.update()
    part("drawing.handlers")._undone()
    assert not bpy.ops.dposer.jump_to_worst_frame.poll()


def test_a_scoring_that_is_cancelled_leaves_nothing(rigs: Any, scores_of: Callable[[Any], Any]) -> None:
    """Before the engine answers, and while it computes."""
    jobs, plausibility = part("jobs"), part("operators.plausibility")
    ob, _ = walking(rigs, "smpl")
    before = everything(rigs, ob)
    for wait in (0.0, 0.3):
        job = jobs.Job(plausibility.PlausibilityTask(ob, bpy.context, (1, FRAMES), (1, FRAMES), "cpu"))
        assert job.advance(bpy.context) is None
        time.sleep(wait)
        job.cancel()
        with pytest.raises(jobs.Cancelled):
            job.advance(bpy.context)
    assert scores_of(ob) is None and not part("drawing.handlers")._handles
    assert everything(rigs, ob) == before
    assert bpy.ops.dposer.plausibility() == {"FINISHED"}, "the next one is none the worse for it"


def test_a_rig_that_is_no_body_is_told_of(rigs: Any, scores_of: Callable[[Any], Any]) -> None:
    ob = rigs.add("Rope", [("a", -1, (0, 0, 0), (0, 0, 1)), ("b", 0, (0, 0, 1), (0, 0, 2))])
    turn(ob, "b", 0.5, 1)
    with pytest.raises(RuntimeError, match=r"\."):
        bpy.ops.dposer.plausibility()
    assert scores_of(ob) is None and not part("drawing.handlers")._handles


def test_lines_along_the_bones(rigs: Any, scores_of: Callable[[Any], Any]) -> None:
    """They lie where Blender poses the bones, in the world, and have the colours of their joints on that frame."""
    ob, _ = walking(rigs, "mixamo")
    ob.location = (1.0, 2.0, 3.0)
    ob.rotation_euler = (0.2, 0.3, 0.4)
    assert bpy.ops.dposer.plausibility() == {"FINISHED"}
    bpy.context.scene.frame_set(BROKEN)
    viewport, scale, scores = part("drawing.viewport"), part("drawing.scale"), scores_of(ob)
    positions, colours = viewport.lines(ob, scores, BROKEN - 1)
    posed = ob.evaluated_get(bpy.context.evaluated_depsgraph_get())
    knee = [segment.bone for segment in scores.segments].index("mixamorig:LeftLeg")
    head = posed.matrix_world @ posed.pose.bones["mixamorig:LeftLeg"].head
    foot = posed.matrix_world @ posed.pose.bones["mixamorig:LeftFoot"].head
    np.testing.assert_allclose(positions[2 * knee : 2 * knee + 2], [head, foot], atol=1e-5)
    np.testing.assert_allclose(colours[2 * knee], (*scale.ODD_COLOUR, 1.0), atol=1e-6)
    assert len(positions) == len(colours) == 2 * len(scores.segments) == 42
    assert viewport.shows_pose(ob)
    ob.data.pose_position = "REST"
    assert not viewport.shows_pose(ob)
