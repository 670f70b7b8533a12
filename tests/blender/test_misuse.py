# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to misuse the tools: each ends in a clear sentence and an untouched file, or rightly succeeds.

A row of the table is a function that sets a file up, with what comes of it: a pattern for the sentence, or None where
the tool succeeds and nothing but what should has changed. ``tools`` are those that the row is about.
"""

from __future__ import annotations

import importlib
import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

bpy = pytest.importorskip("bpy")

from rigcheck import misuse  # noqa: E402
from rigcheck.extension import part  # noqa: E402
from rigcheck.misuse import (  # noqa: E402
    CLEAN,
    COMPLETE,
    COUNT,
    INBETWEEN,
    TOOLS,
    Tool,
    check_sentence,
    differing,
    digest,
    drive,
    started,
    walking,
)

QUICK = (CLEAN, INBETWEEN)
Setup = Callable[[Any], dict[str, Any] | None]


@dataclass(frozen=True)
class Row:
    """A misuse: what comes of it, for which tools, and how it is set up."""

    expected: str | None
    tools: tuple[Tool, ...]
    setup: Setup


ROWS: list[Row] = []


def row(expected: str | None, *tools: Tool) -> Callable[[Setup], Setup]:
    """Put a function into the table; by itself for all tools, or, where they succeed, for the quick ones."""

    def put(setup: Setup) -> Setup:
        ROWS.append(Row(expected, tools or (QUICK if expected is None else TOOLS), setup))
        return setup

    return put


def curves(ob: Any) -> list[Any]:
    return list(part("compat").curves(ob.animation_data))


def linked(rigs: Any) -> Any:
    """A walking rig linked back from a file of its own."""
    ob = walking(rigs)
    path, name = str(rigs.folder / "library.blend"), ob.name
    bpy.data.libraries.write(path, {ob, ob.animation_data.action})
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.objects = [name]
    ob = bpy.data.objects[name]
    bpy.context.scene.collection.objects.link(ob)
    bpy.context.view_layer.objects.active = ob
    return ob


# What is worked on


@row("Select an armature first")
def no_object(rigs: Any) -> None:
    pass


@row("Select an armature first")
def an_armature_that_is_not_active(rigs: Any) -> None:
    walking(rigs)
    bpy.context.view_layer.objects.active = None


@row("Select an armature first")
def an_object_of_another_type(rigs: Any) -> None:
    walking(rigs)
    light = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "POINT"))
    bpy.context.scene.collection.objects.link(light)
    bpy.context.view_layer.objects.active = light


@row("Smpl is in Edit Mode: leave it first")
def edit_mode(rigs: Any) -> None:
    walking(rigs)
    bpy.ops.object.mode_set(mode="EDIT")


@row("Smpl is in Edit Mode: leave it first")
def edit_mode_of_a_twin(rigs: Any) -> None:
    ob = walking(rigs)
    twin = bpy.data.objects.new("Twin", ob.data)
    bpy.context.scene.collection.objects.link(twin)
    bpy.context.view_layer.objects.active = twin
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.context.view_layer.objects.active = ob


@row(None)
def pose_mode_of_several(rigs: Any) -> dict[str, Any]:
    ob = walking(rigs)
    other = rigs.mixamo()
    rigs.animate(other, COUNT)
    misuse.select_keys(other, {3, 9})
    for each in (other, ob):
        each.select_set(True)
    bpy.context.view_layer.objects.active = ob
    bpy.ops.object.mode_set(mode="POSE")
    return {"changes": {"Smpl", "Mixamo"}}


@row(None)
def weight_paint_of_its_mesh(rigs: Any) -> None:
    ob = walking(rigs)
    mesh = bpy.data.objects.new("Body", bpy.data.meshes.new("Body"))
    mesh.data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    bpy.context.scene.collection.objects.link(mesh)
    mesh.modifiers.new("Armature", "ARMATURE").object = ob
    bpy.context.view_layer.objects.active = mesh
    bpy.ops.object.mode_set(mode="WEIGHT_PAINT")


@row("Empty has no bones|Empty has no action")
def no_bones(rigs: Any) -> None:
    ob = bpy.data.objects.new("Empty", bpy.data.armatures.new("Empty"))
    bpy.context.scene.collection.objects.link(ob)
    bpy.context.view_layer.objects.active = ob


@row("bone names follow no known convention")
def two_bones(rigs: Any) -> dict[str, Any]:
    ob = rigs.add("Two", [("a", -1, (0, 0, 0), (0, 0, 1)), ("b", 0, (0, 0, 1), (0, 0, 2))])
    rigs.animate(ob, COUNT)
    misuse.select_keys(ob, {4, 12})
    return {"selected": True}


@row("is scaled to nothing: give it a scale above zero")
def scaled_to_nothing(rigs: Any) -> None:
    walking(rigs).scale = (0.0, 0.0, 0.0)
    bpy.context.view_layer.update()


@row(None)
def scaled_unevenly(rigs: Any) -> None:
    walking(rigs).scale = (1.0, 1.2, 0.9)
    bpy.context.view_layer.update()


@row(None)
def parented_to_something_that_moves(rigs: Any) -> None:
    ob = walking(rigs)
    empty = bpy.data.objects.new("Cart", None)
    bpy.context.scene.collection.objects.link(empty)
    for frame in (1, COUNT):
        empty.location = (frame, 0, 0)
        empty.keyframe_insert("location", frame=frame)
    ob.parent = empty


@row("linked from another file: make a local copy")
def linked_from_a_library(rigs: Any) -> None:
    linked(rigs)


@row(None)
def a_library_override(rigs: Any) -> dict[str, Any]:
    ob = linked(rigs)
    made = ob.override_create(remap_local_usages=True)
    made.override_library.is_system_override = False
    if made.name not in bpy.context.scene.objects:
        bpy.context.scene.collection.objects.link(made)
    bpy.context.view_layer.objects.active = made
    return {"changes": {made.name}}


@row("linked from another file: make a local copy")
def a_system_override(rigs: Any) -> None:
    ob = linked(rigs)
    made = ob.override_create(remap_local_usages=True)
    made.override_library.is_system_override = True
    if made.name not in bpy.context.scene.objects:
        bpy.context.scene.collection.objects.link(made)
    bpy.context.view_layer.objects.active = made


@row(None)
def hidden_bones_and_collections(rigs: Any) -> None:
    ob = walking(rigs)
    off = ob.data.collections.new("Off")
    for bone in ob.data.bones:
        off.assign(bone)
        bone.hide = True
    off.is_visible = False


@row(None)
def a_hidden_armature(rigs: Any) -> None:
    ob = walking(rigs)
    ob.hide_viewport = True


@row(None)
def an_armature_whose_data_another_uses(rigs: Any) -> None:
    ob = walking(rigs)
    twin = bpy.data.objects.new("Twin", ob.data)
    bpy.context.scene.collection.objects.link(twin)
    twin.animation_data_create()
    part("compat").assign(twin.animation_data, *part("compat").action_of(ob.animation_data))


@row("shows its rest position: switch it to Pose Position first")
def rest_position_of_a_rig_to_evaluate(rigs: Any) -> None:
    ob = walking(rigs)
    ob.pose.bones["head"].constraints.new("LIMIT_ROTATION").use_limit_x = True
    ob.data.pose_position = "REST"


# What it is moved by


@row("has no action: import or assign a motion first", CLEAN, INBETWEEN)
def no_action(rigs: Any) -> None:
    rigs.smpl()


@row(None, COMPLETE)
def no_action_but_a_pose(rigs: Any) -> None:
    rigs.smpl()


@row("has no action: import or assign a motion first", CLEAN, INBETWEEN)
def a_muted_nla_track_alone(rigs: Any) -> None:
    ob = walking(rigs)
    action, animation = ob.animation_data.action, ob.animation_data
    animation.action = None
    track = animation.nla_tracks.new()
    track.strips.new("walk", 1, action)
    track.mute = True


@row("uses no slot of its action: choose one")
def an_action_without_its_slot(rigs: Any) -> None:
    ob = walking(rigs)
    if not part("compat").HAS_SLOTS:
        pytest.skip("this Blender has no slots")
    ob.animation_data.action_slot = None


@row("moves no bone", CLEAN, INBETWEEN)
def an_empty_action(rigs: Any) -> None:
    ob = rigs.smpl()
    action = bpy.data.actions.new("nothing")
    slot = part("compat").new_slot(action, ob)
    part("compat").assign(ob.animation_data_create(), action, slot)


@row("moves no bone", CLEAN, INBETWEEN)
def an_action_of_other_things(rigs: Any) -> None:
    rigs.smpl().keyframe_insert("location", frame=1)


@row("bake the action", CLEAN)
def locked_curves(rigs: Any) -> None:
    for curve in curves(walking(rigs)):
        curve.lock = True


@row("bake the action", CLEAN)
def muted_curves(rigs: Any) -> None:
    for curve in curves(walking(rigs)):
        curve.mute = True


@row("bake the action", CLEAN)
def muted_groups(rigs: Any) -> None:
    for curve in curves(walking(rigs)):
        if curve.group is None:
            pytest.skip("no groups")
        curve.group.mute = True


@row("bake the action", CLEAN)
def curves_with_modifiers(rigs: Any) -> None:
    for curve in curves(walking(rigs)):
        curve.modifiers.new("NOISE")


@row("bake the action", CLEAN)
def baked_samples(rigs: Any) -> None:
    for curve in curves(walking(rigs)):
        curve.convert_to_samples(1, COUNT)


@row("bake the action", CLEAN)
def driven_bones(rigs: Any) -> None:
    ob = walking(rigs)
    for bone in ob.pose.bones:
        for curve in bone.driver_add("rotation_quaternion"):
            curve.driver.expression = "frame / 100"


@row(None)
def some_locked_curves(rigs: Any) -> dict[str, Any]:
    ob = walking(rigs)
    for curve in curves(ob):
        curve.lock = '"head"' in curve.data_path or '"spine1"' in curve.data_path
    return {"same": ('"head"', '"spine1"')}


@row(None)
def fractional_keys(rigs: Any) -> None:
    for curve in curves(walking(rigs)):
        for key in curve.keyframe_points:
            key.co[0] += 0.37
        curve.update()


@row(None)
def scaled_bones(rigs: Any) -> None:
    ob = walking(rigs)
    for frame, size in ((1, 1.0), (COUNT, 1.3)):
        ob.pose.bones["spine2"].scale = (size, size, size)
        ob.pose.bones["spine2"].keyframe_insert("scale", frame=frame)


@row("NaN", CLEAN, INBETWEEN)
def not_a_number(rigs: Any) -> None:
    for curve in curves(walking(rigs)):
        if curve.data_path.endswith("location"):
            curve.keyframe_points[5].co[1] = float("nan")


@row(".*", CLEAN, COMPLETE)
def a_gigantic_place(rigs: Any) -> None:
    for curve in curves(walking(rigs)):
        if curve.data_path.endswith("location"):
            curve.keyframe_points[5].co[1] = 1e30


@row("is mixed with other NLA strips|mixes its action with NLA strips")
def an_action_added_to_strips(rigs: Any) -> None:
    ob = walking(rigs)
    animation = ob.animation_data
    strip = animation.nla_tracks.new().strips.new("below", 1, animation.action.copy())
    if part("compat").HAS_SLOTS:
        strip.action_slot = strip.action.slots[0]
    animation.action_blend_type = "ADD"


@row("is in tweak mode: leave it")
def a_layer_above_what_is_tweaked(rigs: Any) -> dict[str, Any]:
    ob = walking(rigs)
    animation, action = ob.animation_data, ob.animation_data.action
    animation.action = None
    track = animation.nla_tracks.new()
    strip = track.strips.new("walk", 1, action)
    if part("compat").HAS_SLOTS:
        strip.action_slot = action.slots[0]
    animation.nla_tracks.active = track
    strip.select = True
    animation.use_tweak_mode = True
    return {"target": "NLA"}


@row(None)
def names_that_need_care(rigs: Any) -> dict[str, Any]:
    ob = walking(rigs)
    ob.pose.bones["prop"].name = 'Schwert "ä\\" 剣'
    ob.animation_data.action.name = 'gehen "schnell\\" 歩く'
    ob.name = "Ünï 'code' \"q\""
    return {"changes": {ob.name}}


@row(None)
def names_as_long_as_can_be(rigs: Any) -> dict[str, Any]:
    ob = walking(rigs)
    longest = bpy.types.ID.bl_rna.properties["name"].length_max - 1
    ob.animation_data.action.name = "a" * longest
    ob.pose.bones["prop"].name = "b" * 63
    ob.name = "ö" * 31
    return {"changes": {ob.name}}


# Which frames


@row("No preview range is set", CLEAN, COMPLETE)
def a_preview_range_that_is_not_set(rigs: Any) -> dict[str, Any]:
    walking(rigs)
    return {"frames": "PREVIEW"}


@row("lie outside the chosen range 100 to 200", CLEAN, COMPLETE)
def a_range_outside_the_action(rigs: Any) -> dict[str, Any]:
    walking(rigs)
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 100, 200
    return {"frames": "SCENE"}


@row(None, CLEAN)
def a_range_of_one_frame(rigs: Any) -> dict[str, Any]:
    walking(rigs)
    scene = bpy.context.scene
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 7, 7
    return {"frames": "PREVIEW", "may_cancel": True}


@row(None)
def a_frame_step_and_other_time(rigs: Any) -> None:
    walking(rigs)
    scene = bpy.context.scene
    scene.frame_step, scene.render.frame_map_old, scene.render.frame_map_new = 3, 100, 150
    scene.frame_set(5, subframe=0.5)


@row("No key is selected", INBETWEEN)
def no_keys_selected(rigs: Any) -> None:
    misuse.select_keys(walking(rigs), set())


@row("No key is selected", CLEAN)
def a_range_of_no_keys(rigs: Any) -> dict[str, Any]:
    misuse.select_keys(walking(rigs), set())
    return {"frames": "SELECTED"}


@row("Only frame 5 has a selected key", INBETWEEN)
def one_key_selected(rigs: Any) -> None:
    misuse.select_keys(walking(rigs), {5})


@row("No frame lies between the selected keys", INBETWEEN)
def adjacent_keys(rigs: Any) -> None:
    misuse.select_keys(walking(rigs), {5, 6})


@row("Every frame has a selected key", CLEAN)
def every_key_kept(rigs: Any) -> dict[str, Any]:
    misuse.select_keys(walking(rigs), set(range(1, COUNT + 1)))
    return {"lock_selected": True}


@row("set Keys to Every Frame or Reduced", INBETWEEN)
def keys_where_there_are_none(rigs: Any) -> dict[str, Any]:
    walking(rigs)
    return {"keys": "ORIGINAL"}


@row(None, CLEAN)
def an_action_of_one_frame(rigs: Any) -> dict[str, Any]:
    walking(rigs, 1)
    return {"may_cancel": True}


# Which bones, and how many


def only_selected(ob: Any, names: set[str]) -> None:
    for bone in ob.pose.bones:
        part("compat").select(bone, bone.name in names)


@row("No bone is selected", CLEAN, COMPLETE)
def no_bone_selected(rigs: Any) -> dict[str, Any]:
    only_selected(walking(rigs), set())
    return {"bones": "SELECTED"}


@row("The hips .* cannot be missing", COMPLETE)
def missing_hips(rigs: Any) -> dict[str, Any]:
    only_selected(walking(rigs), {"pelvis"})
    return {"bones": "SELECTED"}


@row("The hips .* cannot be missing", COMPLETE)
def everything_missing(rigs: Any) -> dict[str, Any]:
    ob = walking(rigs)
    only_selected(ob, {bone.name for bone in ob.pose.bones})
    return {"bones": "SELECTED"}


@row("belongs to the body", COMPLETE)
def a_bone_that_is_not_the_bodys(rigs: Any) -> dict[str, Any]:
    only_selected(walking(rigs), {"prop"})
    return {"bones": "SELECTED"}


@row("Every bone of Smpl has keys", COMPLETE)
def none_without_keys(rigs: Any) -> dict[str, Any]:
    walking(rigs)
    return {"bones": "UNKEYED"}


@row("No part of the body is chosen", CLEAN, COMPLETE)
def no_parts(rigs: Any) -> dict[str, Any]:
    walking(rigs)
    return {"bones": "PARTS", "parts": set()}


@row(None, COMPLETE)
def less_than_one_variant(rigs: Any) -> dict[str, Any]:
    walking(rigs)
    return {"variants": -3, "seed": -1}


@row(None, CLEAN)
def absurd_numbers(rigs: Any) -> dict[str, Any]:
    walking(rigs)
    return {"strength": 1e9, "tolerance": -5.0, "keys": "REDUCED", "blend_in": 10**6, "blend_out": -4}


@row("choose another interpreter", CLEAN)
def no_interpreter(rigs: Any) -> dict[str, Any]:
    walking(rigs)
    return {"python": str(Path("nowhere", "python").absolute())}


@row("did not start", CLEAN)
def something_that_is_no_interpreter(rigs: Any) -> dict[str, Any]:
    if os.name != "posix":
        pytest.skip("needs a program that does nothing")
    walking(rigs)
    return {"python": "/bin/false"}


def cases() -> list[Any]:
    return [
        pytest.param(row, tool, id=f"{tool.name}-{row.setup.__name__}") for row in ROWS for tool in row.tools
    ]


@pytest.mark.parametrize(("row", "tool"), cases())
def test_misuse(row: Row, tool: Tool, rigs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rigs.folder = tmp_path
    settings = row.setup(rigs) or {}
    changes = settings.pop("changes", {"Smpl"})
    same, may_cancel = settings.pop("same", ()), settings.pop("may_cancel", False)
    if python := settings.pop("python", ""):
        monkeypatch.setenv("DPOSER_PYTHON", python)
    if settings.pop("selected", False) and tool is COMPLETE:
        only_selected(bpy.context.object, {"a"})
        settings["bones"] = "SELECTED"
    mode = bpy.context.mode
    before, held = digest(), held_curves(same)
    try:
        status = tool.run(**settings)
    except RuntimeError as error:
        text = check_sentence(str(error))
        assert row.expected is not None and re.search(row.expected, text), text
        assert differing(before, digest()) == set()
        return
    finally:
        assert bpy.context.mode == mode
    assert row.expected in (None, ".*"), "it should have refused"
    if status == "CANCELLED" and may_cancel:
        assert differing(before, digest()) == set()
        return
    assert status == "FINISHED"
    after = digest()
    news = {f"action {name}" for name in set(after["names actions"]) - set(before["names actions"])}
    assert news
    allowed = {"names actions", *news}
    for name in changes:
        ob = bpy.data.objects[name]
        allowed |= {f"object {ob.name_full} {what}" for what in ("animation", "record")}
    originals = {key for key in differing(before, after) if key in before and key.startswith("action ")}
    assert differing(before, after) - originals <= allowed
    for key in originals:  # kept for the user, and otherwise as it was
        assert before[key][1] == after[key][1]
    assert held == held_curves(same)


def held_curves(paths: tuple[str, ...]) -> dict[Any, Any]:
    """Keys of the active armature's curves of some bones."""
    ob = part("armature").find(bpy.context)
    if ob is None or not paths:
        return {}
    return {
        (c.data_path, c.array_index): [tuple(key.co) for key in c.keyframe_points]
        for c in curves(ob)
        if any(path in c.data_path for path in paths)
    }


