# SPDX-License-Identifier: GPL-3.0-or-later
"""A result mixed with its original, judged by Blender's evaluation of the joints, on three kinds of rig."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from rigcheck import rigify as rigify_motion  # noqa: E402

FRAMES = range(1, 41)
EXACT = 0.02  # degrees; single precision down a chain of bones


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees between the orientations of poses (..., 4, 4)."""
    turn = np.swapaxes(a[..., :3, :3], -1, -2) @ b[..., :3, :3]
    turn = turn / np.cbrt(np.linalg.det(turn))[..., None, None]
    sine = np.sqrt(sum((turn[..., i, j] - turn[..., j, i]) ** 2 for i, j in ((2, 1), (0, 2), (1, 0)))) / 2
    return np.degrees(np.arctan2(sine, (np.trace(turn, axis1=-2, axis2=-1) - 1) / 2))


def locals_of(ob: Any, poses: np.ndarray) -> np.ndarray:
    """(T, J, 4, 4) each bone's pose in its parent's."""
    bones = list(ob.data.bones)
    index = {bone.name: j for j, bone in enumerate(bones)}
    above = [index[bone.parent.name] if bone.parent else -1 for bone in bones]
    with_world = np.concatenate([poses, np.broadcast_to(np.eye(4), (len(poses), 1, 4, 4))], axis=1)
    return np.linalg.solve(with_world[:, above], poses)


