# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.animate_from_keypoints`` in real Blender: keypoints are its own projections of a motion that is known."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

bpy = pytest.importorskip("bpy")

from bpy_extras.object_utils import world_to_camera_view  # noqa: E402
from mathutils import Euler, Matrix, Vector  # noqa: E402

from rigcheck.camera_misuse import (  # noqa: E402
    another_camera,
    no_camera,
    no_file_named,
    no_such_file,
    other_proportions,
)
from rigcheck.extension import part  # noqa: E402
from rigcheck.filming import BONES, FPS, LIMBS, film, off, places, projected, written  # noqa: E402
from rigcheck.misuse import Tool, check_sentence, differing, digest, drive  # noqa: E402
from rigcheck.rigify import animate as animate_rigify  # noqa: E402

LAST = 10
CHEAP = {"hypotheses": 4}
OFF = 0.025  # of the person's height in the picture, mean distance of joints from keypoints
ANIMATE = Tool(
    "animate_from_keypoints", "animate_from_keypoints", "DPOSER_OT_animate_from_keypoints", CHEAP
)


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
    """A rig in SMPL's names that walks before a camera, and the file of what the camera sees."""
    ob = rigs.smpl()
    rigs.animate(ob, LAST, noise=0.0)
    camera = film()
    seen = projected(ob, BONES["smpl"], range(1, LAST + 1))
    path = written(tmp_path / "seen.json", seen, BONES["smpl"])
    bpy.context.scene.frame_set(1)
    return SimpleNamespace(ob=ob, camera=camera, path=path, seen=seen, folder=tmp_path, rigs=rigs)


def animate(path: str, **given: Any) -> str:
    (status,) = bpy.ops.dposer.animate_from_keypoints(filepath=path, **CHEAP | given)
    return str(status)


def test_a_rig_lies_over_the_keypoints(walker: tuple[str, Any], tmp_path: Path) -> None:
    kind, ob = walker
    bones, frames = BONES[kind], range(1, LAST + 1)
    film()
    seen, before = projected(ob, bones, frames), places(ob, bones, frames)
    original = ob.animation_data.action
    path = written(tmp_path / "seen.json", seen, bones)
    assert animate(path) == "FINISHED"
    assert ob.animation_data.action not in (None, original) and original.name in bpy.data.actions
    assert off(projected(ob, bones, frames), seen) < OFF
    after = places(ob, bones, frames)
    eye = np.array(bpy.context.scene.camera.location)
    depths = [np.linalg.norm(found.mean(axis=1) - eye, axis=-1).mean() for found in (before, after)]
    assert abs(depths[1] / depths[0] - 1.0) < 0.15, "as far away as the rig's own size says"


def test_the_other_prior_lifts_too(walking: Any) -> None:
    assert animate(walking.path, prior="diffpose", hypotheses=5) == "FINISHED"
    frames = range(1, LAST + 1)
    assert off(projected(walking.ob, BONES["smpl"], frames), walking.seen) < OFF


def test_camera_and_armature_may_move(walking: Any) -> None:
    """The camera travels and zooms, and the armature hangs on something that turns: the picture is all the same."""
    ob, camera, scene = walking.ob, walking.camera, bpy.context.scene
    frames = range(1, LAST + 1)
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
    seen = projected(ob, BONES["smpl"], frames)
    path = written(walking.folder / "moving.json", seen, BONES["smpl"])
    assert animate(path) == "FINISHED"
    assert off(projected(ob, BONES["smpl"], frames), seen) < OFF


def test_frame_rates_may_differ(walking: Any) -> None:
    """Keypoints of 60 frames a second in a scene of 24: a second stays a second."""
    ob, scene = walking.ob, bpy.context.scene
    times = 1 + np.arange(2 * LAST - 1) / 2
    path = written(walking.folder / "fast.json", projected(ob, BONES["smpl"], times), BONES["smpl"], fps=2 * FPS)
    scene.render.fps = 24
    assert animate(path, start=101) == "FINISHED"
    count = int((2 * LAST - 2) / (2 * FPS) * 24) + 1
    action = ob.animation_data.action
    curves = part("compat").curves(ob.animation_data)
    keyed = sorted({key.co[0] for curve in curves for key in curve.keyframe_points if key.co[0] > 100})
    assert keyed == list(range(101, 101 + count))
    at = 1 + np.arange(count) / 24 * FPS
    found = projected(ob, BONES["smpl"], range(101, 101 + count))
    ob.animation_data.action = bpy.data.actions["walk"]
    assert action.name == "walk_keypoints"
    assert off(found, projected(ob, BONES["smpl"], at)) < OFF


