# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.clean_motion`` in real Blender, with the real engine in its own process."""

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

from engine_process import AT_ONCE, LIMIT  # noqa: E402

from rigcheck.misuse import drive  # noqa: E402

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


@pytest.fixture
def jobs(extension: Callable[[str], Any]) -> Any:
    return extension("jobs")


@pytest.fixture
def session(extension: Callable[[str], Any]) -> Any:
    return extension("session")


@pytest.fixture
def errors(extension: Callable[[str], Any]) -> Any:
    return extension("jobs").errors


@pytest.fixture
def start(extension: Callable[[str], Any]) -> Callable[..., Any]:
    """Begin a cleaning as the operator does, to be driven tick by tick."""
    clean, jobs = extension("operators.clean"), extension("jobs")

    def start(ob: Any, last: int, method: str = "prior") -> Any:
        settings = {"method": method, "device": "cpu"}
        result, frames = clean.writing.Settings(), (1, last)
        task = clean.CleanTask(ob, bpy.context, frames, frames, settings, result, ("ALL", set()), (0, 0))
        return jobs.Job(task)

    return start


def clean(**settings: Any) -> str:
    """Run the operator; its report."""
    settings.setdefault("method", "butterworth")
    (status,) = bpy.ops.dposer.clean_motion(**settings)
    return status


def test_a_noisy_walk_becomes_a_clean_one(rigs: Any) -> None:
    ob = rigs.smpl()
    action = rigs.animate(ob, 90, noise=0.0)
    truth = rigs.poses(ob, range(1, 91))
    bpy.data.actions.remove(action)
    action = rigs.animate(ob, 90, noise=4.0)
    noisy, keys = rigs.poses(ob, range(1, 91)), rigs.keys(ob)
    assert clean(method="prior") == "FINISHED"
    assert ob.animation_data.action.name == "walk_clean" and action.use_fake_user
    result = rigs.poses(ob, range(1, 91))

    def error(poses: np.ndarray) -> float:
        return float(np.linalg.norm(poses[..., :3, 3] - truth[..., :3, 3], axis=-1).mean())

    assert error(result) < 0.7 * error(noisy)
    after = rigs.keys(ob)
    assert keys.keys() == after.keys()
    for path, points in keys.items():
        if '"prop"' in path[0]:  # no body has this bone
            assert np.array_equal(after[path], points)


def test_a_mixamo_rig_of_every_rotation_mode(rigs: Any) -> None:
    ob = rigs.mixamo()
    rigs.animate(ob, 60, modes=rigs.MODES)
    before = rigs.poses(ob, range(1, 61))
    assert clean(method="prior") == "FINISHED"
    after = rigs.poses(ob, range(1, 61))

    def jerk(poses: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(poses[..., :3, 3], n=3, axis=0), axis=-1).mean())

    assert jerk(after) < 0.5 * jerk(before)


def test_a_result_is_the_same_for_the_same_seed(rigs: Any) -> None:
    results = []
    for _ in range(2):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        ob = rigs.smpl()
        rigs.animate(ob, 40)
        clean(method="prior", seed=7)
        results.append(rigs.keys(ob))
    assert all(np.array_equal(results[0][path], results[1][path]) for path in results[0])


@pytest.mark.parametrize("method", ["butterworth", "gaussian", "savgol", "median"])
def test_filters_need_no_human(rigs: Any, method: str) -> None:
    ob = rigs.add("Two", [("a", -1, (0, 0, 0), (0, 0, 1)), ("b", 0, (0, 0, 1), (0, 0, 2))])
    rigs.animate(ob, 60)
    assert clean(method=method) == "FINISHED"
    assert ob.animation_data.action.name == "walk_clean"


def test_one_undo_takes_it_back(rigs: Any) -> None:
    rigs.animate(rigs.smpl(), 30)
    bpy.ops.ed.undo_push(message="Before")
    bpy.ops.dposer.clean_motion("EXEC_DEFAULT", True, method="butterworth")
    assert bpy.context.object.animation_data.action.name == "walk_clean"
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo()
    assert bpy.data.objects["Smpl"].animation_data.action.name == "walk"
    assert [action.name for action in bpy.data.actions] == ["walk"]
    assert not bpy.data.actions["walk"].use_fake_user


def test_settings_that_are_not_given_are_the_panels(rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 30)
    bpy.context.scene.dposer.strength = 0.0
    assert clean() == "CANCELLED"
    assert [action.name for action in bpy.data.actions] == ["walk"]
    assert clean(strength=1.0) == "FINISHED"
    bpy.context.scene.dposer.strength = 1.0
    assert clean() == "FINISHED"


