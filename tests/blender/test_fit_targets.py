# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets, following them live, and baking it, in real Blender with the real engine; judged by evaluated joints."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from rigcheck.misuse import drive  # noqa: E402

MILLIMETRE = 1e-3
HANDS = {"bones": "JOINTS", "joints": {"left_wrist", "right_wrist"}}
WRISTS = {
    "Smpl": {"left_wrist": "left_wrist", "right_wrist": "right_wrist"},
    "Mixamo": {"left_wrist": "mixamorig:LeftHand", "right_wrist": "mixamorig:RightHand"},
    "Rigify": {"left_wrist": "ORG-hand.L", "right_wrist": "ORG-hand.R"},
}


@pytest.fixture(params=["Smpl", "Mixamo", "Rigify"])
def ob(request: pytest.FixtureRequest, rigs: Any) -> Any:
    """An armature of each kind, in motion."""
    if request.param == "Rigify":
        bpy.ops.wm.open_mainfile(filepath=str(request.getfixturevalue("rigify_file")))
        ob = bpy.data.objects["Rigify"]
        bpy.context.view_layer.objects.active = ob
        bpy.context.scene.render.fps = 30
        bpy.context.scene.frame_end = 20
        for name, phase in (("torso", 0.0), ("upper_arm_fk.L", 1.0), ("upper_arm_fk.R", 2.0), ("head", 0.5)):
            bone = ob.pose.bones[name]
            bone.rotation_mode = "XYZ"
            for frame in range(1, 21):
                bone.rotation_euler = 0.15 * np.sin(phase + frame / 8.0 + np.arange(3))
                bone.keyframe_insert("rotation_euler", frame=frame)
        for limb in ("upper_arm_parent.L", "upper_arm_parent.R"):
            ob.pose.bones[limb]["IK_FK"] = 1.0
        bpy.context.scene.frame_set(1)
        return ob
    made = rigs.smpl() if request.param == "Smpl" else rigs.mixamo()
    rigs.animate(made, 20, noise=0.0)
    return made


@pytest.fixture
def walker(rigs: Any) -> Any:
    """A plain rig in motion."""
    ob = rigs.smpl()
    rigs.animate(ob, 20, noise=0.0)
    return ob


@pytest.fixture
def live(extension: Callable[[str], Any]) -> Callable[..., Any]:
    """Begin to follow as the operator does, to be driven tick by tick."""
    module, jobs = extension("live"), extension("jobs")

    def start(ob: Any, once: bool = False, **settings: Any) -> Any:
        return jobs.Job(module.LiveTask(ob, bpy.context, settings, once))

    return start


def targets_of(ob: Any) -> dict[str, Any]:
    return {target.joint: target.empty for target in ob.dposer_targets}


def joint(ob: Any, name: str) -> np.ndarray:
    """Where a joint's bone begins in the world, as Blender evaluates it."""
    posed = ob.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array(posed.matrix_world @ posed.pose.bones[WRISTS[ob.name][name]].head)


def place(empty: Any) -> np.ndarray:
    return np.array(empty.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world.translation)


def off(ob: Any) -> float:
    """Metres of the farthest wrist from its target."""
    return max(float(np.linalg.norm(joint(ob, name) - place(empty))) for name, empty in targets_of(ob).items())


def channels(ob: Any) -> dict[str, tuple[float, ...]]:
    """Every channel of every bone, bit by bit, and the switches of a control rig."""
    found: dict[str, tuple[float, ...]] = {}
    for bone in ob.pose.bones:
        for name in ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale"):
            found[f"{bone.name} {name}"] = tuple(getattr(bone, name))
        if "IK_FK" in bone:
            found[f"{bone.name} IK_FK"] = (bone["IK_FK"],)
    return found


def drag(empty: Any, *by: float) -> None:
    empty.location = empty.location + type(empty.location)(by)
    bpy.context.view_layer.update()