def test_a_smaller_picture_of_the_same_proportions_will_do(walking: Any) -> None:
    small = written(walking.folder / "small.json", walking.seen / 2, BONES["smpl"], width=640, height=360)
    assert animate(small) == "FINISHED"
    assert off(projected(walking.ob, BONES["smpl"], range(1, LAST + 1)), walking.seen) < OFF


def test_shares_of_images_of_no_known_size_are_the_renders(walking: Any) -> None:
    """MediaPipe's landmarks tell no size: they lie over the render, as pixels of images of no known size do."""
    first = {"shoulder": 11, "elbow": 13, "wrist": 15, "hip": 23, "knee": 25, "ankle": 27}  # left; right is next
    index = {f"{side}_{limb}": first[limb] + (side == "right") for side in ("left", "right") for limb in LIMBS}
    frames = []
    for row in (walking.seen / [1280, 720]).tolist():
        seen = {index[name]: at for name, at in zip(BONES["smpl"], row, strict=True)}
        frames.append([
            {"x": seen.get(i, (0.5, 0.5))[0], "y": seen.get(i, (0.5, 0.5))[1], "z": 0.0, "visibility": float(i in seen)}
            for i in range(33)
        ])  # fmt: skip
    path = walking.folder / "shares.json"
    path.write_text(json.dumps(frames), encoding="utf-8")
    assert animate(str(path)) == "FINISHED"
    assert off(projected(walking.ob, BONES["smpl"], range(1, LAST + 1)), walking.seen) < OFF
    bpy.context.scene.render.resolution_percentage = 50
    assert bpy.ops.dposer.read_keypoints(filepath=str(path)) == {"FINISHED"}
    found = part("footage").recall(bpy.context.scene.session_uid)
    assert found.size == (640, 360)
    wrist = walking.seen[:, list(BONES["smpl"]).index("left_wrist")]
    np.testing.assert_allclose(found.pixels[:, 13], wrist / 2, atol=1e-6)  # the left one of Human3.6M's joints


def test_the_other_hypotheses_are_variants(walking: Any) -> None:
    ob = walking.ob
    assert animate(walking.path, variants=2) == "FINISHED"
    assert len(ob.dposer_result.variants) == 2
    shown = places(ob, BONES["smpl"], range(1, LAST + 1))
    assert bpy.ops.dposer.show_variant() == {"FINISHED"}
    other = places(ob, BONES["smpl"], range(1, LAST + 1))
    assert np.abs(shown - other).max() > 0.01
    assert off(projected(ob, BONES["smpl"], range(1, LAST + 1)), walking.seen) < 2 * OFF
    assert bpy.ops.dposer.discard_result() == {"FINISHED"}
    assert ob.animation_data.action.name == "walk"
    np.testing.assert_allclose(projected(ob, BONES["smpl"], range(1, LAST + 1)), walking.seen, atol=1e-3)


COCO = {"shoulder": 5, "elbow": 7, "wrist": 9, "hip": 11, "knee": 13, "ankle": 15}  # left; right is next


@pytest.fixture
def heatmaps(walking: Any) -> Path:
    """What the camera sees as heatmaps of a picture half as large; the left wrist may as well be at the right one."""
    maps = np.zeros((LAST, 17, 72, 128), "f2")
    down, across = np.mgrid[:72, :128] + 0.5
    cells = dict(zip(BONES["smpl"], walking.seen.swapaxes(0, 1) / 10.0, strict=True))
    for name, at in cells.items():
        side, limb = name.split("_")
        index = COCO[limb] + (side == "right")
        for share, (u, v) in ((1.0, at.T), (0.8 * (name == "left_wrist"), cells["right_wrist"].T)):
            away = (across - u[:, None, None]) ** 2 + (down - v[:, None, None]) ** 2
            maps[:, index] += (share * np.exp(-0.5 * away / 1.5**2)).astype("f2")
    path: Path = walking.folder / "heat.npz"
    np.savez(path, heatmaps=maps, layout="coco_17", size=(640, 360), fps=FPS)
    return path