# What happens while a tool is at work


@dataclass(frozen=True)
class Interruption:
    """Something that happens in mid-job, when, and what comes of it."""

    expected: str | None
    phase: str
    event: Callable[[Any], None]


EVENTS: list[Interruption] = []
Event = Callable[[Any], None]


def during(expected: str | None, *phases: str) -> Callable[[Event], Event]:
    """Put an event into the table: while the engine is ``asked``, Blender is ``reading``, or ``writing``."""

    def put(event: Event) -> Event:
        EVENTS.extend(Interruption(expected, phase, event) for phase in phases)
        return event

    return put


def in_window(operator: Callable[[], Any]) -> None:
    """Call an operator that Blender wants a window for."""
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        operator()


@during("Smpl was removed while DPoser was at work; nothing was changed", "asked", "reading", "writing")
def the_armature_is_deleted(ob: Any) -> None:
    bpy.data.objects.remove(ob)


@during(None, "asked", "reading", "writing")
def the_armature_is_renamed(ob: Any) -> None:
    ob.name = "Other"


@during("bones of Smpl were edited", "asked", "reading", "writing")
def a_bone_is_renamed(ob: Any) -> None:
    ob.data.bones["head"].name = "skull"


@during("Smpl is in Edit Mode", "asked", "reading", "writing")
def edit_mode_is_entered(ob: Any) -> None:
    bpy.ops.object.mode_set(mode="EDIT")


