# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.complete_limbs`` on three rigs: what Blender shows is what the engine's own tasks give for the same seed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from engine.motion.joints import JOINTS, PARTS  # noqa: E402
from rigcheck.extension import part  # noqa: E402
from rigcheck.misuse import COMPLETE, differing, digest, drive  # noqa: E402

COUNT, FRAME = 24, 9
ARM = [JOINTS.index(joint) - 1 for joint in PARTS["left_arm"]]
TIGHT = 0.05  # degrees


@pytest.fixture
def engine() -> Any:
    """The engine's own tasks, and the way to its body; where PyTorch is."""
    for name in ("torch", "scipy"):
        pytest.importorskip(name, reason="the engine's own tasks are run here, too")
    from engine.tasks import complete, complete_clip
    from rigcheck import bodies

    return SimpleNamespace(**vars(bodies) | vars(complete) | vars(complete_clip))


@pytest.fixture
def rig(animated: Any) -> Any:
    """A rig with a motion of 24 frames, on one of them."""
    bpy.context.scene.frame_set(FRAME)
    return animated


def curves_of(ob: Any) -> dict[tuple[str, int], dict[str, np.ndarray]]:
    saved = part("curves").saved
    return {(c.data_path, c.array_index): saved(c) for c in part("compat").curves(ob.animation_data)}


def test_each_hypothesis_is_the_engines_own(rig: Any, engine: Any) -> None:
    body, alignment = engine.body_of(rig, FRAME, FRAME)
    known = np.ones((1, 21), bool)
    known[:, ARM] = False
    settings = engine.CompleteSettings(hypotheses=3, seed=7, device="cpu")
    wanted = engine.complete_poses(body.poses[:, 1:], known, settings)
    before = curves_of(rig)
    assert COMPLETE.run(frames="FRAME", variants=3, seed=7) == "FINISHED"
    record = rig.dposer_result
    assert [round(v.share, 6) for v in record.variants] == [round(float(s), 6) for s in wanted.share[:, 0]]
    assert [v.seed for v in record.variants] == [7, 7, 7] and record.index == 0
    for number in range(3):
        shown, _ = engine.body_of(rig, FRAME, FRAME, alignment)
        poses = np.concatenate([body.poses[:, :1], wanted.poses[number]], axis=1)
        apart = engine.turns_apart(shown, replace(body, poses=poses), alignment)
        print(f"\n{rig.name} hypothesis {number}: {apart.max():.4f} degrees off")
        assert apart.max() < TIGHT
        np.testing.assert_allclose(shown.poses[:, 0], body.poses[:, 0], atol=1e-4)
        np.testing.assert_allclose(shown.transl, body.transl, atol=1e-4)
        bpy.ops.dposer.show_variant()
    assert record.index == 0
    after = curves_of(rig)
    bones = {part("rig").bone_of(path) for path, _ in after}
    arm = {bone for bone in bones if any(word in bone.lower() for word in ("left", ".l"))} | {"left_collar"}
    for key, keys in before.items():  # what is not the arm's is bit-equal, and so is the arm on the other frames
        if part("rig").bone_of(key[0]) not in arm:
            assert all(np.array_equal(keys[name], after[key][name]) for name in keys)
        else:
            elsewhere = np.round(keys["co"][:, 0]) != FRAME
            assert np.array_equal(keys["co"][elsewhere], after[key]["co"][np.round(after[key]["co"][:, 0]) != FRAME])


def test_a_range_is_the_engines_own(rig: Any, engine: Any) -> None:
    scene = bpy.context.scene
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 7, 15
    body, alignment = engine.body_of(rig, 1, COUNT)
    known = np.ones((COUNT, 21), bool)
    known[6:15, ARM] = False
    wanted = engine.complete_clip(body, known, engine.CompleteClipSettings(hypotheses=2, seed=3, device="cpu"))
    assert COMPLETE.run(frames="PREVIEW", variants=2, seed=3) == "FINISHED"
    for motion in wanted.motions:
        shown, _ = engine.body_of(rig, 1, COUNT, alignment)
        apart = engine.turns_apart(shown, motion, alignment)
        print(f"\n{rig.name}: {apart.max():.4f} degrees off")
        assert apart.max() < TIGHT
        np.testing.assert_allclose(shown.transl, body.transl, atol=1e-4)
        bpy.ops.dposer.show_variant()


def test_one_undo_takes_it_back(rig: Any) -> None:
    for message in ("Start", "Before"):
        bpy.ops.ed.undo_push(message=message)
    before = digest()
    bpy.ops.dposer.complete_limbs("EXEC_DEFAULT", True, **COMPLETE.settings | {"variants": 2})
    assert differing(before, digest())
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo()
    assert differing(before, digest()) == set()


@pytest.mark.parametrize("phase", ["Completing", "Writing"])
def test_cancelling_leaves_everything(rig: Any, phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part("edit_task"), "SLICE", 0.0)
    before = digest()
    job = COMPLETE.job(rig, frames="ACTION", variants=2)
    assert drive(job, until=lambda: job.stage.startswith(phase)) is None
    if phase == "Writing":
        for _ in range(3):
            assert job.advance(bpy.context) is None
    job.cancel()
    with pytest.raises(part("jobs").Cancelled, match="nothing was changed"):
        drive(job)
    assert differing(before, digest()) == set()


def test_a_pose_without_animation_is_completed(rigs: Any, engine: Any) -> None:
    ob = rigs.smpl()
    bones = part("compat")
    for bone in ob.pose.bones:
        bone.rotation_mode = "XYZ"
        bone.rotation_euler = (0.1, 0.05, 0.02)
        bones.select(bone, bone.name in {"left_elbow", "left_wrist"})
    body, alignment = engine.body_of(ob, 1, 1)
    known = np.ones((1, 21), bool)
    known[:, [JOINTS.index(name) - 1 for name in ("left_elbow", "left_wrist")]] = False
    settings = engine.CompleteSettings(hypotheses=1, seed=0, device="cpu")
    wanted = engine.complete_poses(body.poses[:, 1:], known, settings)
    assert COMPLETE.run(bones="SELECTED") == "FINISHED"
    shown, _ = engine.body_of(ob, 1, 1, alignment)
    poses = np.concatenate([body.poses[:, :1], wanted.poses[0]], axis=1)
    assert engine.turns_apart(shown, replace(body, poses=poses), alignment).max() < TIGHT
    assert {part("rig").bone_of(path) for path, _ in curves_of(ob)} == {"left_elbow", "left_wrist"}