def test_heatmaps_are_drawn_from_whole(walking: Any, heatmaps: Path) -> None:
    """The engine is told where they lie before a camera that zooms, and draws from the file itself."""
    camera, ob = walking.camera.data, walking.ob
    for frame, lens in ((1, 50.0), (LAST, 65.0)):
        camera.lens = lens
        camera.keyframe_insert("lens", frame=frame)
    assert animate(str(heatmaps), prior="diffpose") == "FINISHED"
    task, seen = part("last_run").task_of(ob.dposer_result.run), part("footage").recall(bpy.context.scene.session_uid)
    _, params, arrays = task.ask(task.clip)
    assert params["heatmaps"]["path"] == str(heatmaps) and params["settings"]["prior"] == "diffpose"
    assert seen.size == (640, 360) and seen.confidence[0, 0] > 0.5
    corner, opposite = arrays["image"].swapaxes(0, 1)
    pixel = opposite - corner
    np.testing.assert_allclose(pixel[[0, -1], 0], [2.0, 2.0 * 50.0 / 65.0], rtol=1e-6)
    np.testing.assert_allclose(arrays["pixels"], corner[:, None] + seen.pixels * pixel[:, None], atol=1e-6)
    before = digest()
    heatmaps.unlink()
    with pytest.raises(RuntimeError) as raised:
        bpy.ops.dposer.more_variants()
    assert "not there any more" in check_sentence(str(raised.value))
    assert differing(before, digest()) == set()


def test_what_was_not_seen_is_kept_as_confidence(walking: Any) -> None:
    hidden = walking.seen.copy()
    frames = [
        {n: [*at, 0.0 if n in ("left_elbow", "left_wrist") else 1.0] for n, at in zip(BONES["smpl"], row, strict=True)}
        for row in hidden.tolist()
    ]
    path = walking.folder / "hidden.json"
    path.write_text(json.dumps({"width": 1280, "height": 720, "fps": FPS, "frames": frames}), encoding="utf-8")
    assert animate(str(path)) == "FINISHED"
    kept = walking.ob.animation_data.action["dposer_confidence"]
    assert kept["first"] == 1 and len(kept["left_shoulder"]) == LAST
    seen, unseen = np.mean(list(kept["right_shoulder"])), np.mean(list(kept["left_shoulder"]))
    assert 0.0 <= unseen < seen <= 1.0


def test_one_undo_takes_it_back(walking: Any) -> None:
    for message in ("Start", "Before"):
        bpy.ops.ed.undo_push(message=message)
    before = digest()
    bpy.ops.dposer.animate_from_keypoints("EXEC_DEFAULT", True, filepath=walking.path, **CHEAP | {"variants": 2})
    assert differing(before, digest())
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo()
    assert differing(before, digest()) == set()


@pytest.mark.parametrize("phase", ["Lifting", "Fitting", "Writing"])
def test_cancelling_leaves_everything(walking: Any, phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part("edit_task"), "SLICE", 0.0)
    before = digest()
    job = ANIMATE.job(walking.ob, filepath=walking.path)
    assert drive(job, until=lambda: job.stage.startswith(phase)) is None
    job.cancel()
    with pytest.raises(part("jobs").Cancelled, match="nothing was changed"):
        drive(job)
    assert differing(before, digest()) == set()


# Misuse: each a clear sentence and an untouched file


def no_camera_at_all(walking: Any) -> dict[str, Any]:
    return {"camera": "Smpl"}


def without_perspective(walking: Any) -> dict[str, Any]:
    walking.camera.data.type = "ORTHO"
    return {}


def no_armature(walking: Any) -> dict[str, Any]:
    bpy.context.view_layer.objects.active = None
    return {}


def no_keypoints(walking: Any) -> dict[str, Any]:
    path = walking.folder / "other.json"
    path.write_text('{"a": 1}', encoding="utf-8")
    return {"filepath": str(path)}