def test_selected_bones_only(rigs: Any, extension: Callable[[str], Any]) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 40)
    select = extension("compat").select
    for bone in ob.pose.bones:
        select(bone, bone.name in {"left_elbow", "left_shoulder"})
    before = rigs.keys(ob)
    clean(bones="SELECTED")
    after = rigs.keys(ob)
    changed = {path for path, _ in before if not np.array_equal(before[path, _], after[path, _])}
    assert {path.split('"')[1] for path in changed} == {"left_elbow", "left_shoulder"}
    for bone in ob.pose.bones:
        select(bone, False)
    with pytest.raises(RuntimeError, match="No bone is selected"):
        clean(bones="SELECTED")


def test_ranges(rigs: Any) -> None:
    ob, scene = rigs.smpl(), bpy.context.scene
    action = rigs.animate(ob, 60)
    before = rigs.keys(ob)
    with pytest.raises(RuntimeError, match="No preview range"):
        clean(frames="PREVIEW")
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 20, 30
    clean(frames="PREVIEW")
    after = rigs.keys(ob)
    frames = {int(f) for path in before for f in before[path][(before[path] != after[path]).any(axis=1), 0]}
    assert frames and frames <= set(range(20, 31))
    ob.animation_data.action = action
    scene.frame_start, scene.frame_end = 100, 200
    with pytest.raises(RuntimeError, match="lie outside the chosen range 100 to 200"):
        clean(frames="SCENE")


def test_one_frame(rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 1)
    for method in ("prior", "butterworth"):
        assert clean(method=method) in {"FINISHED", "CANCELLED"}
    assert bpy.data.actions["walk"].users


def test_bad_input_says_what_is_wrong(rigs: Any) -> None:
    with pytest.raises(RuntimeError, match="Select an armature first"):
        clean()
    ob = rigs.add("Two", [("a", -1, (0, 0, 0), (0, 0, 1)), ("b", 0, (0, 0, 1), (0, 0, 2))])
    with pytest.raises(RuntimeError, match="Two has no action"):
        clean()
    rigs.animate(ob, 20)
    with pytest.raises(RuntimeError) as caught:
        clean(method="prior")
    message = str(caught.value).removeprefix("Error: ").strip()
    assert message.endswith(".") and "\n" not in message and "Traceback" not in message
    assert [action.name for action in bpy.data.actions] == ["walk"]


def test_an_action_of_other_things(rigs: Any) -> None:
    ob = rigs.smpl()
    ob.keyframe_insert("location", frame=1)
    with pytest.raises(RuntimeError, match="moves no bone"):
        clean()


def test_an_armature_without_bones(rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 3)
    empty = bpy.data.armatures.new("Empty")
    ob.data = empty
    with pytest.raises(RuntimeError, match="has no bones"):
        clean()


def test_not_a_number(rigs: Any, extension: Callable[[str], Any]) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 20)
    curve = next(c for c in extension("compat").curves(ob.animation_data) if c.data_path.endswith("location"))
    curve.keyframe_points[5].co[1] = float("nan")
    with pytest.raises(RuntimeError, match="NaN"):
        clean()
    assert [action.name for action in bpy.data.actions] == ["walk"]


def test_a_rig_that_constraints_move(rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 20)
    source = rigs.mixamo()
    bpy.context.view_layer.objects.active = ob
    for bone in ob.pose.bones:
        bone.constraints.new("COPY_ROTATION").target = source
    with pytest.raises(RuntimeError, match="follow constraints: bake the action"):
        clean()
    for bone in list(ob.pose.bones)[2:]:
        bone.constraints[0].mute = True
    assert clean() == "FINISHED"


def test_a_mesh_stands_for_its_armature(rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 20)
    mesh = bpy.data.objects.new("Body", bpy.data.meshes.new("Body"))
    bpy.context.scene.collection.objects.link(mesh)
    mesh.modifiers.new("Armature", "ARMATURE").object = ob
    bpy.context.view_layer.objects.active = mesh
    assert clean() == "FINISHED" and ob.animation_data.action.name == "walk_clean"


@POSIX
def test_a_killed_engine_is_reported_and_started_again(
    rigs: Any, start: Callable[..., Any], session: Any, errors: Any
) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 40)
    job = start(ob, 40)
    drive(job, until=lambda: job.speed > 0 or job.stage == "Cleaning")
    pid = session.running().info["pid"]
    os.kill(pid, signal.SIGSTOP)  # in mid-job for sure
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(errors.EngineError, match="stopped unexpectedly"):
        drive(job)
    assert ob.animation_data.action.name == "walk" and len(bpy.data.actions) == 1
    assert clean() == "FINISHED"
    assert session.running().info["pid"] != pid