@during(None, "asked", "reading", "writing")
def pose_mode_is_entered(ob: Any) -> None:
    bpy.ops.object.mode_set(mode="POSE")


@during("was given another action", "asked", "reading", "writing")
def another_action_is_assigned(ob: Any) -> None:
    action = bpy.data.actions.new("other")
    part("compat").assign(ob.animation_data, action, part("compat").new_slot(action, ob))


@during("has no action|was given another action", "asked", "writing")
def its_animation_is_cleared(ob: Any) -> None:
    ob.animation_data_clear()


@during("has no action", "asked")
def the_action_is_deleted(ob: Any) -> None:
    bpy.data.actions.remove(bpy.data.actions["walk"])


@during("walk was edited since it was read", "asked")
def a_key_is_edited(ob: Any) -> None:
    curves(ob)[3].keyframe_points[4].co[1] += 0.25
    curves(ob)[3].update()


@during("walk was edited since it was read", "asked")
def a_rotation_mode_is_changed(ob: Any) -> None:
    ob.pose.bones["head"].rotation_mode = "XYZ"


@during("rest position", "reading")
def the_rest_position_is_shown(ob: Any) -> None:
    ob.data.pose_position = "REST"


@during(None, "reading")
def the_armature_is_hidden(ob: Any) -> None:
    ob.hide_viewport = True