def nobody(walking: Any) -> dict[str, Any]:
    path = walking.folder / "nobody.json"
    path.write_text(json.dumps({"people": []}), encoding="utf-8")
    return {"filepath": str(path)}


def somebody_else(walking: Any) -> dict[str, Any]:
    return {"person": "7"}


def half_a_size(walking: Any) -> dict[str, Any]:
    return {"width": 1280}


def more_than_was_drawn(walking: Any) -> dict[str, Any]:
    return {"variants": 5}


def keys_of_the_original(walking: Any) -> dict[str, Any]:
    return {"keys": "ORIGINAL"}


def a_rig_of_nobody(walking: Any) -> dict[str, Any]:
    walking.rigs.add("Crane", [("base", -1, (0, 0, 0), (0, 0, 1)), ("arm", 0, (0, 0, 1), (1, 0, 1))])
    return {}


def an_armature_without_extent(walking: Any) -> dict[str, Any]:
    walking.ob.scale = (0.0, 0.0, 0.0)
    return {}


def slow_keypoints(walking: Any) -> dict[str, Any]:
    return {"fps": 1e-3}


def work_in_progress(walking: Any) -> dict[str, Any]:
    job = ANIMATE.job(walking.ob, filepath=walking.path)
    walking.patch.setattr(part("jobs"), "_current", job)
    return {}


MISUSES = {
    no_camera: "The scene has no camera",
    another_camera: "There is no camera Nowhere",
    no_camera_at_all: "Smpl is no camera",
    without_perspective: "no perspective camera",
    no_armature: "Select an armature first",
    no_file_named: "No keypoint file is chosen",
    no_such_file: "not there any more",
    no_keypoints: "other.json",
    nobody: "nobody.json",
    somebody_else: "no person 7",
    other_proportions: "1280 x 720 pixels and the render 1280 x 1280",
    half_a_size: "Only one side",
    more_than_was_drawn: "Of 4 hypotheses, 5 animations cannot be made",
    keys_of_the_original: "Keypoints need keys",
    a_rig_of_nobody: "map these joints by hand",
    an_armature_without_extent: "scaled to nothing",
    slow_keypoints: "raise their frame rate",
    work_in_progress: "DPoser is at work",
}


