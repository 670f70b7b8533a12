# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.inbetween`` on three rigs: keys are hit exactly, what is between them is what the engine's task gives."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from rigcheck.extension import part  # noqa: E402
from rigcheck.misuse import INBETWEEN, differing, digest, drive, select_keys  # noqa: E402

COUNT, KEYS = 24, (4, 11, 20)
TIGHT, NEAR = 0.05, 1e-3  # degrees, metres


@pytest.fixture
def engine() -> Any:
    """The engine's own task, and the way to its body; where PyTorch is."""
    for name in ("torch", "scipy"):
        pytest.importorskip(name, reason="the engine's own task is run here, too")
    from engine.tasks import inbetween
    from rigcheck import bodies

    return SimpleNamespace(**vars(bodies) | vars(inbetween))


@pytest.fixture
def rig(animated: Any) -> Any:
    """A rig with a motion of 24 frames, of which three have their keys selected."""
    select_keys(animated, set(KEYS))
    return animated


@pytest.mark.parametrize(("method", "variation"), [("prior", 0.0), ("motion", 0.6)])
def test_the_frames_between_are_the_engines_own(
    rig: Any, rigs: Any, engine: Any, method: str, variation: float
) -> None:
    body, alignment = engine.body_of(rig, 1, COUNT)
    before = rigs.poses(rig, range(1, COUNT + 1))
    rows, count = [key - 1 for key in KEYS], 2 if variation else 1
    settings = {"method": method, "variation": variation, "variants": count, "seed": 5}
    assert INBETWEEN.run(**settings) == "FINISHED"
    for number in range(count):
        own = engine.InbetweenSettings(method=method, variation=variation, seed=5 + number, device="cpu")
        wanted = engine.inbetween(body, rows, own)
        shown, _ = engine.body_of(rig, 1, COUNT, alignment)
        apart, gap = engine.turns_apart(shown, wanted, alignment), np.abs(shown.transl - wanted.transl)
        print(f"\n{rig.name} {method} {number}: {apart.max():.4f} degrees, {1000 * gap.max():.3f} mm off")
        assert apart.max() < TIGHT and gap.max() < NEAR
        after = rigs.poses(rig, range(1, COUNT + 1))
        kept = [t for t in range(COUNT) if t in rows or not rows[0] < t < rows[-1]]
        np.testing.assert_allclose(after[kept], before[kept], atol=1e-5)
        if rig.name != "Rigify":
            np.testing.assert_array_equal(after[kept], before[kept])
        if count > 1:
            bpy.ops.dposer.show_variant()
    if count > 1:
        assert [variant.seed for variant in rig.dposer_result.variants] == [5, 6]


def test_one_undo_takes_it_back(rig: Any) -> None:
    for message in ("Start", "Before"):
        bpy.ops.ed.undo_push(message=message)
    before = digest()
    bpy.ops.dposer.inbetween("EXEC_DEFAULT", True, method="linear")
    assert differing(before, digest())
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo()
    assert differing(before, digest()) == set()


@pytest.mark.parametrize("phase", ["asked", "writing"])
def test_cancelling_leaves_everything(rig: Any, phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part("edit_task"), "SLICE", 0.0)
    before = digest()
    job = INBETWEEN.job(rig, method="motion", variation=0.5, variants=2)
    phases = {"asked": lambda: job.stage == "In-betweening", "writing": lambda: job.unsettled}
    assert drive(job, until=phases[phase]) is None
    if phase == "writing":
        for _ in range(3):
            assert job.advance(bpy.context) is None
    job.cancel()
    with pytest.raises(part("jobs").Cancelled, match="nothing was changed"):
        drive(job)
    assert differing(before, digest()) == set()


def select_body_keys(ob: Any, frames: set[int]) -> None:
    """Select the body's keys on these frames, and all keys of the sword."""
    select_keys(ob, frames)
    for curve in part("compat").curves(ob.animation_data):
        if "Sword" in curve.data_path:
            for key in curve.keyframe_points:
                key.select_control_point = True


def test_keys_of_other_bones_are_no_keys_of_the_body(rigs: Any, engine: Any) -> None:
    """A sword has keys of its own, one amid a gap: the body is filled there, too, and its keys alone are counted."""
    ob = rigs.mixamo()
    rigs.animate(ob, COUNT)
    bpy.context.view_layer.objects.active = ob
    bpy.ops.object.mode_set(mode="EDIT")
    sword = ob.data.edit_bones.new("Sword")
    sword.head, sword.tail = (0.0, 0.0, 3.0), (0.0, 0.0, 3.2)
    sword.parent = ob.data.edit_bones["mixamorig:LeftHand"]
    bpy.ops.object.mode_set(mode="OBJECT")
    bone = ob.pose.bones["Sword"]
    for frame in (1, 15, COUNT):
        bone.keyframe_insert("rotation_quaternion", frame=frame)
    select_body_keys(ob, set(KEYS))
    assert len(part("frame_range").selected_keys(ob)) == len(KEYS) + 3
    before, (body, alignment) = rigs.poses(ob, range(1, COUNT + 1)), engine.body_of(ob, 1, COUNT)
    done = drive(INBETWEEN.job(ob, method="motion", variation=0.0))
    assert f"Filled {KEYS[-1] - KEYS[0] + 1 - len(KEYS)} frames between {len(KEYS)} keys" in done.sentence
    after = rigs.poses(ob, range(1, COUNT + 1))
    kept = [t for t in range(COUNT) if t + 1 in KEYS or not KEYS[0] < t + 1 < KEYS[-1]]
    np.testing.assert_array_equal(after[kept], before[kept])
    wanted = engine.inbetween(body, [key - 1 for key in KEYS], engine.InbetweenSettings(method="motion", device="cpu"))
    shown, _ = engine.body_of(ob, 1, COUNT, alignment)
    assert engine.turns_apart(shown, wanted, alignment).max() < TIGHT

    bpy.ops.dposer.discard_result()
    select_body_keys(ob, {KEYS[0]})
    with pytest.raises(part("jobs").EngineError, match="Only one frame has a selected key of the body"):
        drive(INBETWEEN.job(ob))