@during(None, "asked", "reading", "writing")
def the_frame_is_changed(ob: Any) -> None:
    bpy.context.scene.frame_set(17)


@during(None, "asked", "reading", "writing")
def something_else_is_selected(ob: Any) -> None:
    bpy.context.view_layer.objects.active = None


@during(None, "asked", "reading", "writing")
def another_scene_is_shown(ob: Any) -> None:
    bpy.context.window_manager.windows[0].scene = bpy.data.scenes.new("Elsewhere")


@during("The scene of Smpl was removed", "asked", "reading", "writing")
def the_scene_is_deleted(ob: Any) -> None:
    scene = bpy.context.scene
    bpy.context.window_manager.windows[0].scene = bpy.data.scenes.new("Elsewhere")
    bpy.data.scenes.remove(scene)


@during("stopped unexpectedly", "asked")
def the_engine_is_killed(ob: Any) -> None:
    if os.name != "posix":
        pytest.skip("needs POSIX signals")
    process = part("session").running()
    if process is not None and process.info is not None:  # not where the event is seen without a job
        os.kill(process.info["pid"], signal.SIGSTOP)
        os.kill(process.info["pid"], signal.SIGKILL)


@during("Cancelled; nothing was changed", "asked", "reading", "writing")
def it_is_cancelled(ob: Any) -> None:
    part("jobs").cancel()