def test_targets_are_where_the_bones_are(ob: Any) -> None:
    bpy.context.scene.frame_set(7)
    assert bpy.ops.dposer.add_targets(**HANDS) == {"FINISHED"}
    assert set(targets_of(ob)) == {"left_wrist", "right_wrist"}
    assert off(ob) < 0.01 * MILLIMETRE
    assert {empty.users_collection[0].name for empty in targets_of(ob).values()} == {"DPoser Targets"}
    kept = targets_of(ob)
    assert bpy.ops.dposer.add_targets(**HANDS) == {"FINISHED"}
    assert targets_of(ob) == kept
    assert bpy.ops.dposer.remove_targets() == {"FINISHED"}
    assert not ob.dposer_targets and "DPoser Targets" not in bpy.data.collections
    assert not any(other.type == "EMPTY" for other in bpy.data.objects)
    assert bpy.context.object == ob


def test_the_body_follows_live_and_esc_puts_it_back(ob: Any, live: Callable[..., Any]) -> None:
    bpy.context.scene.frame_set(5)
    bpy.ops.dposer.add_targets(**HANDS)
    before, action = channels(ob), ob.animation_data.action
    job = live(ob)
    hand = targets_of(ob)["left_wrist"]
    drive(job, lambda: bool(job.task.missed))
    moved = np.array([-0.1, -0.12, 0.1])
    for share in (0.3, 0.7, 1.0):
        hand.location = hand.location + type(hand.location)(0.4 * share * moved)
        bpy.context.view_layer.update()
        drive(job, lambda: off(ob) < MILLIMETRE)
    others = [name for name in before if "thigh" in name or "knee" in name or "LeftUpLeg" in name]
    assert {name: channels(ob)[name] for name in others} == {name: before[name] for name in others}
    job.cancel()
    with pytest.raises(Exception, match="Cancelled"):
        drive(job)
    assert channels(ob) == before and ob.animation_data.action == action


def test_fitting_one_frame_keys_it_and_one_undo_takes_it_back(ob: Any, rigs: Any) -> None:
    name = ob.name
    bpy.context.scene.frame_set(6)
    bpy.ops.dposer.add_targets(**HANDS)
    drag(targets_of(ob)["right_wrist"], 0.08, -0.1, 0.12)
    keys = rigs.keys(ob)
    bpy.ops.ed.undo_push(message="Before")
    assert bpy.ops.dposer.follow_live("EXEC_DEFAULT", True) == {"FINISHED"}
    assert off(ob) < MILLIMETRE
    bpy.context.scene.frame_set(1)
    bpy.context.scene.frame_set(6)
    assert off(ob) < MILLIMETRE
    assert any(not np.array_equal(keys.get(path), points) for path, points in rigs.keys(ob).items())
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo()
    after = rigs.keys(bpy.data.objects[name])
    assert keys.keys() == after.keys() and all(np.array_equal(keys[path], after[path]) for path in keys)


def test_a_range_is_baked_to_moving_targets(ob: Any, rigs: Any) -> None:
    bpy.ops.dposer.add_targets(**HANDS)
    action, keys = ob.animation_data.action, rigs.keys(ob)
    ways = {}
    for frame in range(1, 21):
        bpy.context.scene.frame_set(frame)
        ways[frame] = {name: joint(ob, name) for name in targets_of(ob)}
    shift = np.array([0.03, -0.08, 0.06])
    for name, empty in targets_of(ob).items():
        for frame in range(1, 21):
            empty.location = ways[frame][name] + shift * (1.0 + 0.2 * np.sin(frame / 6.0))
            empty.keyframe_insert("location", frame=frame)
    bpy.context.scene.frame_set(4)
    assert bpy.ops.dposer.fit_range() == {"FINISHED"}
    assert ob.animation_data.action != action and ob.animation_data.action.name.endswith("_fitted")
    assert bpy.context.scene.frame_current == 4
    worst = 0.0
    for frame in range(1, 21):
        bpy.context.scene.frame_set(frame)
        worst = max(worst, off(ob))
    assert worst < MILLIMETRE
    ob.animation_data.action = action
    after = rigs.keys(ob)
    assert keys.keys() == after.keys() and all(np.array_equal(keys[path], after[path]) for path in keys)