@pytest.mark.parametrize("misuse", MISUSES, ids=lambda misuse: misuse.__name__)
def test_misuse_is_one_clear_sentence(walking: Any, misuse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    walking.patch = monkeypatch
    given_ = {"filepath": walking.path, "width": 0, "height": 0} | misuse(walking)
    before = digest()
    with pytest.raises(RuntimeError) as raised:
        animate(given_.pop("filepath"), **given_)
    assert MISUSES[misuse] in check_sentence(str(raised.value))
    assert differing(before, digest()) == set()


def test_a_camera_deleted_meanwhile_changes_nothing(walking: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job = ANIMATE.job(walking.ob, filepath=walking.path)
    bpy.data.objects.remove(walking.camera)
    before = digest()
    with pytest.raises(part("errors").ArmatureError, match="nothing was changed"):
        drive(job)
    assert differing(before, digest()) == set()


# Reading, and the people of a file


def two_people(path: Path, seen: np.ndarray) -> str:
    """A file with somebody who is seen, and somebody on the left who is hardly."""
    frames = []
    for row in seen.tolist():
        sure = {name: [*at, 0.9] for name, at in zip(BONES["smpl"], row, strict=True)}
        faint = {name: [u - 400.0, v, 0.3] for name, (u, v) in zip(BONES["smpl"], row, strict=True)}
        frames.append({"people": [sure, faint]})
    path.write_text(json.dumps({"frames": frames, "width": 1280, "height": 720, "fps": FPS}), encoding="utf-8")
    return str(path)


def test_people_are_told_of_and_chosen(walking: Any) -> None:
    path, uid = two_people(walking.folder / "two.json", walking.seen), bpy.context.scene.session_uid
    before = digest()
    assert bpy.ops.dposer.read_keypoints(filepath=path) == {"FINISHED"}
    found = part("footage").recall(uid)
    assert [person.frames for person in found.people] == [LAST, LAST]
    np.testing.assert_allclose([person.confidence for person in found.people], [0.9, 0.3], atol=1e-6)
    other = found.people[1].id
    assert bpy.ops.dposer.read_keypoints(person=other) == {"FINISHED"}
    moved = part("footage").recall(uid)
    wrist = 13  # of Human3.6M's joints, the left one
    np.testing.assert_allclose(moved.pixels[:, wrist], found.pixels[:, wrist] - [400.0, 0.0], atol=1e-6)
    assert bpy.context.scene.dposer.keypoints.person == other and bpy.context.scene.dposer.keypoints.filepath == path
    assert differing(before, digest()) == set()
    assert bpy.ops.dposer.clear_keypoints() == {"FINISHED"}
    assert part("footage").recall(uid) is None


def test_another_file_has_other_people(walking: Any) -> None:
    two = two_people(walking.folder / "two.json", walking.seen)
    bpy.ops.dposer.read_keypoints(filepath=two, width=1280, height=720)
    other = part("footage").recall(bpy.context.scene.session_uid).people[1].id
    chosen = bpy.context.scene.dposer.keypoints
    chosen.fps = 12.0
    bpy.ops.dposer.read_keypoints(person=other)
    assert (chosen.person, chosen.width, chosen.fps) == (other, 1280, 12.0)
    chosen.filepath = walking.path
    assert (chosen.person, chosen.width, chosen.height) == ("", 0, 0)
    assert bpy.ops.dposer.read_keypoints() == {"FINISHED"}


def test_importing_reads(walking: Any) -> None:
    assert bpy.ops.dposer.import_keypoints(filepath=walking.path) == {"FINISHED"}
    assert len(part("footage").recall(bpy.context.scene.session_uid)) == LAST
    with pytest.raises(RuntimeError) as raised:
        bpy.ops.dposer.import_keypoints(filepath=str(walking.folder / "none.json"))
    check_sentence(str(raised.value))


def test_the_camera_takes_the_files_lens(walking: Any) -> None:
    """By Blender's projection of points before the camera, against that of the file's pinhole."""
    lens = {"camera": {"fx": 900.0, "fy": 930.0, "cx": 650.0, "cy": 340.0}}
    path = written(walking.folder / "lens.json", walking.seen, BONES["smpl"], **lens)
    bpy.ops.dposer.read_keypoints(filepath=path)
    bpy.context.scene.render.resolution_y = 999
    assert bpy.ops.dposer.match_camera() == {"FINISHED"}
    bpy.context.view_layer.update()
    local = np.array([[0.3, 0.2, -3.0], [-1.0, 0.5, -4.0], [0.0, 0.0, -2.0]])
    for x, y, z in local:
        at = world_to_camera_view(bpy.context.scene, walking.camera, walking.camera.matrix_world @ Vector((x, y, z)))
        seen = np.array([at.x * 1280, (1.0 - at.y) * 720])
        np.testing.assert_allclose(seen, [650.0 + 900.0 * x / -z, 340.0 - 930.0 * y / -z], atol=0.02)


# The camera's model, and what is drawn


CAMERAS = st.fixed_dictionaries(
    {
        "lens": st.floats(10.0, 200.0),
        "sensor_width": st.floats(5.0, 60.0),
        "sensor_height": st.floats(5.0, 60.0),
        "sensor_fit": st.sampled_from(["AUTO", "HORIZONTAL", "VERTICAL"]),
        "shift_x": st.floats(-0.5, 0.5),
        "shift_y": st.floats(-0.5, 0.5),
    }
)
PICTURES = st.fixed_dictionaries(
    {
        "resolution_x": st.integers(1, 1000).map(lambda n: 4 * n),
        "resolution_y": st.integers(1, 1000).map(lambda n: 4 * n),
        "resolution_percentage": st.sampled_from([25, 50, 100]),
        "pixel_aspect_x": st.sampled_from([1.0, 1.0, 1.5]),
        "pixel_aspect_y": st.sampled_from([1.0, 1.0, 2.0]),
    }
)
POINT = st.tuples(st.floats(-3.0, 3.0), st.floats(-3.0, 3.0), st.floats(-20.0, -0.5))


def set_up(lens: dict[str, Any], picture: dict[str, Any]) -> tuple[Any, Any]:
    scene = bpy.context.scene
    camera = scene.camera or film()
    for holder, values in ((camera.data, lens), (scene.render, picture)):
        for name, value in values.items():
            setattr(holder, name, value)
    camera.matrix_world = Matrix.Translation((0.3, -2.0, 1.0)) @ Euler((1.2, 0.1, 0.4)).to_matrix().to_4x4()
    bpy.context.view_layer.update()
    return scene, camera


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lens=CAMERAS, picture=PICTURES, point=POINT)
def test_the_pinhole_is_blenders_camera(lens: dict[str, Any], picture: dict[str, Any], point: Any) -> None:
    scene, camera = set_up(lens, picture)
    pinhole = part("pinhole")
    frame = pinhole.Frame.of(scene)
    model = pinhole.Pinhole.of(camera.data, frame)
    x, y, z = point
    seen = world_to_camera_view(scene, camera, camera.matrix_world @ Vector(point))
    wanted = np.array([seen.x * frame.width, (1.0 - seen.y) * frame.height * frame.tall])
    found = np.array(model.centre) + model.focal * np.array([x, -y]) / -z
    scale = max(frame.width, frame.height * frame.tall, np.abs(wanted).max())
    np.testing.assert_allclose(found, wanted, atol=2e-5 * scale)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lens=CAMERAS, picture=PICTURES, point=POINT, zoom=st.floats(0.2, 4.0),
    pan=st.tuples(st.floats(-0.8, 0.8), st.floats(-0.8, 0.8)),
)  # fmt: skip
def test_what_is_drawn_lies_over_what_the_camera_sees(
    lens: dict[str, Any], picture: dict[str, Any], point: Any, zoom: float, pan: tuple[float, float]
) -> None:
    """However the view through the camera is zoomed and shifted in its region."""
    scene, camera = set_up(lens, picture)
    drawing, frame = part("drawing.keypoints"), part("pinhole").Frame.of(scene)
    region = SimpleNamespace(width=800, height=600)
    render = scene.render
    projection = camera.calc_matrix_camera(
        bpy.context.evaluated_depsgraph_get(), x=frame.width, y=frame.height,
        scale_x=render.pixel_aspect_x, scale_y=render.pixel_aspect_y,
    )  # fmt: skip
    zoomed = Matrix.Translation((*pan, 0.0)) @ Matrix.Diagonal((zoom, zoom, 1.0, 1.0))
    view = SimpleNamespace(perspective_matrix=zoomed @ projection @ camera.matrix_world.inverted())
    corners = drawing.frame_corners(scene, camera, region, view)
    seen = world_to_camera_view(scene, camera, camera.matrix_world @ Vector(point))
    pixels = np.tile([seen.x * 1920.0, (1.0 - seen.y) * 1080.0], (1, 17, 1))
    keypoints = SimpleNamespace(pixels=pixels, size=(1920, 1080))
    found = drawing.points(scene, keypoints, 0, corners)[0]
    shares = np.array([2.0 * seen.x - 1.0, 2.0 * seen.y - 1.0]) * zoom + pan
    wanted = (shares + 1.0) / 2.0 * [region.width, region.height]
    np.testing.assert_allclose(found, wanted, atol=2e-3 * max(800.0, np.abs(wanted).max()) * 0.1)