@POSIX
def test_a_hanging_engine_can_be_left_and_is_replaced(
    rigs: Any,
    start: Callable[..., Any],
    session: Any,
    errors: Any,
    extension: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 40)
    job = start(ob, 40)
    drive(job, until=lambda: job.stage == "Cleaning")
    pid = session.running().info["pid"]
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(extension("client"), "_LEAVE_LIMIT", LIMIT)
    begin = time.monotonic()
    job.cancel()
    with pytest.raises(errors.Cancelled):
        drive(job)
    assert time.monotonic() - begin < AT_ONCE
    monkeypatch.setattr(extension("client"), "_LEAVE_LIMIT", 0.0)
    assert clean() == "FINISHED"
    assert session.running().info["pid"] != pid


def test_cancel_in_mid_job_and_go_on(rigs: Any, start: Callable[..., Any], errors: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 40)
    job = start(ob, 40)
    drive(job, until=lambda: job.stage == "Cleaning")
    begin = time.monotonic()
    job.cancel()
    with pytest.raises(errors.Cancelled, match="nothing was changed"):
        job.advance(bpy.context)
    assert time.monotonic() - begin < AT_ONCE
    assert ob.animation_data.action.name == "walk" and len(bpy.data.actions) == 1
    assert clean() == "FINISHED"


def test_an_armature_removed_in_mid_job(rigs: Any, start: Callable[..., Any], errors: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 40)
    job = start(ob, 40, "butterworth")
    drive(job, until=lambda: job.stage == "Cleaning")
    bpy.data.objects.remove(ob)
    with pytest.raises(errors.EngineError, match="Smpl was removed"):
        drive(job)
    assert [action.name for action in bpy.data.actions] == ["walk"]


def test_loading_a_file_drops_the_job(
    rigs: Any, start: Callable[..., Any], jobs: Any, errors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 40)
    job = start(ob, 40)
    monkeypatch.setattr(jobs, "_current", job)
    drive(job, until=lambda: job.stage == "Cleaning")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert jobs.current() is None
    with pytest.raises(errors.Cancelled):
        job.advance(bpy.context)


def test_one_job_at_a_time(
    rigs: Any, start: Callable[..., Any], jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 5)
    assert not bpy.ops.dposer.cancel.poll()
    monkeypatch.setattr(jobs, "_current", start(ob, 5))
    assert bpy.ops.dposer.cancel.poll()
    with pytest.raises(RuntimeError, match="DPoser is at work"):
        clean()
    with pytest.raises(RuntimeError, match="DPoser is at work"):
        bpy.ops.dposer.check_engine()


def test_an_interpreter_that_is_not_there(rigs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rigs.animate(rigs.smpl(), 5)
    monkeypatch.setenv("DPOSER_PYTHON", str(Path("nowhere", "python").absolute()))
    with pytest.raises(RuntimeError, match=r"cannot be started with .*; choose another interpreter"):
        clean()
    monkeypatch.undo()
    assert clean() == "FINISHED"


@pytest.mark.parametrize(("target", "keys"), [("OVERWRITE", "ORIGINAL"), ("NLA", "REDUCED"), ("NEW", "REDUCED")])
def test_where_the_result_goes_and_how_many_keys_it_has(rigs: Any, target: str, keys: str) -> None:
    ob = rigs.smpl()
    action = rigs.animate(ob)
    before = {path: len(points) for path, points in rigs.keys(ob).items()}
    options = {"method": "gaussian", "target": target, "keys": keys, "tolerance": 5.0}
    assert bpy.ops.dposer.clean_motion(**options) == {"FINISHED"}
    animation = ob.animation_data
    if target == "NLA":
        assert animation.action is None and [t.strips[0].name for t in animation.nla_tracks] == ["walk", "walk_clean"]
        assert animation.nla_tracks[0].strips[0].action == action
        return
    assert (animation.action == action) == (target == "OVERWRITE")
    after = {path: len(points) for path, points in rigs.keys(ob).items()}
    assert before.keys() == after.keys()
    if keys == "ORIGINAL":
        assert before == after
    else:
        assert sum(after.values()) < 0.8 * sum(before.values())


def test_the_panels_settings_are_the_defaults(rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob)
    bpy.context.scene.dposer.target = "OVERWRITE"
    assert bpy.ops.dposer.clean_motion(method="median") == {"FINISHED"}
    assert len(bpy.data.actions) == 1