@during("Cancelled; nothing was changed", "asked", "reading", "writing")
def the_extension_is_disabled(ob: Any) -> None:
    root = importlib.import_module("dposer_ext")
    root.unregister()
    root.register()


@during("Cancelled, as something was undone; nothing was changed", "asked", "reading", "writing")
def something_is_undone(ob: Any) -> None:
    in_window(bpy.ops.ed.undo)


@during("Cancelled, as something was redone; nothing was changed", "asked", "reading", "writing")
def something_is_redone(ob: Any) -> None:
    in_window(bpy.ops.ed.redo)


def begin(rigs: Any, phase: str, event: Any) -> Any:
    """The file in which something happens, with undo steps around."""
    ob = walking(rigs)
    if phase == "reading":
        source = bpy.data.objects.new("Source", None)
        bpy.context.scene.collection.objects.link(source)
        ob.pose.bones["prop"].constraints.new("COPY_ROTATION").target = source
    bpy.context.scene.frame_set(2)
    bpy.ops.ed.undo_push(message="A")
    bpy.context.scene.frame_set(3)
    bpy.ops.ed.undo_push(message="B")
    if event is something_is_redone:
        in_window(bpy.ops.ed.undo)
    return bpy.data.objects["Smpl"]


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{case.event.__name__}-{case.phase}") for case in EVENTS]
)
def test_in_mid_job(case: Interruption, rigs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    case.event(begin(rigs, case.phase, case.event))
    expected = digest()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    ob = begin(rigs, case.phase, case.event)
    job = started(CLEAN, ob, case.phase, monkeypatch)
    case.event(ob)
    if case.expected is not None:
        with pytest.raises(part("jobs").EngineError) as caught:
            drive(job)
        text = check_sentence(str(caught.value))
        assert re.search(case.expected, text), text
        assert differing(expected, digest()) == set()
        return
    done = drive(job)
    assert done.finished and check_sentence(done.sentence).startswith("Cleaned")
    name = "Other" if case.event is the_armature_is_renamed else "Smpl"
    allowed = {"names actions", "action walk", "action walk_clean"}
    allowed |= {f"object {name} {what}" for what in ("animation", "record")}
    after = digest()
    assert differing(expected, after) <= allowed
    assert after["action walk"][1] == expected["action walk"][1]


def test_saving_while_it_is_written(rigs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ob, path = walking(rigs), str(tmp_path / "saved.blend")
    before = digest()
    job = started(CLEAN, ob, "writing", monkeypatch)
    bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
    with pytest.raises(part("jobs").Cancelled, match="as the file was saved; nothing was changed"):
        drive(job)
    assert differing(before, digest()) == set()
    with bpy.data.libraries.load(path) as (saved, _):
        assert saved.actions == ["walk"]


def test_saving_while_the_engine_is_at_work(rigs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = started(CLEAN, walking(rigs), "asked", monkeypatch)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    assert drive(job).finished


@pytest.mark.parametrize("phase", ["asked", "reading", "writing"])
def test_loading_another_file(rigs: Any, phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = started(CLEAN, begin(rigs, phase, None), phase, monkeypatch)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    other = rigs.mixamo()
    rigs.animate(other, 5)
    before = digest()
    with pytest.raises(part("jobs").Cancelled):
        job.advance(bpy.context)
    job.abandon()  # as Blender does when it ends the operator
    assert differing(before, digest()) == set() and part("jobs").current() is None


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_two_at_once(tool: Tool, rigs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ob = walking(rigs)
    started(CLEAN, ob, "asked", monkeypatch)
    before = digest()
    with pytest.raises(RuntimeError, match="DPoser is at work: wait, or press Esc to cancel"):
        tool.run()
    assert differing(before, digest()) == set()


def test_a_render_is_waited_for(rigs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, ob = part("jobs"), walking(rigs)
    job = started(CLEAN, ob, "writing", monkeypatch)
    monkeypatch.setattr(jobs, "is_blocked", lambda: True)  # headless Blender renders in the foreground
    before = digest()
    for _ in range(5):
        assert job.advance(bpy.context) is None
    assert job.stage == "Waiting for the render" and differing(before, digest()) == set()
    monkeypatch.setattr(jobs, "is_blocked", lambda: False)
    assert drive(job).finished
    monkeypatch.setattr(jobs, "_current", None)
    monkeypatch.setattr(jobs, "is_blocked", lambda: True)
    with pytest.raises(RuntimeError, match="Blender is rendering: wait until that is done"):
        CLEAN.run()


# What is done to a result


@dataclass(frozen=True)
class Deed:
    """Something done to a result, what is then asked for, and what comes of it."""

    expected: str | None
    operator: str
    deed: Callable[[Any], None]


AFTER: list[Deed] = []


def then(expected: str | None, *operators: str) -> Callable[[Event], Event]:
    """Put a deed into the table, before each of some operators."""

    def put(deed: Event) -> Event:
        AFTER.extend(Deed(expected, operator, deed) for operator in operators)
        return deed

    return put


EVERY = ("compare", "show_variant", "apply_variant", "discard_result", "blend_result", "more_variants")


@then("There is no result: run a tool first", *EVERY)
def the_result_is_deleted(ob: Any) -> None:
    bpy.data.actions.remove(ob.dposer_result.result)


@then("original action was deleted", "compare", "discard_result")
def the_original_is_deleted(ob: Any) -> None:
    bpy.data.actions.remove(ob.dposer_result.original)


@then(None, "show_variant", "blend_result")
def a_variant_is_deleted(ob: Any) -> None:
    bpy.data.actions.remove(ob.dposer_result.variants[1].action)


@then("The actions of all variants were deleted: run the tool again", "show_variant")
def all_variants_are_deleted(ob: Any) -> None:
    every_variant_is_deleted(ob)


@then(None, "compare", "discard_result", "apply_variant", "blend_result")
def every_variant_is_deleted(ob: Any) -> None:
    for variant in ob.dposer_result.variants:
        bpy.data.actions.remove(variant.action)


@then(None, "compare", "show_variant", "apply_variant", "discard_result")
def another_action_is_shown(ob: Any) -> None:
    another_action_is_assigned(ob)


@then("shows another action: press Compare first", "more_variants")
def yet_another_action_is_shown(ob: Any) -> None:
    another_action_is_assigned(ob)


@then(None, "compare", "show_variant", "apply_variant", "discard_result", "more_variants")
def the_result_is_renamed(ob: Any) -> None:
    ob.dposer_result.result.name = "mine"


@then(None, "compare", "show_variant", "apply_variant", "discard_result", "more_variants")
def the_object_is_renamed(ob: Any) -> None:
    ob.name = "Other"


@then("no longer has the slot Smpl: undo", "compare", "show_variant", "discard_result")
def the_slots_are_renamed(ob: Any) -> None:
    if not part("compat").HAS_SLOTS:
        pytest.skip("this Blender has no slots")
    for action in (ob.dposer_result.original, ob.dposer_result.result):
        action.slots[0].name_display = "Elsewhat"


def vary(count: int) -> None:
    """Let the active armature have variants of a result."""
    assert INBETWEEN.run(method="motion", variation=0.5, variants=count) == "FINISHED"


@pytest.mark.parametrize("case", [pytest.param(c, id=f"{c.operator}-{c.deed.__name__}") for c in AFTER])
def test_after_a_run(case: Deed, rigs: Any) -> None:
    ob = walking(rigs)
    vary(3)
    assert len(ob.dposer_result.variants) == 3
    case.deed(ob)
    before = digest()
    try:
        (status,) = getattr(bpy.ops.dposer, case.operator)()
    except RuntimeError as error:
        text = check_sentence(str(error))
        assert case.expected is not None and re.search(case.expected, text), text
        assert differing(before, digest()) == set()
        return
    assert case.expected is None and status == "FINISHED"
    after = digest()
    if "action walk" in before:
        assert after["action walk"][1] == before["action walk"][1]
    assert {key for key in differing(before, after) if key.startswith("scene")} == set()


def test_discarding_leaves_what_others_use(rigs: Any) -> None:
    ob = walking(rigs)
    vary(2)
    result = ob.dposer_result.result
    other = rigs.smpl()
    part("compat").assign(other.animation_data_create(), *part("compat").action_of(ob.animation_data))
    bpy.context.view_layer.objects.active = ob
    assert bpy.ops.dposer.discard_result() == {"FINISHED"}
    assert other.animation_data.action == result and ob.animation_data.action.name == "walk"


def test_discarding_a_copys_result_leaves_the_others_variants(rigs: Any) -> None:
    ob = walking(rigs)
    vary(2)
    twin = ob.copy()
    bpy.context.scene.collection.objects.link(twin)
    bpy.context.view_layer.objects.active = twin
    assert bpy.ops.dposer.discard_result() == {"FINISHED"}
    assert all(variant.action is not None for variant in ob.dposer_result.variants)
    assert ob.animation_data.action == ob.dposer_result.result
    bpy.context.view_layer.objects.active = ob
    assert bpy.ops.dposer.show_variant() == {"FINISHED"}


def test_there_are_enough() -> None:
    deeds = {row.setup for row in ROWS} | {event.event for event in EVENTS} | {deed.deed for deed in AFTER}
    assert len(deeds) >= 80