def test_frames_of_the_scene_show_frames_of_the_file() -> None:
    overlay = part("drawing.overlay")
    assert [overlay.row(5, frame, 10, 1.0) for frame in (9, 10, 14, 15)] == [None, 0, 4, None]
    assert [overlay.row(5, frame, 10, 2.0) for frame in (9, 10, 11, 12, 13)] == [None, 0, 2, 4, None]
    assert [overlay.row(3, frame, 10, 0.5) for frame in (10, 10.9, 11, 13, 14.9, 15)] == [0, 0, 1, 2, 2, None]


def test_lines_end_where_joints_are_seen() -> None:
    overlay = part("drawing.overlay")
    points, confidence = np.random.default_rng(0).uniform(0, 100, (17, 2)), np.ones(17)
    vertices, colours = overlay.lines(points, confidence)
    assert vertices.shape == (32, 2) and colours.shape == (32, 4)
    assert (colours[:, 3] == 1.0).all()
    confidence[12], confidence[13] = 0.5, 0.0  # of the left arm, elbow and wrist
    vertices, colours = overlay.lines(points, confidence)
    assert len(vertices) == 30 and not (vertices == points[13]).all(axis=1).any()
    assert np.isclose(colours[(vertices == points[12]).all(axis=1), 3], (overlay.FAINTEST + 1.0) / 2).all()
    without = np.ones(17)
    without[7] = 0.0  # the spine, which most detectors do not know: the trunk goes from the pelvis to the thorax
    ends = overlay.lines(points, without)[0].reshape(-1, 2, 2)
    assert len(ends) == 15 and (ends == points[[0, 8]]).all(axis=(1, 2)).any()
    centres, _ = overlay.dots(points, confidence, 4.0)
    reach = np.linalg.norm(centres[:, None] - points, axis=-1).min(axis=1)
    assert (reach <= 4.0 + 1e-9).all() and len(centres) == 16 * 8 * 3
    assert not len(overlay.lines(points, np.zeros(17))[0]) and not len(overlay.dots(points, np.zeros(17), 4.0)[0])


