# SPDX-License-Identifier: GPL-3.0-or-later
"""Where new values get keys, by what Blender itself evaluates from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from rigcheck import clips  # noqa: E402
from rigcheck.clips import everywhere  # noqa: E402
from rigcheck.extension import part  # noqa: E402

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "bvh_test"
CLIPS = ("cmu_05_01", "cmu_08_01", "cmu_13_11", "cmu_05_02_CC_Base")


@pytest.fixture
def curves(extension: Callable[[str], Any]) -> Any:
    return extension("curves")


def found(ob: Any) -> dict[tuple[str, int], Any]:
    return {(c.data_path, c.array_index): c for c in part("compat").curves(ob.animation_data)}


def empty_curve(extension: Callable[[str], Any]) -> Any:
    """A curve with one key, on frame 1."""
    ob = bpy.data.objects.new("Empty", None)
    bpy.context.scene.collection.objects.link(ob)
    ob.keyframe_insert("location", index=0, frame=1)
    return next(iter(found(ob).values()))


def read(armature: Any, ob: Any, last: int) -> Any:
    return armature.read(ob, bpy.context.scene, 1, last)


def turned(clip: Any, degrees: float = 20.0) -> np.ndarray:
    """Each bone turned about its own X axis, by an angle that sways."""
    return clips.turned(clip, degrees * np.sin(np.arange(len(clip)) / 15)[:, None])


def root_alone(clip: Any) -> np.ndarray:
    changed = np.zeros(clip.rotations.shape[:2], bool)
    changed[:, clip.parents < 0] = True
    return changed


def points(ob: Any, rigs: Any, frames: Any) -> np.ndarray:
    """(T, J, 2, 3) where Blender puts the heads and tails of all bones, in millimetres of the world."""
    poses = rigs.poses(ob, frames)
    lengths = np.array([bone.length for bone in ob.data.bones])
    tails = poses[..., :3, 3] + lengths[:, None] * poses[..., :3, 1]
    return 1000 * ob.matrix_world.median_scale * np.stack([poses[..., :3, 3], tails], axis=2)


def rewritten(armature: Any, ob: Any, clip: Any, wanted: np.ndarray, **options: Any) -> Any:
    """Write all rotations, and the root's location."""
    return part("writing").write(
        clip, wanted, clip.translations + 0.01, everywhere(clip), root_alone(clip), **options
    )


def put_back(ob: Any, clip: Any, extension: Callable[[str], Any]) -> None:
    """Assign the original action again."""
    extension("compat").assign(ob.animation_data, bpy.data.actions[clip.action], clip.slot)


@pytest.mark.parametrize("start", [-40, 1, 9000])
def test_a_cubic_is_shown_exactly(extension: Callable[[str], Any], curves: Any, start: int) -> None:
    curve = empty_curve(extension)
    curve.keyframe_points.clear()
    frames = start + np.arange(61)
    u = (frames - start) / 60
    polynomial = np.polynomial.Polynomial([0.3, -2.0, 5.0, -3.5])
    sparse = curves.Sparse(np.isin(frames - start, (0, 7, 31, 60)), polynomial.deriv()(u) / 60)
    changed = np.ones(61, bool)
    curves.rewrite(curve, frames, np.zeros(61), polynomial(u), changed, sparse)
    assert [key.co[0] - start for key in curve.keyframe_points] == [0, 7, 31, 60]
    assert {key.type for key in curve.keyframe_points} == {"GENERATED"}
    fine = np.linspace(start, start + 60, 481)
    shown = [curve.evaluate(frame) for frame in fine]
    # At frame 9000 single precision tells frames a thousandth apart.
    atol = 1e-5 if start < 9000 else 1e-4
    np.testing.assert_allclose(shown, polynomial((fine - start) / 60), atol=atol)


