# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.refine_to_keypoints`` in real Blender: motions made wrong, and what was seen of the right ones."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from bpy_extras.object_utils import world_to_camera_view  # noqa: E402
from mathutils import Vector  # noqa: E402

from rigcheck.camera_misuse import (  # noqa: E402
    another_camera,
    no_camera,
    no_file_named,
    no_such_file,
    other_proportions,
)
from rigcheck.extension import part  # noqa: E402
from rigcheck.filming import BONES, FPS, film, off, places, projected, written  # noqa: E402
from rigcheck.misuse import Tool, check_sentence, differing, digest, drive  # noqa: E402
from rigcheck.rigify import animate as animate_rigify  # noqa: E402

LAST = 8
FRAMES = range(1, LAST + 1)
SIDE = (4.8, -1.5, 1.4)  # where a second camera stands
CHEAP = {"rounds": 2}
REFINE = Tool("refine_to_keypoints", "refine", "DPOSER_OT_refine_to_keypoints", CHEAP)


def spoil(ob: Any, size: float = 0.12, seed: int = 0) -> None:
    """Turn every key of the body's bones, and move the body, by errors that stay and others that come and go slowly."""
    random = np.random.default_rng(seed)
    for curve in part("compat").curves(ob.animation_data):
        if "prop" in curve.data_path or not curve.data_path.endswith(("rotation_quaternion", "location")):
            continue
        turns = curve.data_path.endswith("rotation_quaternion")
        amount = size if turns else 0.1 / ob.scale[0]
        if turns and curve.array_index == 0:
            continue
        phase, sign = random.uniform(0.0, 6.0), random.choice([-1.0, 1.0])
        for key in curve.keyframe_points:
            key.co[1] += amount * (sign + 0.5 * np.sin(phase + key.co[0] / 8.0))
        curve.update()


@pytest.fixture(params=sorted(BONES))
def walker(request: pytest.FixtureRequest, rigs: Any) -> tuple[str, Any]:
    """A rig of each kind, with a motion of its own."""
    if request.param == "rigify":
        ob = request.getfixturevalue("rigify")
        animate_rigify(ob, "FK")
    else:
        ob = getattr(rigs, request.param)()
        rigs.animate(ob, LAST, noise=0.0)
    bpy.context.scene.render.fps = FPS
    return request.param, ob


@pytest.fixture
def walking(rigs: Any, tmp_path: Path) -> SimpleNamespace:
    """A rig in SMPL's names before a camera, its motion wrong, and the file of what the camera saw of the right one."""
    ob = rigs.smpl()
    rigs.animate(ob, LAST, noise=0.0)
    camera = film()
    seen, truth = projected(ob, BONES["smpl"], FRAMES), places(ob, BONES["smpl"], FRAMES)
    spoil(ob)
    path = written(tmp_path / "seen.json", seen, BONES["smpl"])
    bpy.context.scene.frame_set(1)
    return SimpleNamespace(ob=ob, camera=camera, path=path, seen=seen, truth=truth, folder=tmp_path, rigs=rigs)


def refine(path: str, **given_: Any) -> str:
    (status,) = bpy.ops.dposer.refine_to_keypoints(filepath=path, **CHEAP | given_)
    return str(status)