def test_a_control_rig_in_ik_is_led_far(rigify_file: Path, live: Callable[..., Any], extension: Any) -> None:
    """Far from where it was the rig's spine bends other than the body's: still the wrist is where it shall be."""
    bpy.ops.wm.open_mainfile(filepath=str(rigify_file))
    ob = bpy.data.objects["Rigify"]
    bpy.context.view_layer.objects.active = ob
    bpy.context.scene.frame_end = 6
    hand = ob.pose.bones["hand_ik.L"]
    for frame in range(1, 7):
        hand.location = (0.0, -0.2, 0.02 * frame)
        hand.keyframe_insert("location", frame=frame)
    bpy.context.scene.frame_set(3)
    bpy.ops.dposer.add_targets(**HANDS)
    before, wrist = channels(ob), targets_of(ob)["left_wrist"]
    job = live(ob)
    drive(job, lambda: bool(job.task.missed))
    drag(wrist, -0.3, 0.0, 0.45)
    drive(job, lambda: off(ob) < MILLIMETRE)
    assert ob.pose.bones["upper_arm_parent.L"]["IK_FK"] == 1.0
    job.cancel()
    with pytest.raises(Exception, match="Cancelled"):
        drive(job)
    assert channels(ob) == before
    assert bpy.ops.dposer.fit_range() == {"FINISHED"}
    for frame in (1, 3, 6):
        bpy.context.scene.frame_set(frame)
        assert off(ob) < MILLIMETRE


def test_targets_may_hang_from_other_things(walker: Any) -> None:
    """A target that is parented and constrained counts where it is seen."""
    bpy.ops.dposer.add_targets(bones="JOINTS", joints={"right_wrist"})
    (hand,) = targets_of(walker).values()
    rail = bpy.data.objects.new("rail", None)
    bpy.context.scene.collection.objects.link(rail)
    rail.rotation_euler[2], rail.scale = 0.5, (2.0, 2.0, 2.0)
    matrix = hand.matrix_world.copy()
    hand.parent = rail
    bpy.context.view_layer.update()
    hand.matrix_world = matrix
    for frame in (1, 20):
        rail.location[2] = 0.004 * frame
        rail.keyframe_insert("location", frame=frame)
    bpy.context.scene.dposer.fit_targets.free_root = True
    bpy.context.scene.frame_set(1)
    assert bpy.ops.dposer.fit_range() == {"FINISHED"}
    for frame in (1, 11, 20):
        bpy.context.scene.frame_set(frame)
        assert off(walker) < 2 * MILLIMETRE


def test_only_frames_of_the_range_change(walker: Any, rigs: Any) -> None:
    scene = bpy.context.scene
    bpy.ops.dposer.add_targets(bones="JOINTS", joints={"left_wrist"})
    before = rigs.poses(walker, range(1, 21))
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 8, 14
    assert bpy.ops.dposer.fit_range(frames="PREVIEW", ease=2) == {"FINISHED"}
    after = rigs.poses(walker, range(1, 21))
    same = np.isclose(before, after, atol=1e-6).all(axis=(1, 2, 3))
    assert same[:7].all() and same[14:].all() and not same[7:14].all()


@pytest.mark.parametrize("target", ["OVERWRITE", "NLA"])
def test_where_the_result_goes(walker: Any, target: str) -> None:
    action = walker.animation_data.action
    bpy.ops.dposer.add_targets(**HANDS)
    drag(targets_of(walker)["left_wrist"], 0.0, -0.1, 0.1)
    assert bpy.ops.dposer.fit_range(target=target) == {"FINISHED"}
    assert (walker.animation_data.action == action) == (target == "OVERWRITE")
    bpy.context.scene.frame_set(10)
    assert off(walker) < MILLIMETRE


def test_an_armature_without_animation_is_posed_and_baked(rigs: Any) -> None:
    ob = rigs.smpl()
    bpy.context.scene.frame_end = 5
    bpy.ops.dposer.add_targets(**HANDS)
    drag(targets_of(ob)["left_wrist"], -0.2, -0.2, 0.1)
    assert bpy.ops.dposer.follow_live() == {"FINISHED"}
    assert ob.animation_data.action is not None and off(ob) < MILLIMETRE
    ob.animation_data_clear()
    assert bpy.ops.dposer.fit_range() == {"FINISHED"}
    assert off(ob) < MILLIMETRE