@pytest.mark.parametrize("tolerance", [1.0, 5.0])
def test_reduced_keys_of_every_rotation_mode_keep_every_joint_near(
    armature: Any, rigs: Any, extension: Callable[[str], Any], tolerance: float
) -> None:
    ob = rigs.mixamo()
    rigs.animate(ob, 120, noise=0.0, modes=rigs.MODES)
    clip = read(armature, ob, 120)
    wanted = turned(clip)
    dense = rewritten(armature, ob, clip, wanted)
    truth = points(ob, rigs, clip.frames)
    put_back(ob, clip, extension)
    sparse = rewritten(armature, ob, clip, wanted, keys="REDUCED", tolerance=tolerance)
    error = np.linalg.norm(points(ob, rigs, clip.frames) - truth, axis=-1).max()
    assert 0.3 * tolerance < error <= tolerance, "under the tolerance, and making use of it"
    assert sparse.keys < dense.keys / 6


@pytest.mark.skipif(not DATA.is_dir(), reason="the real captures are not beside this checkout")
@pytest.mark.parametrize("name", CLIPS)
def test_reduced_keys_of_real_captures_keep_every_joint_near(
    armature: Any, rigs: Any, extension: Callable[[str], Any], name: str
) -> None:
    import addon_utils

    addon_utils.enable("io_anim_bvh")
    bpy.ops.import_anim.bvh(filepath=str(DATA / f"{name}.bvh"), global_scale=0.01, frame_start=0)
    ob = bpy.context.object
    clip = read(armature, ob, 240)
    dense = rewritten(armature, ob, clip, clip.rotations)
    truth = points(ob, rigs, clip.frames)
    ratios = []
    for tolerance in (1.0, 2.0, 5.0):
        put_back(ob, clip, extension)
        sparse = rewritten(armature, ob, clip, clip.rotations, keys="REDUCED", tolerance=tolerance)
        error = np.linalg.norm(points(ob, rigs, clip.frames) - truth, axis=-1).max()
        assert error <= tolerance
        ratios.append(dense.keys / sparse.keys)
    print(f"{name}: a key on every frame against 1, 2 and 5 mm: {np.round(ratios, 1)}")
    assert ratios == sorted(ratios) and ratios[0] > 5


@pytest.mark.parametrize("keys", ["ORIGINAL", "REDUCED"])
def test_what_does_not_change_stays_bit_equal(armature: Any, rigs: Any, keys: str) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 60, modes=rigs.MODES)
    before, poses = rigs.keys(ob), rigs.poses(ob, range(1, 61))
    clip = read(armature, ob, 60)
    changed = np.zeros_like(everywhere(clip))
    j = clip.names.index("left_elbow")
    changed[10:20, j], changed[40:55, j] = True, True
    part("writing").write(
        clip, turned(clip), clip.translations, changed, np.zeros_like(changed), keys=keys, tolerance=5.0
    )
    after = rigs.keys(ob)
    assert before.keys() == after.keys()
    for (path, index), old in before.items():
        new = after[path, index]
        if "left_elbow" in path:
            old = old[~changed[old[:, 0].astype(int) - 1, j]]
            new = new[~changed[new[:, 0].astype(int) - 1, j]]
        assert np.array_equal(old, new)
    same = ~changed[:, j]
    np.testing.assert_array_equal(rigs.poses(ob, range(1, 61))[same], poses[same])


def test_reduced_keys_that_are_kept_keep_their_type(armature: Any, rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 60)
    for curve in found(ob).values():
        for key in list(curve.keyframe_points)[58:1:-1]:
            if key.co[0] % 3:
                curve.keyframe_points.remove(key, fast=True)
        for key in curve.keyframe_points:
            key.type = "EXTREME"
        curve.update()
    own = {path: set(keys[:, 0]) for path, keys in rigs.keys(ob).items()}
    clip = read(armature, ob, 60)
    rewritten(armature, ob, clip, turned(clip), keys="REDUCED", tolerance=1.0)
    types = set()
    for path, curve in found(ob).items():
        for key in curve.keyframe_points:
            assert key.type == ("EXTREME" if key.co[0] in own[path] else "GENERATED")
            types.add(key.type)
    assert types == {"EXTREME", "GENERATED"}