def away(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of joints in metres, their middle aligned: how far off a camera must guess."""
    middle = [points - points.mean(axis=1, keepdims=True) for points in (found, truth)]
    return float(np.linalg.norm(middle[0] - middle[1], axis=-1).mean())


def test_a_wrong_motion_is_pulled_onto_the_keypoints(walker: tuple[str, Any], tmp_path: Path) -> None:
    kind, ob = walker
    bones = BONES[kind]
    film()
    seen, truth = projected(ob, bones, FRAMES), places(ob, bones, FRAMES)
    spoil(ob)
    if kind == "rigify":  # whose limbs turn by Eulers
        random = np.random.default_rng(3)
        for curve in part("compat").curves(ob.animation_data):
            if curve.data_path.endswith("rotation_euler"):
                by = random.choice([-0.2, 0.2])
                for key in curve.keyframe_points:
                    key.co[1] += by
                curve.update()
    before = projected(ob, bones, FRAMES), places(ob, bones, FRAMES)
    original = ob.animation_data.action
    assert refine(written(tmp_path / "seen.json", seen, bones)) == "FINISHED"
    assert ob.animation_data.action not in (None, original) and original.name in bpy.data.actions
    after = projected(ob, bones, FRAMES), places(ob, bones, FRAMES)
    assert off(before[0], seen) > 0.06
    assert off(after[0], seen) < off(before[0], seen) / 3
    assert away(after[1], truth) < 0.8 * away(before[1], truth)
    assert np.linalg.norm(after[1] - truth, axis=-1).mean() < 0.8 * np.linalg.norm(before[1] - truth, axis=-1).mean()


def test_the_report_tells_the_pixels(walking: Any) -> None:
    """By the joints that the file names, which are most of those that the engine counts."""
    wrong = np.linalg.norm(projected(walking.ob, BONES["smpl"], FRAMES) - walking.seen, axis=-1).mean()
    assert refine(walking.path) == "FINISHED"
    right = np.linalg.norm(projected(walking.ob, BONES["smpl"], FRAMES) - walking.seen, axis=-1).mean()
    (label, value), = part("outcomes").recall(walking.ob.session_uid).figures
    before, after = (float(number) for number in value.removesuffix(" px").split(" \N{RIGHTWARDS ARROW} "))
    assert label == "Off the keypoints"
    assert before == pytest.approx(wrong, rel=0.25) and after == pytest.approx(right, rel=0.5)
    assert walking.ob.dposer_result.tool == "Refining"


def test_a_second_camera_tells_what_one_cannot(walking: Any) -> None:
    ob, bones = walking.ob, BONES["smpl"]
    wrong = ob.animation_data.action
    assert refine(walking.path) == "FINISHED"
    alone = np.linalg.norm(places(ob, bones, FRAMES) - walking.truth, axis=-1).mean()
    assert bpy.ops.dposer.discard_result() == {"FINISHED"} and ob.animation_data.action == wrong
    side = film(SIDE, name="Side")
    bpy.context.scene.camera = walking.camera
    small = (400, 600)  # images of another camera have a form of their own: its picture is as they are
    render = bpy.context.scene.render
    render.resolution_x, render.resolution_y = small
    seen = [[world_to_camera_view(bpy.context.scene, side, Vector(at)) for at in row] for row in walking.truth]
    render.resolution_x, render.resolution_y = 1280, 720
    pixels = np.array([[(at.x * small[0], (1.0 - at.y) * small[1]) for at in row] for row in seen])
    assert bpy.ops.dposer.add_refine_camera() == {"FINISHED"}
    (entry,) = bpy.context.scene.dposer.refine.cameras
    entry.camera = side
    entry.filepath = written(walking.folder / "side.json", pixels, bones, width=small[0], height=small[1])
    assert refine(walking.path) == "FINISHED"
    both = np.linalg.norm(places(ob, bones, FRAMES) - walking.truth, axis=-1).mean()
    assert both < 0.7 * alone
    names = [label for label, _ in part("outcomes").recall(ob.session_uid).figures]
    assert names == ["Camera", "Side"]
    assert bpy.ops.dposer.remove_refine_camera(index=0) == {"FINISHED"}
    assert not len(bpy.context.scene.dposer.refine.cameras)


def test_camera_and_armature_may_move(walking: Any) -> None:
    """The camera travels and zooms, and the armature hangs on something that turns: the picture is all the same."""
    ob, camera, scene, rigs = walking.ob, walking.camera, bpy.context.scene, walking.rigs
    rigs.animate(ob, LAST, noise=0.0)
    parent = bpy.data.objects.new("Turntable", None)
    scene.collection.objects.link(parent)
    ob.parent = parent
    for frame, share in ((1, 0.0), (LAST, 1.0)):
        camera.location = (1.5 - 1.5 * share, -5.0, 1.6)
        camera.keyframe_insert("location", frame=frame)
        camera.data.lens = 50.0 + 15.0 * share
        camera.data.keyframe_insert("lens", frame=frame)
        parent.rotation_euler = (0.0, 0.1, 0.5 * share)
        parent.keyframe_insert("rotation_euler", frame=frame)
    seen = projected(ob, BONES["smpl"], FRAMES)
    spoil(ob)
    wrong = off(projected(ob, BONES["smpl"], FRAMES), seen)
    assert refine(written(walking.folder / "moving.json", seen, BONES["smpl"])) == "FINISHED"
    assert off(projected(ob, BONES["smpl"], FRAMES), seen) < wrong / 3


def test_what_is_not_the_bodys_or_locked_or_not_chosen_stays(walking: Any) -> None:
    ob = walking.ob
    curves = part("compat").curves
    for curve in curves(ob.animation_data):
        if "left_elbow" in curve.data_path:
            curve.lock = True
    before = walking.rigs.keys(ob)
    assert refine(walking.path, bones="PARTS", parts={"left_arm", "right_arm"}) == "FINISHED"
    after = walking.rigs.keys(ob)
    arms = ("collar", "shoulder", "elbow", "wrist")
    changed = {path for path, keys in after.items() if not np.array_equal(keys, before[path])}
    assert changed and all(any(joint in path for joint in arms) for path, _ in changed)
    assert not any("left_elbow" in path or "prop" in path for path, _ in changed)


def test_frames_beside_the_keypoints_stay_and_the_motion_is_continuous(walking: Any) -> None:
    ob, rigs = walking.ob, walking.rigs
    ob.animation_data.action = None
    rigs.animate(ob, 24, noise=0.0)
    truth = projected(ob, BONES["smpl"], range(9, 17))
    spoil(ob)
    before, wrong = rigs.poses(ob, range(1, 25)), projected(ob, BONES["smpl"], range(9, 17))
    path = written(walking.folder / "part.json", truth, BONES["smpl"])
    assert refine(path, start=9, ease=4) == "FINISHED"
    after = rigs.poses(ob, range(1, 25))
    change = np.abs(after - before).max(axis=(1, 2, 3))
    assert change[:4].max() < 1e-5 and change[20:].max() < 1e-5
    assert off(projected(ob, BONES["smpl"], range(9, 17)), truth) < off(wrong, truth) / 3
    steps = np.linalg.norm(np.diff(after[..., :3, 3] - before[..., :3, 3], axis=0), axis=-1).mean(axis=1)
    assert steps.max() < 0.6 * np.linalg.norm((after - before)[11, :, :3, 3], axis=-1).mean(), "it comes in slowly"


def test_a_shaking_motion_becomes_smooth_without_any_camera(rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 16, noise=6.0)
    before = rigs.poses(ob, range(1, 17))
    (status,) = bpy.ops.dposer.refine_to_keypoints(only_smooth=True, smoothness=3.0, **CHEAP)
    assert status == "FINISHED"
    after = rigs.poses(ob, range(1, 17))
    rough = [np.abs(np.diff(poses[..., :3, 3], 2, axis=0)).mean() for poses in (before, after)]
    assert rough[1] < rough[0] / 2


def test_the_panels_settings_are_taken(walking: Any) -> None:
    own, shared = bpy.context.scene.dposer.refine, bpy.context.scene.dposer.keypoints
    own.rounds, shared.filepath, shared.start = 1, walking.path, 3
    assert bpy.ops.dposer.refine_to_keypoints() == {"FINISHED"}
    run = part("last_run").recall().settings
    assert (run["rounds"], run["start"], run["camera"]) == (1, 3, "Camera")
    found = part("footage").recall(bpy.context.scene.session_uid)
    assert found.path == walking.path and part("drawing.handlers")._overlay, "their skeleton is shown"


def test_one_undo_takes_it_back(walking: Any) -> None:
    for message in ("Start", "Before"):
        bpy.ops.ed.undo_push(message=message)
    before = digest()
    bpy.ops.dposer.refine_to_keypoints("EXEC_DEFAULT", True, filepath=walking.path, **CHEAP)
    assert differing(before, digest())
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo()
    assert differing(before, digest()) == set()


@pytest.mark.parametrize("phase", ["Reading", "Refining", "Writing"])
def test_cancelling_leaves_everything(walking: Any, phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part("edit_task"), "SLICE", 0.0)
    before = digest()
    job = REFINE.job(walking.ob, filepath=walking.path)
    assert drive(job, until=lambda: job.stage.startswith(phase)) is None
    job.cancel()
    with pytest.raises(part("jobs").Cancelled, match="nothing was changed"):
        drive(job)
    assert differing(before, digest()) == set()


# Misuse: each a clear sentence and an untouched file


def no_action(walking: Any) -> dict[str, Any]:
    walking.ob.animation_data.action = None
    return {}


def other_frames(walking: Any) -> dict[str, Any]:
    return {"start": 200}


def seen_from_behind(walking: Any) -> dict[str, Any]:
    walking.camera.rotation_euler.z += np.pi
    return {}


def hardly_anything_seen(walking: Any) -> dict[str, Any]:
    path = walking.folder / "hand.json"
    frames = [{"left_wrist": [600.0, 300.0, 0.9]}] * LAST
    path.write_text(json.dumps({"width": 1280, "height": 720, "frames": frames}), encoding="utf-8")
    return {"filepath": str(path)}


def a_further_camera_not_chosen(walking: Any) -> dict[str, Any]:
    bpy.ops.dposer.add_refine_camera()
    return {}


def the_same_camera_twice(walking: Any) -> dict[str, Any]:
    bpy.ops.dposer.add_refine_camera()
    entry = bpy.context.scene.dposer.refine.cameras[0]
    entry.camera, entry.filepath = walking.camera, walking.path
    return {}


def a_further_camera_without_a_file(walking: Any) -> dict[str, Any]:
    bpy.ops.dposer.add_refine_camera()
    bpy.context.scene.dposer.refine.cameras[0].camera = film(SIDE, name="Side")
    return {}


def no_selected_bones(walking: Any) -> dict[str, Any]:
    return {"bones": "SELECTED"}


def a_rig_of_nobody(walking: Any) -> dict[str, Any]:
    ob = walking.rigs.add("Crane", [("base", -1, (0, 0, 0), (0, 0, 1)), ("arm", 0, (0, 0, 1), (1, 0, 1))])
    ob.pose.bones["arm"].keyframe_insert("rotation_quaternion", frame=1)
    ob.pose.bones["arm"].keyframe_insert("rotation_quaternion", frame=5)
    return {}


def nothing_to_smooth(walking: Any) -> dict[str, Any]:
    return {"only_smooth": True, "smoothness": 0.0}


MISUSES = {
    no_camera: "The scene has no camera",
    another_camera: "There is no camera Nowhere",
    no_action: "has no action",
    no_file_named: "No keypoint file is chosen",
    no_such_file: "not there any more",
    other_frames: "The keypoints are on frames 200 to 207, and the motion to refine on 1 to 8",
    other_proportions: "1280 x 720 pixels and the render 1280 x 1280",
    seen_from_behind: "who stands behind it",
    hardly_anything_seen: "No frame shows",
    a_further_camera_not_chosen: "A further camera is not chosen",
    the_same_camera_twice: "Camera is there twice",
    a_further_camera_without_a_file: "No keypoint file is chosen",
    no_selected_bones: "No bone is selected",
    a_rig_of_nobody: "map these joints by hand",
    nothing_to_smooth: "nothing to smooth",
}


@pytest.mark.parametrize("misuse", MISUSES, ids=lambda misuse: misuse.__name__)
def test_misuse_is_one_clear_sentence(walking: Any, misuse: Any) -> None:
    given_ = {"filepath": walking.path, "width": 0, "height": 0} | misuse(walking)
    before = digest()
    with pytest.raises(RuntimeError) as raised:
        refine(given_.pop("filepath"), **given_)
    assert MISUSES[misuse] in check_sentence(str(raised.value))
    assert differing(before, digest()) == set()


def test_a_camera_deleted_meanwhile_changes_nothing(walking: Any) -> None:
    job = REFINE.job(walking.ob, filepath=walking.path)
    bpy.data.objects.remove(walking.camera)
    before = digest()
    with pytest.raises(part("errors").ArmatureError, match="nothing was changed"):
        drive(job)
    assert differing(before, digest()) == set()