@pytest.fixture(params=["smpl", "mixamo", "rigify"])
def cleaned(request: pytest.FixtureRequest, rigs: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    """A rig with a cleaned walk, its poses before and after."""
    if request.param == "rigify":
        ob, frames = request.getfixturevalue("rigify"), rigify_motion.FRAMES
        rigify_motion.animate(ob, "FK")
        random = np.random.default_rng(0)
        for curve in request.getfixturevalue("compat").curves(ob.animation_data):
            if "rotation" in curve.data_path:
                for key in curve.keyframe_points:
                    key.co[1] += random.normal(scale=0.05)
    else:
        ob, frames = getattr(rigs, request.param)(), FRAMES
        rigs.animate(ob, FRAMES[-1], noise=5.0, modes=rigs.MODES)
    bpy.context.scene.frame_set(frames[0])
    before = rigs.poses(ob, frames)
    assert bpy.ops.dposer.clean_motion(method="wiener") == {"FINISHED"}
    return ob, before, rigs.poses(ob, frames)


def test_none_is_the_original_all_the_result_and_half_lies_between(
    cleaned: tuple[Any, np.ndarray, np.ndarray], rigs: Any
) -> None:
    ob, before, after = cleaned
    frames = range(1, len(before) + 1)
    original = ob.dposer_result.original
    keys = {(c.data_path, c.array_index): len(c.keyframe_points) for c in _curves(original)}
    assert angles(before, after).max() > 1.0
    assert bpy.ops.dposer.blend_result(influence=0.0) == {"FINISHED"}
    assert angles(before, rigs.poses(ob, frames)).max() < EXACT
    assert bpy.ops.dposer.blend_result(influence=1.0) == {"FINISHED"}
    assert angles(after, rigs.poses(ob, frames)).max() < EXACT
    assert bpy.ops.dposer.blend_result(influence=0.5) == {"FINISHED"}
    half = rigs.poses(ob, frames)
    if ob.name != "Rigify":  # whose bones follow one another
        whole, part = (angles(locals_of(ob, before), locals_of(ob, p)) for p in (after, half))
        np.testing.assert_allclose(part, whole / 2, atol=0.1)
    assert 0.3 < angles(before, half).mean() / angles(before, after).mean() < 0.7
    assert keys == {(c.data_path, c.array_index): len(c.keyframe_points) for c in _curves(original)}


def test_a_part_of_the_body_on_a_part_of_the_frames(
    cleaned: tuple[Any, np.ndarray, np.ndarray], rigs: Any, extension: Callable[[str], Any]
) -> None:
    ob, before, after = cleaned
    scene, frames = bpy.context.scene, range(1, len(before) + 1)
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 8, 16
    options = {"influence": 0.0, "bones": "PARTS", "parts": {"left_arm"}, "frames": "PREVIEW"}
    assert bpy.ops.dposer.blend_result(**options) == {"FINISHED"}
    blended = rigs.poses(ob, frames)
    names = [bone.name for bone in ob.data.bones]
    bones = extension("results").bones_of(ob.dposer_result, ["left_shoulder", "left_elbow"])
    arm = [names.index(name) for name in bones]
    others = [j for j, name in enumerate(names) if name.startswith(("thigh_fk.R", "mixamorig:RightUpLeg", "right_hip"))]
    outside = [*range(7), *range(16, len(before))]
    assert angles(after[outside], blended[outside]).max() < EXACT
    assert arm and others
    assert angles(after[:, others], blended[:, others]).max() < EXACT
    inside = locals_of(ob, blended)[7:16, arm]
    if ob.name != "Rigify":
        assert angles(locals_of(ob, before)[7:16, arm], inside).max() < EXACT
    assert angles(locals_of(ob, after)[7:16, arm], inside).max() > 0.5


def test_a_limb_that_was_switched_is_blended_by_its_switch(rigify: Any, rigs: Any) -> None:
    """Of the bones that carry the skin: the FK controls keep the result's values, and the switch decides."""
    rigify_motion.animate(rigify, "IK")
    names = [bone.name for bone in rigify.data.bones]
    skin = [j for j, name in enumerate(names) if name.startswith("DEF-")]
    leg = [names.index(f"DEF-{part}.L") for part in ("thigh", "shin")]

    def posed() -> np.ndarray:
        return rigs.poses(rigify, rigify_motion.FRAMES)

    before = posed()
    options = {"bones": "PARTS", "parts": {"left_leg"}, "frames": "ACTION", "variants": 1}
    assert bpy.ops.dposer.complete_limbs(**options) == {"FINISHED"}
    after = posed()
    assert angles(before, after)[:, leg].mean() > 3.0
    assert bpy.ops.dposer.blend_result(influence=0.0) == {"FINISHED"}
    assert angles(before, posed())[:, skin].max() < EXACT
    assert bpy.ops.dposer.blend_result(influence=0.5) == {"FINISHED"}
    share = angles(before, posed())[:, leg].mean() / angles(before, after)[:, leg].mean()
    assert 0.3 < share < 0.7
    assert bpy.ops.dposer.blend_result(influence=1.0) == {"FINISHED"}
    assert angles(after, posed()).max() < EXACT


def test_one_undo_takes_a_blend_back(rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 20)
    bpy.ops.ed.undo_push(message="Before")
    bpy.ops.dposer.clean_motion("EXEC_DEFAULT", True, method="butterworth")
    full = rigs.keys(ob)
    bpy.ops.dposer.blend_result("EXEC_DEFAULT", True, influence=0.3)
    assert any(not np.array_equal(full[key], own) for key, own in rigs.keys(ob).items())
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo()
    ob = bpy.data.objects["Smpl"]
    assert all(np.array_equal(full[key], own) for key, own in rigs.keys(ob).items())


def test_the_blend_comes_in_and_goes_out_smoothly(rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 40, noise=6.0)
    before = rigs.poses(ob, FRAMES)
    bpy.ops.dposer.clean_motion(method="wiener")
    after = rigs.poses(ob, FRAMES)
    bpy.ops.dposer.blend_result(influence=0.0)
    bpy.ops.dposer.blend_result(influence=1.0, blend_in=10, blend_out=10)
    elbow = [bone.name for bone in ob.data.bones].index("left_elbow")
    local = [locals_of(ob, poses)[:, elbow] for poses in (before, after, rigs.poses(ob, FRAMES))]
    share = angles(local[0], local[2]) / angles(local[0], local[1])
    assert share[0] < 0.05 and share[-1] < 0.05
    np.testing.assert_allclose(share[11:29], 1.0, atol=0.01)
    assert (np.diff(share[:11]) > 0).all()


def test_what_cannot_be_blended_is_told(rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 20)
    with pytest.raises(RuntimeError, match="poll"):
        bpy.ops.dposer.blend_result()
    bpy.ops.dposer.clean_motion(method="butterworth", bones="PARTS", parts={"left_arm"})
    with pytest.raises(RuntimeError, match="differs from the original on none"):
        bpy.ops.dposer.blend_result(bones="PARTS", parts={"right_leg"})
    with pytest.raises(RuntimeError, match="No bone is selected"):
        bpy.ops.dposer.blend_result(bones="SELECTED")
    bpy.data.actions.remove(bpy.data.actions["walk"])
    with pytest.raises(RuntimeError, match="original action was deleted"):
        bpy.ops.dposer.blend_result(influence=0.2)


def _curves(action: Any) -> list[Any]:
    from rigcheck.extension import part

    compat = part("compat")
    return list(compat.curves_of(action, action.slots[0].identifier if compat.HAS_SLOTS else ""))