def test_nothing_is_drawn_but_through_the_camera(walking: Any) -> None:
    drawing, scene = part("drawing.keypoints"), bpy.context.scene
    bpy.ops.dposer.read_keypoints(filepath=walking.path)
    space = SimpleNamespace(use_local_camera=False, camera=None, overlay=SimpleNamespace(show_overlays=True))
    view = SimpleNamespace(view_perspective="CAMERA")
    context = SimpleNamespace(scene=scene, space_data=space, region_data=view)
    assert drawing.shown(context) is not None
    view.view_perspective = "PERSP"
    assert drawing.shown(context) is None
    view.view_perspective = "CAMERA"
    other = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    scene.collection.objects.link(other)
    space.use_local_camera, space.camera = True, other
    assert drawing.shown(context) is None
    scene.dposer.keypoints.camera = other
    assert drawing.shown(context) is not None
    scene.dposer.keypoints.show = False
    assert drawing.shown(context) is None


def test_drawing_begins_with_keypoints_and_ends_with_them(walking: Any) -> None:
    handlers = part("drawing.handlers")
    assert not handlers._overlay
    bpy.ops.dposer.read_keypoints(filepath=walking.path)
    assert len(handlers._overlay) == 1
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert not handlers._overlay and not list(part("footage").kept())


def test_cleaning_makes_anew_what_was_not_seen(rigs: Any) -> None:
    """A forearm that shakes is smoothed; where it is said not to have been seen, its shaking counts for nothing."""
    ob = rigs.smpl()
    action = rigs.animate(ob, 40, noise=4.0)
    action["dposer_confidence"] = {"first": 1}
    with pytest.raises(RuntimeError, match="not made from keypoints"):
        bpy.ops.dposer.clean_motion(method="wiener", doubt=True)
    seen = np.ones((40, 22))
    seen[15:25, 18] = 0.0  # of SMPL's joints, the left elbow
    part("confidences").keep(action, 1, seen)
    np.testing.assert_array_equal(part("confidences").of(action, np.arange(-3, 50))[4:44], seen)
    assert (part("confidences").of(action, np.arange(-3, 50))[[0, 3, 44, 52]] == 1.0).all()
    found = []
    for doubt in (False, True):
        assert bpy.ops.dposer.clean_motion(method="wiener", doubt=doubt) == {"FINISHED"}
        found.append(rigs.poses(ob, range(1, 41)))
        bpy.ops.dposer.discard_result()
    names = [bone.name for bone in ob.data.bones]
    arm, forearm = names.index("left_shoulder"), names.index("left_elbow")
    local = [np.linalg.inv(poses[:, arm]) @ poses[:, forearm] for poses in found]
    apart = np.abs(local[0] - local[1])[..., :3, :3].max(axis=(1, 2))
    assert apart[16:24].max() > 0.02 and apart[:8].max() < apart[16:24].max() / 4
