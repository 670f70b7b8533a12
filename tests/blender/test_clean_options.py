# SPDX-License-Identifier: GPL-3.0-or-later
"""Clean Motion's choice of frames and bones, keys that stay, and ends that blend: on evaluated joints of three rigs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from rigcheck import rigify as rigify_motion  # noqa: E402
from rigcheck.extension import part  # noqa: E402
from rigcheck.misuse import select_keys  # noqa: E402

FRAMES = range(1, 61)


def shake(ob: Any, degrees: float) -> None:
    """Noise on every rotation key."""
    random = np.random.default_rng(0)
    for curve in part("compat").curves(ob.animation_data):
        if "rotation" in curve.data_path:
            for key in curve.keyframe_points:
                key.co[1] += random.normal(scale=np.radians(degrees) / 2)


@pytest.fixture(params=["smpl", "mixamo", "rigify"])
def noisy(request: pytest.FixtureRequest, rigs: Any) -> tuple[Any, range]:
    """A rig with a noisy motion, and its frames."""
    if request.param == "rigify":
        ob = request.getfixturevalue("rigify")
        rigify_motion.animate(ob, "FK")
        shake(ob, 4.0)
        return ob, rigify_motion.FRAMES
    ob = getattr(rigs, request.param)()
    rigs.animate(ob, FRAMES[-1], noise=4.0, modes=rigs.MODES)
    return ob, FRAMES


def moved(ob: Any, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(T, J) metres that the heads of bones have moved."""
    return np.linalg.norm((after - before)[..., :3, 3], axis=-1) * ob.scale[0]


def test_keys_that_are_selected_stay_and_the_rest_is_cleaned(noisy: tuple[Any, range], rigs: Any) -> None:
    ob, frames = noisy
    kept = {5, 6, 14}
    select_keys(ob, kept)
    before = rigs.poses(ob, frames)
    assert bpy.ops.dposer.clean_motion(method="wiener", lock_selected=True) == {"FINISHED"}
    change = moved(ob, before, rigs.poses(ob, frames)).max(axis=1)
    locked = np.array([frame in kept for frame in frames])
    assert change[locked].max() < 1e-5
    assert np.median(change[~locked]) > 0.005


def test_the_range_of_the_selected_keys(noisy: tuple[Any, range], rigs: Any) -> None:
    ob, frames = noisy
    select_keys(ob, {8, 11, 16})
    before = rigs.poses(ob, frames)
    assert bpy.ops.dposer.clean_motion(method="wiener", frames="SELECTED") == {"FINISHED"}
    change = moved(ob, before, rigs.poses(ob, frames)).max(axis=1)
    inside = np.array([8 <= frame <= 16 for frame in frames])
    assert change[~inside].max() < 1e-5 and np.median(change[inside]) > 0.002


def test_a_result_that_blends_in_and_out(noisy: tuple[Any, range], rigs: Any) -> None:
    ob, frames = noisy
    before, keys = rigs.poses(ob, frames), rigs.keys(ob)
    assert bpy.ops.dposer.clean_motion(method="median") == {"FINISHED"}
    whole = moved(ob, before, rigs.poses(ob, frames)).max(axis=1)
    bpy.ops.dposer.discard_result()
    assert all(np.array_equal(own, rigs.keys(ob)[key]) for key, own in keys.items())
    assert bpy.ops.dposer.clean_motion(method="median", blend_in=8, blend_out=8) == {"FINISHED"}
    blended = moved(ob, before, rigs.poses(ob, frames)).max(axis=1)
    assert blended[0] < 0.1 * whole[0] and blended[-1] < 0.1 * whole[-1]
    np.testing.assert_allclose(blended[9:-9], whole[9:-9], atol=1e-4)


def test_parts_of_the_body(noisy: tuple[Any, range], rigs: Any) -> None:
    ob, frames = noisy
    before = rigs.poses(ob, frames)
    options = {"bones": "PARTS", "parts": {"right_arm", "head"}}
    assert bpy.ops.dposer.clean_motion(method="wiener", **options) == {"FINISHED"}
    change = moved(ob, before, rigs.poses(ob, frames)).max(axis=0)
    names = [bone.name for bone in ob.data.bones]

    def hand(side: str) -> int:
        known = (f"DEF-hand.{side[0].upper()}", f"{side}_wrist", f"mixamorig:{side.title()}Hand")
        return next(j for j, name in enumerate(names) if name in known)

    assert change[hand("right")] > 0.005
    assert change[hand("left")] < 1e-5


def test_every_action_of_an_armature(rigs: Any, extension: Callable[[str], Any]) -> None:
    ob = rigs.smpl()
    first = rigs.animate(ob, 30, seed=1)
    ob.animation_data.action = None
    second = rigs.animate(ob, 40, seed=2)
    second.name = "run"
    other = bpy.data.actions.new("camera")
    assert bpy.ops.dposer.clean_motion(method="butterworth", actions="ALL") == {"FINISHED"}
    assert {action.name for action in bpy.data.actions} == {"walk", "run", "camera", "walk_clean", "run_clean"}
    assert ob.animation_data.action.name == "run_clean"
    compat = extension("compat")
    for action in (first, second):
        clean = bpy.data.actions[f"{action.name}_clean"]
        slot = action.slots[0].identifier if compat.HAS_SLOTS else ""
        old, new = (
            {(c.data_path, c.array_index): c.evaluate(15.0) for c in compat.curves_of(a, slot)} for a in (action, clean)
        )
        assert old.keys() == new.keys()
        assert max(abs(old[key] - new[key]) for key in old) > 1e-3
    assert not other.use_fake_user


def test_a_range_without_selected_keys_is_told(rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 20)
    select_keys(ob, set())
    for options in ({"frames": "SELECTED"}, {"lock_selected": True}):
        with pytest.raises(RuntimeError, match="No key is selected"):
            bpy.ops.dposer.clean_motion(method="median", **options)
    select_keys(ob, set(range(1, 21)))
    with pytest.raises(RuntimeError, match="Every frame has a selected key"):
        bpy.ops.dposer.clean_motion(method="median", lock_selected=True)
    assert [action.name for action in bpy.data.actions] == ["walk"]