def test_keys_stay_where_the_original_had_them(armature: Any, rigs: Any) -> None:
    ob = rigs.smpl(extra=False)
    for name, step in (("left_elbow", 10), ("head", 7)):
        bone = ob.pose.bones[name]
        bone.rotation_mode = "XYZ"
        for frame in range(1, 72, step):
            bone.rotation_euler = (np.sin(frame), 0.2 * np.cos(frame), 0.01 * frame)
            bone.keyframe_insert("rotation_euler", frame=frame)
    curve = found(ob)['pose.bones["head"].rotation_euler', 0]
    curve.keyframe_points.insert(18.5, 0.7, keyframe_type="BREAKDOWN")
    loose = curve.keyframe_points[1]
    loose.handle_left_type = loose.handle_right_type = "FREE"
    loose.handle_left, loose.handle_right = (6.0, -0.5), (9.5, 1.5)
    curve.keyframe_points[2].interpolation = "LINEAR"
    handles = [tuple(loose.handle_left), tuple(loose.handle_right)]
    heights = np.array([key.co[1] for key in curve.keyframe_points])
    before = rigs.keys(ob)
    clip = read(armature, ob, 71)
    wanted = turned(clip)
    written = part("writing").write(
        clip, wanted, clip.translations, everywhere(clip), np.zeros_like(everywhere(clip)), keys="ORIGINAL"
    )
    after = rigs.keys(ob)
    for path, keys in before.items():
        assert np.array_equal(after[path][:, 0], keys[:, 0])
    curve = found(ob)['pose.bones["head"].rotation_euler', 0]
    keys = list(curve.keyframe_points)
    at = keys.index(next(key for key in keys if key.co[0] == 18.5))
    assert keys[at].type == "BREAKDOWN" and keys[2].interpolation == "LINEAR"
    # The key between two frames is between what they are to be.
    from mathutils import Quaternion

    j = clip.names.index("head")
    around = [Quaternion(wanted[t, j]).to_euler("XYZ")[0] for t in (17, 18)]
    assert keys[at].co[1] == pytest.approx(np.mean(around), abs=1e-3)
    rise = keys[1].co[1] - heights[1]
    assert abs(rise) > 0.01
    assert keys[1].handle_left[1] - handles[0][1] == pytest.approx(rise, abs=1e-6)
    assert keys[1].handle_right[1] - handles[1][1] == pytest.approx(rise, abs=1e-6)
    # On its keys each of the two bones is as asked for.
    for name, step in (("left_elbow", 10), ("head", 7)):
        j, frames = clip.names.index(name), np.arange(1, 72, step)
        poses = rigs.poses(ob, frames)
        parent = clip.parents[j]
        local = np.linalg.inv(poses[:, parent] @ np.linalg.inv(clip.rest[parent]) @ clip.rest[j]) @ poses[:, j]
        expected = [np.array(Quaternion(q).to_matrix()) for q in wanted[frames - 1, j]]
        np.testing.assert_allclose(local[:, :3, :3], expected, atol=1e-5)
    # Bones that had no keys have them where these two have: on whole frames, the one between two on the nearest.
    expected_frames = set(range(1, 72, 10)) | set(range(1, 72, 7)) | {18.0}
    assert set(after['pose.bones["neck"].rotation_quaternion', 0][:, 0]) == expected_frames
    assert len(written.names) == len(clip.names)


def test_a_tolerance_must_be_above_zero(armature: Any, rigs: Any) -> None:
    ob = rigs.smpl()
    action = rigs.animate(ob, 10)
    clip = read(armature, ob, 10)
    with pytest.raises(armature.ArmatureError, match="above zero"):
        rewritten(armature, ob, clip, turned(clip), keys="REDUCED", tolerance=0.0)
    assert ob.animation_data.action == action and len(bpy.data.actions) == 1