def test_hands_turn_with_their_targets(walker: Any) -> None:
    bpy.ops.dposer.add_targets(bones="JOINTS", joints={"left_wrist"})
    (target,) = walker.dposer_targets
    target.turn = True
    target.empty.rotation_mode = "XYZ"
    target.empty.rotation_euler[0] += 0.4
    bpy.context.view_layer.update()
    assert bpy.ops.dposer.follow_live() == {"FINISHED"}
    posed = walker.evaluated_get(bpy.context.evaluated_depsgraph_get())
    hand = (posed.matrix_world @ posed.pose.bones["left_wrist"].matrix).to_quaternion()
    assert hand.rotation_difference(target.empty.matrix_world.to_quaternion()).angle < 0.02
    assert off(walker) < MILLIMETRE


def test_moved_hips_keep_the_feet(walker: Any) -> None:
    bpy.ops.dposer.add_targets(bones="JOINTS", joints={"left_wrist"})
    ankles = [walker.pose.bones[name].head.copy() for name in ("left_ankle", "right_ankle")]
    hips = walker.pose.bones["pelvis"].head.copy()
    drag(targets_of(walker)["left_wrist"], 0.1, -0.3, -0.4)
    assert bpy.ops.dposer.follow_live(free_root=True) == {"FINISHED"}
    assert (walker.pose.bones["pelvis"].head - hips).length > 0.02
    lower = min(range(2), key=lambda side: ankles[side][2])
    name = ("left_ankle", "right_ankle")[lower]
    assert (walker.pose.bones[name].head - ankles[lower]).length < 2 * MILLIMETRE
    assert off(walker) < MILLIMETRE


def test_selected_bones_get_targets(walker: Any, extension: Callable[[str], Any]) -> None:
    for bone in walker.pose.bones:
        extension("compat").select(bone, bone.name in {"head", "left_elbow", "prop"})
    bpy.ops.dposer.add_targets(bones="SELECTED")
    assert set(targets_of(walker)) == {"head", "left_elbow"}
    for bone in walker.pose.bones:
        extension("compat").select(bone, bone.name == "prop")
    with pytest.raises(RuntimeError, match="one of the body's"):
        bpy.ops.dposer.add_targets(bones="SELECTED")


def test_misuse_is_told_in_a_sentence(walker: Any, live: Callable[..., Any]) -> None:
    with pytest.raises(RuntimeError, match="has no target"):
        bpy.ops.dposer.follow_live()
    with pytest.raises(RuntimeError, match="No joint is chosen"):
        bpy.ops.dposer.add_targets(bones="JOINTS", joints=set())
    bpy.ops.dposer.add_targets(**HANDS)
    before, hand = channels(walker), targets_of(walker)["left_wrist"]
    hand.location[0] = 1e5
    with pytest.raises(RuntimeError, match="more than 1000 m away"):
        bpy.ops.dposer.follow_live()
    hand.location[0] = float("nan")
    with pytest.raises(RuntimeError, match="no finite place"):
        bpy.ops.dposer.follow_live()
    with pytest.raises(RuntimeError, match="no finite place"):
        bpy.ops.dposer.fit_range()
    assert channels(walker) == before and len(bpy.data.actions) == 1


def test_targets_and_armatures_that_go_meanwhile(walker: Any, live: Callable[..., Any]) -> None:
    bpy.ops.dposer.add_targets(**HANDS)
    before, hands = channels(walker), targets_of(walker)
    job = live(walker)
    drive(job, lambda: bool(job.task.missed))
    drag(hands["left_wrist"], 0.0, -0.1, 0.1)
    drive(job, lambda: float(np.linalg.norm(joint(walker, "left_wrist") - place(hands["left_wrist"]))) < MILLIMETRE)
    bpy.data.objects.remove(hands["right_wrist"])
    drag(hands["left_wrist"], 0.0, -0.05, 0.0)
    drive(job, lambda: float(np.linalg.norm(joint(walker, "left_wrist") - place(hands["left_wrist"]))) < MILLIMETRE)
    bpy.context.scene.collection.children["DPoser Targets"].objects.unlink(hands["left_wrist"])
    with pytest.raises(Exception, match="has no target"):
        drive(job)
    assert channels(walker) == before
    bpy.context.scene.collection.objects.link(hands["left_wrist"])
    job = live(walker)
    drive(job, lambda: bool(job.task.missed))
    bpy.data.objects.remove(walker)
    with pytest.raises(Exception, match="Smpl was removed"):
        drive(job)


