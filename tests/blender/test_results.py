# SPDX-License-Identifier: GPL-3.0-or-later
"""Variants, Compare, Apply and Discard on three rigs: quick, one undo step each, kept in the file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from rigcheck.extension import part  # noqa: E402
from rigcheck.misuse import INBETWEEN, differing, digest, select_keys  # noqa: E402

COUNT, SEED, VARIANTS = 24, 21, 4
FRAMES = range(1, COUNT + 1)


@pytest.fixture
def rig(animated: Any) -> Any:
    """A rig with variants of a result; before it there are two undo steps."""
    select_keys(animated, {4, 12, 20})
    assert INBETWEEN.run(method="motion", variation=0.7, variants=VARIANTS, seed=SEED) == "FINISHED"
    for message in ("Start", "Before"):
        bpy.ops.ed.undo_push(message=message)
    return animated


def undone(operator: Callable[..., set[str]], rigs: Any, **settings: Any) -> tuple[Any, np.ndarray]:
    """Call an operator and undo it in one step; the digest and the poses in between."""
    ob = bpy.context.object
    before, poses = digest(), rigs.poses(ob, FRAMES)
    assert operator("EXEC_DEFAULT", True, **settings) == {"FINISHED"}
    ob = bpy.context.object
    found = digest(), rigs.poses(ob, FRAMES)
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo()
    assert differing(before, digest()) - {"scene Scene"} == set()
    np.testing.assert_array_equal(rigs.poses(bpy.context.object, FRAMES), poses)
    return found


def test_every_variant_is_shown_and_differs(rig: Any, rigs: Any) -> None:
    record, seen = rig.dposer_result, []
    assert [variant.seed for variant in record.variants] == list(range(SEED, SEED + VARIANTS))
    for number in range(VARIANTS):
        assert record.index == number
        seen.append(rigs.poses(rig, FRAMES))
        bpy.ops.dposer.show_variant()
    np.testing.assert_array_equal(rigs.poses(rig, FRAMES), seen[0])
    bpy.ops.dposer.show_variant(step=-1)
    assert record.index == VARIANTS - 1
    np.testing.assert_array_equal(rigs.poses(rig, FRAMES), seen[-1])
    for a in range(VARIANTS):
        for b in range(a):
            assert np.abs(seen[a] - seen[b]).max() > 1e-3


def test_stepping_is_quick(rig: Any) -> None:
    bpy.context.scene.frame_set(8)
    taken = []
    for _ in range(12):
        begin = time.perf_counter()
        bpy.ops.dposer.show_variant()
        bpy.context.view_layer.update()
        taken.append(time.perf_counter() - begin)
    print(f"\n{rig.name}: {1000 * np.median(taken):.1f} ms a step, at most {1000 * max(taken):.1f} ms")
    assert np.median(taken) < 1.0  # 50 ms on an idle machine; to ask the engine anew takes seconds


def test_stepping_is_one_undo_step(rig: Any, rigs: Any) -> None:
    undone(bpy.ops.dposer.show_variant, rigs)


def test_comparing_shows_the_original_and_the_result_again(rig: Any, rigs: Any) -> None:
    result, original = rigs.poses(rig, FRAMES), rig.dposer_result.original
    _, shown = undone(bpy.ops.dposer.compare, rigs)
    rig = bpy.context.object
    part("writing").assign(rig, bpy.data.actions[original.name], rig.dposer_result.original_slot)
    np.testing.assert_array_equal(rigs.poses(rig, FRAMES), shown)
    bpy.ops.dposer.compare()
    np.testing.assert_array_equal(rigs.poses(rig, FRAMES), result)


def test_applying_keeps_the_one_that_is_shown(rig: Any, rigs: Any) -> None:
    bpy.ops.dposer.show_variant()
    bpy.ops.ed.undo_push(message="Shown")
    poses = rigs.poses(rig, FRAMES)
    after, shown = undone(bpy.ops.dposer.apply_variant, rigs)
    np.testing.assert_array_equal(shown, poses)
    assert after[f"object {bpy.context.object.name} record"][3] == []


def test_discarding_leaves_the_file_as_it_was(rig: Any, rigs: Any) -> None:
    original = rig.dposer_result.original.name
    after, shown = undone(bpy.ops.dposer.discard_result, rigs)
    assert not [name for name in after["names actions"] if "_inbetween" in name or name.startswith(".")]
    rig = bpy.context.object
    bpy.ops.dposer.discard_result()
    assert rig.animation_data.action.name == original
    np.testing.assert_array_equal(rigs.poses(rig, FRAMES), shown)


def test_the_file_keeps_the_variants(rig: Any, rigs: Any, tmp_path: Path) -> None:
    seen = []
    for _ in range(VARIANTS):
        seen.append(rigs.poses(rig, FRAMES))
        bpy.ops.dposer.show_variant()
    path, name = str(tmp_path / "kept.blend"), rig.name
    bpy.ops.dposer.compare()  # the result is not shown, and stays all the same
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    rig = bpy.data.objects[name]
    bpy.context.view_layer.objects.active = rig
    bpy.ops.dposer.compare()
    assert [variant.seed for variant in rig.dposer_result.variants] == list(range(SEED, SEED + VARIANTS))
    for poses in seen:
        np.testing.assert_array_equal(rigs.poses(rig, FRAMES), poses)
        bpy.ops.dposer.show_variant()


def test_more_variants_after_a_blend_keep_the_full_result(rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, COUNT)
    assert bpy.ops.dposer.complete_limbs(bones="PARTS", parts={"left_leg"}, variants=1, seed=3) == {"FINISHED"}
    full = rigs.keys(ob)
    assert bpy.ops.dposer.blend_result(influence=0.0) == {"FINISHED"}
    assert bpy.ops.dposer.more_variants() == {"FINISHED"}
    assert bpy.ops.dposer.show_variant(step=-1) == {"FINISHED"}
    shown = rigs.keys(ob)
    assert all(np.array_equal(full[key], shown[key]) for key in full)


def test_a_result_that_the_user_pushed_down_stays(rigs: Any) -> None:
    ob = rigs.smpl()
    original = rigs.animate(ob, COUNT)
    bpy.ops.dposer.clean_motion(method="butterworth")
    animation = ob.animation_data
    result, slot = part("compat").action_of(animation)
    animation.action = None
    track = animation.nla_tracks.new()
    part("compat").assign_to_strip(track.strips.new("mine", 1, result), result, slot)
    assert bpy.ops.dposer.discard_result() == {"FINISHED"}
    assert [t.strips[0].action for t in animation.nla_tracks] == [result]
    assert animation.action == original


def test_a_result_above_strips_shows_them_on_every_other_frame(rigs: Any) -> None:
    """An action above NLA strips hides them, on the frames that it has no keys for, too."""
    ob, scene = rigs.mixamo(), bpy.context.scene
    rigs.animate(ob, 60, noise=3.0)
    assert bpy.ops.dposer.clean_motion(method="wiener", target="NLA") == {"FINISHED"}
    before = rigs.poses(ob, range(1, 61))
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 25, 35
    options = {"bones": "PARTS", "parts": {"left_leg"}, "frames": "PREVIEW", "variants": 1}
    assert bpy.ops.dposer.complete_limbs(**options) == {"FINISHED"}
    moved = np.linalg.norm((rigs.poses(ob, range(1, 61)) - before)[..., :3, 3], axis=-1).max(axis=1) * ob.scale[0]
    assert moved[24:35].max() > 0.01
    assert moved[:24].max() < 1e-4 and moved[35:].max() < 1e-4


@pytest.mark.parametrize("target", ["NEW", "NLA"])
def test_frames_outside_the_range_of_strips_go_on(rigs: Any, target: str) -> None:
    ob, scene = rigs.mixamo(), bpy.context.scene
    action = rigs.animate(ob, 60, noise=3.0)
    animation, slot = ob.animation_data, part("compat").slot_identifier(ob.animation_data)
    animation.action = None
    track = animation.nla_tracks.new()
    part("compat").assign_to_strip(track.strips.new("walk", 1, action), action, slot)
    before = rigs.poses(ob, range(1, 61))
    scene.frame_start, scene.frame_end = 20, 30
    assert bpy.ops.dposer.clean_motion(method="wiener", frames="SCENE", target=target) == {"FINISHED"}
    moved = np.linalg.norm((rigs.poses(ob, range(1, 61)) - before)[..., :3, 3], axis=-1).max(axis=1) * ob.scale[0]
    assert moved[19:30].max() > 1e-3
    assert max(moved[:19].max(), moved[30:].max()) < 1e-4
    extrapolation = animation.action_extrapolation
    assert bpy.ops.dposer.discard_result() == {"FINISHED"}
    np.testing.assert_allclose(rigs.poses(ob, range(1, 61)), before, atol=1e-4)
    assert animation.action_extrapolation == "HOLD" and (target == "NLA" or extrapolation == "NOTHING")