def test_another_frame_is_another_pose(walker: Any, live: Callable[..., Any]) -> None:
    bpy.ops.dposer.add_targets(**HANDS)
    truth = {}
    for frame in (1, 9):
        bpy.context.scene.frame_set(frame)
        truth[frame] = channels(walker)
    bpy.context.scene.frame_set(1)
    job = live(walker)
    drag(targets_of(walker)["left_wrist"], 0.0, -0.1, 0.1)
    drive(job, lambda: off(walker) < MILLIMETRE)
    bpy.context.scene.frame_set(9)
    drive(job, lambda: bool(job.task.missed) and off(walker) < MILLIMETRE)
    job.cancel()
    with pytest.raises(Exception, match="Cancelled"):
        drive(job)
    assert channels(walker) == truth[9]
    bpy.context.scene.frame_set(1)
    assert channels(walker) == truth[1]


def test_undo_and_loading_while_live(
    walker: Any, live: Callable[..., Any], extension: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = extension("jobs")
    bpy.ops.dposer.add_targets(**HANDS)
    bpy.ops.ed.undo_push(message="Added")
    job = live(walker)
    monkeypatch.setattr(jobs, "_current", job)
    drive(job, lambda: bool(job.task.missed))
    drag(targets_of(walker)["left_wrist"], 0.0, -0.1, 0.1)
    drive(job, lambda: off(walker) < MILLIMETRE)
    bpy.ops.ed.undo_push(message="Dragged")
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo()
    ob = bpy.data.objects["Smpl"]
    end = time.monotonic() + 0.6
    drive(job, lambda: time.monotonic() > end and off(ob) < MILLIMETRE)
    with pytest.raises(RuntimeError, match="DPoser is at work"):
        bpy.ops.dposer.follow_live()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert jobs.current() is None
    with pytest.raises(Exception, match="Cancelled"):
        job.advance(bpy.context)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_an_engine_that_dies_while_live(
    walker: Any, live: Callable[..., Any], extension: Callable[[str], Any]
) -> None:
    bpy.ops.dposer.add_targets(**HANDS)
    before = channels(walker)
    job = live(walker)
    drag(targets_of(walker)["left_wrist"], 0.0, -0.1, 0.1)
    drive(job, lambda: off(walker) < MILLIMETRE)
    os.kill(extension("session").running().info["pid"], signal.SIGKILL)
    with pytest.raises(Exception, match="stopped unexpectedly"):
        for _ in range(10_000):
            drag(targets_of(walker)["left_wrist"], 0.0, -1e-3, 0.0)
            job.advance(bpy.context)
            time.sleep(0.01)
    assert channels(walker) == before


def test_cancelling_a_bake_leaves_everything(
    walker: Any, extension: Callable[[str], Any], rigs: Any
) -> None:
    fit, jobs = extension("operators.fit_targets"), extension("jobs")
    bpy.ops.dposer.add_targets(**HANDS)
    drag(targets_of(walker)["left_wrist"], 0.0, -0.1, 0.1)
    keys = rigs.keys(walker)
    task = fit.FitTask(walker, bpy.context, (1, 20), (1, 20), {}, fit.writing.Settings(suffix="_fitted"))
    job = jobs.Job(task)
    drive(job, lambda: job.stage == "Fitting")
    job.cancel()
    with pytest.raises(Exception, match="Cancelled"):
        drive(job)
    after = rigs.keys(walker)
    assert len(bpy.data.actions) == 1 and all(np.array_equal(keys[path], after[path]) for path in keys)


def test_the_body_follows_at_once(walker: Any, live: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """From a drag to the pose on the bones: one question to the engine, and perhaps one that was under way."""
    bpy.ops.dposer.add_targets(**HANDS)
    job = live(walker)
    drive(job, lambda: bool(job.task.missed))
    questions, ask, asked = [], job.task.request, []
    monkeypatch.setattr(job.task, "request", lambda context: (asked.append(1), ask(context))[1])
    for _ in range(10):
        drag(targets_of(walker)["left_wrist"], 0.0, -0.01, 0.005)
        asked.clear()
        drive(job, lambda: off(walker) < MILLIMETRE)
        questions.append(len(asked))
    job.cancel()
    assert max(questions) <= 2 and np.median(questions) == 1
