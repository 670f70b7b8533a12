# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as they run: pace, short ticks, quick cancelling, several armatures and actions in turn, repeating."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from engine_process import AT_ONCE  # noqa: E402

from rigcheck.extension import part  # noqa: E402
from rigcheck.misuse import CLEAN, COMPLETE, INBETWEEN, differing, digest, drive, long_walk, select_keys  # noqa: E402

Extension = Callable[[str], Any]


@pytest.fixture
def jobs(extension: Extension) -> Any:
    return extension("jobs")


def assigned(ob: Any) -> str:
    action = ob.animation_data.action
    return action.name if action is not None else ""


def undo() -> None:
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo()


# Pace


def test_nothing_is_told_of_the_pace_before_it_is_known(extension: Extension) -> None:
    pace = extension("pace").Pace()
    for second in np.arange(0.0, 0.9, 0.1):
        pace.note("Cleaning", second / 10, second)
        assert pace.rate == 0.0 and pace.left(second) == 0.0
    pace.note("Cleaning", 0.9, 0.95)  # a leap at the start
    assert pace.rate == 0.0


def test_the_time_left_is_that_of_an_even_pace(extension: Extension) -> None:
    pace, seen = extension("pace").Pace(), []
    for now in np.arange(0.0, 40.0, 0.1):
        pace.note("Cleaning", now // 2 * 2 / 40, now)  # tells of its progress every two seconds
        if now > 5.0:
            seen.append(pace.left(now) - (40.0 - now))
            assert pace.rate == pytest.approx(1 / 40)
    assert np.abs(seen).max() < 2.1


def test_another_stage_has_its_own_pace(extension: Extension) -> None:
    pace = extension("pace").Pace()
    for now in np.arange(0.0, 5.0, 0.1):
        pace.note("Reading", now / 5, now)
    assert pace.rate == pytest.approx(0.2)
    pace.note("Writing", 0.0, 5.0)
    assert pace.rate == 0.0 and pace.left(5.1) == 0.0


def test_a_pace_that_changes_is_followed(extension: Extension) -> None:
    pace = extension("pace").Pace()
    for now in np.arange(0.0, 60.0, 0.1):
        pace.note("Cleaning", now / 100 if now < 20 else 0.2 + (now - 20) / 1000, now)
    assert pace.rate == pytest.approx(0.001)


def test_waiting_is_no_work(extension: Extension) -> None:
    pace = extension("pace").Pace()
    for now in np.arange(0.0, 5.0, 0.1):
        pace.note("Cleaning", now / 10, now)
    left = pace.left(4.9)
    pace.wait(100.0)
    assert pace.left(104.9) == pytest.approx(left)


def test_what_is_told(rigs: Any, jobs: Any) -> None:
    ob = long_walk(rigs, 1000)
    job, told = CLEAN.job(ob, method="butterworth"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(part("edit_task"), "SLICE", 0.0)
        drive(job, until=lambda: told.append((job.stage, job.fraction, job.text)) or False)
    stages = [stage for stage, *_ in told]
    assert set(stages) <= {"Starting", "Cleaning", "Writing"} and stages[-1] == "Writing"
    first = next(text for stage, _, text in told if stage == "Cleaning")
    assert first == "Cleaning  0%"  # and no frames per second from nowhere
    written = [fraction for stage, fraction, _ in told if stage == "Writing"]
    assert written == sorted(written)


# Ticks


@pytest.mark.parametrize("keys", ["EVERY", "REDUCED"])
def test_ticks_are_short_however_long_the_clip(keys: str, rigs: Any) -> None:
    ob, ticks = long_walk(rigs, 10_000), []
    job = CLEAN.job(ob, method="butterworth", keys=keys)
    done = None
    while done is None:
        begin = time.perf_counter()
        done = job.advance(bpy.context)
        ticks.append(time.perf_counter() - begin)
        time.sleep(0.005)
    print(f"\n{keys}: longest tick of 10,000 frames {max(ticks):.3f} s, {len(ticks)} ticks")
    assert done.finished
    # 0.2 s on an idle machine; on a slow one that does something else, a share of the work.
    assert max(ticks) < max(1.0, sum(ticks) / 2)


@pytest.mark.parametrize("keys", ["EVERY", "REDUCED"])
def test_cancelling_while_it_is_written(keys: str, rigs: Any, jobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ob = long_walk(rigs, 4000)
    before = digest()
    monkeypatch.setattr(part("edit_task"), "SLICE", 0.0)
    job = CLEAN.job(ob, method="butterworth", keys=keys)
    assert drive(job, until=lambda: job.unsettled) is None
    for _ in range(3):
        assert job.advance(bpy.context) is None
    assert assigned(ob) == "walk_clean"
    begin = time.perf_counter()
    job.cancel()
    with pytest.raises(jobs.Cancelled, match="nothing was changed"):
        job.advance(bpy.context)
    assert time.perf_counter() - begin < AT_ONCE
    assert differing(before, digest()) == set()


# In turn


def two(rigs: Any) -> tuple[Any, Any]:
    """Two walking armatures, the first of them active."""
    ob, other = rigs.smpl(), rigs.mixamo()
    for each, seed in ((ob, 0), (other, 1)):
        rigs.animate(each, 30, seed=seed)
        each.select_set(True)
    bpy.context.view_layer.objects.active = ob
    return ob, other


def test_several_armatures_are_each_done_as_if_alone(rigs: Any) -> None:
    ob, other = two(rigs)
    results = []
    for each in (ob, other):
        bpy.ops.object.select_all(action="DESELECT")
        bpy.context.view_layer.objects.active = each
        CLEAN.run()
        results.append((rigs.keys(each), rigs.poses(each, range(1, 31))))
        bpy.ops.dposer.discard_result()
    for each in (other, ob):
        each.select_set(True)
    bpy.context.view_layer.objects.active = ob
    assert CLEAN.run() == "FINISHED"
    for each, (keys, poses) in zip((ob, other), results, strict=True):
        after = rigs.keys(each)
        assert keys.keys() == after.keys() and all(np.array_equal(keys[path], after[path]) for path in keys)
        np.testing.assert_array_equal(rigs.poses(each, range(1, 31)), poses)


def test_one_that_fails_is_told_of_and_passed_over(rigs: Any, jobs: Any) -> None:
    ob, other = two(rigs)
    third = rigs.add("Two", [("a", -1, (0, 0, 0), (0, 0, 1)), ("b", 0, (0, 0, 1), (0, 0, 2))])
    rigs.animate(third, 10)
    fourth = rigs.add("Four", [("a", -1, (0, 0, 0), (0, 0, 1))])
    for each in (ob, other, third, fourth):
        each.select_set(True)
    bpy.context.view_layer.objects.active = ob
    before = rigs.keys(third)
    assert CLEAN.run() == "FINISHED"
    assert (assigned(ob), assigned(other)) == ("walk_clean", "walk.001_clean")
    assert assigned(third) == "walk.002" and all(np.array_equal(before[k], v) for k, v in rigs.keys(third).items())
    assert fourth.animation_data is None


def test_an_action_that_two_share_is_done_for_each(rigs: Any) -> None:
    ob, other = rigs.smpl(), rigs.smpl()
    rigs.animate(ob, 20)
    compat = part("compat")
    compat.assign(other.animation_data_create(), *compat.action_of(ob.animation_data))
    for each in (ob, other):
        each.select_set(True)
    bpy.context.view_layer.objects.active = ob
    assert CLEAN.run() == "FINISHED"
    assert {assigned(ob), assigned(other)} == {"walk_clean", "walk_clean.001"}
    first, second = rigs.keys(ob), rigs.keys(other)
    assert all(np.array_equal(first[path], second[path]) for path in first)


def batch(rigs: Any) -> Any:
    """An armature with two more actions."""
    ob = rigs.smpl()
    action = rigs.animate(ob, 20)
    for name in ("run", "jump"):
        copied = action.copy()
        copied.name, copied.use_fake_user = name, True
    return ob


def in_turn(ob: Any, jobs: Any) -> Any:
    """The batch over the armature's actions as a job."""
    clean, settings = part("operators.clean"), part("writing").Settings()
    operator = clean.DPOSER_OT_clean_motion

    class Batch:  # only Blender makes operators
        target, actions, still = "NEW", "ALL", False
        items, _item = operator.items, operator._item

        def make(self, context: Any, ob: Any) -> Any:
            whole = part("armature").action_range(ob)
            options = {"method": "wiener", "feet": "never", "device": "cpu"}
            return clean.CleanTask(ob, context, whole, whole, options, settings, ("ALL", set()), (0, 0))

    return jobs.Job(part("in_turn").InTurn("Clean Motion", Batch().items(bpy.context, ob)))


def test_a_batch_cleans_every_action_and_ends_on_the_active_one(rigs: Any) -> None:
    ob = batch(rigs)
    bpy.ops.ed.undo_push(message="Before")
    before = digest()
    bpy.ops.dposer.clean_motion("EXEC_DEFAULT", True, method="wiener", feet="never", actions="ALL")
    names = {"run", "jump", "walk"}
    assert {action.name for action in bpy.data.actions} == names | {f"{name}_clean" for name in names}
    assert assigned(ob) == "walk_clean" and ob.dposer_result.original.name == "walk"
    results = [rigs.keys(ob)]
    for name in ("run_clean", "jump_clean"):
        part("writing").assign(ob, bpy.data.actions[name], ob.dposer_result.result_slot)
        results.append(rigs.keys(ob))
    for other in results[1:]:  # they were copies
        assert all(np.array_equal(results[0][path], other[path]) for path in results[0])
    undo()
    assert differing(before, digest()) == set()


def test_progress_of_a_batch_tells_which_of_how_many(rigs: Any, jobs: Any) -> None:
    job, told = in_turn(batch(rigs), jobs), []
    done = drive(job, until=lambda: told.append(job.text) or False)
    assert done.sentence == "Clean Motion: 3 of 3 done."
    assert [n for n in ("1/3", "2/3", "3/3") if any(text.startswith(n) for text in told)] == ["1/3", "2/3", "3/3"]


@pytest.mark.parametrize("how", ["cancel", "undo", "redo"])
def test_a_batch_that_is_stopped_keeps_what_is_done(
    how: str, rigs: Any, jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ob = batch(rigs)
    for message in ("Start", "Before"):
        bpy.ops.ed.undo_push(message=message)
    before = digest()
    job = in_turn(ob, jobs)
    monkeypatch.setattr(jobs, "_current", job)
    assert drive(job, until=lambda: job.text.startswith("2/3") and job.stage == "Cleaning") is None
    if how == "undo":
        undo()
        with pytest.raises(jobs.Cancelled, match="as something was undone; nothing was changed"):
            drive(job)
        assert differing(before, digest()) == set()
        return
    if how == "redo":
        jobs._before_redo()
    else:
        jobs.cancel()
    with pytest.raises(jobs.Cancelled, match="1 of 3 were done and stay"):
        drive(job)
    ob = bpy.data.objects["Smpl"]
    assert {a.name for a in bpy.data.actions} == {"run", "jump", "walk", "jump_clean"} and assigned(ob) == "walk"
    if how == "redo":
        undo()
        assert differing(before, digest()) == set()


def test_an_armature_that_vanishes_in_mid_batch(rigs: Any, jobs: Any) -> None:
    ob = batch(rigs)
    job = in_turn(ob, jobs)
    assert drive(job, until=lambda: job.text.startswith("2/3") and job.stage == "Cleaning") is None
    bpy.data.objects.remove(ob)
    done = drive(job)
    assert done.level == "WARNING" and done.sentence.startswith("Clean Motion: 1 of 3 done.")
    assert "removed while DPoser was at work" in done.sentence and "Traceback" not in done.sentence


# Once more


def test_repeating_on_another_armature(rigs: Any, extension: Extension) -> None:
    extension("last_run").forget()
    ob = rigs.smpl()
    rigs.animate(ob, 30)
    with pytest.raises(RuntimeError, match="There is nothing to repeat: run a tool first"):
        bpy.ops.dposer.repeat_last()
    assert CLEAN.run(strength=0.4, keys="REDUCED", tolerance=3.0) == "FINISHED"
    wanted = rigs.keys(ob)
    bpy.context.scene.dposer.strength = 2.0  # the panel's now, not the last run's
    ob.select_set(False)
    other = rigs.smpl()
    rigs.animate(other, 30)
    assert bpy.ops.dposer.repeat_last() == {"FINISHED"}
    after = rigs.keys(other)
    assert wanted.keys() == after.keys() and all(np.array_equal(wanted[path], after[path]) for path in wanted)
    bpy.context.view_layer.objects.active = None
    with pytest.raises(RuntimeError, match=r"Clean Motion cannot be repeated. Select an armature first"):
        bpy.ops.dposer.repeat_last()


def test_repeating_says_what_went_wrong_in_a_sentence(rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 20)
    CLEAN.run()
    ob.select_set(False)
    rigs.animate(rigs.add("Two", [("a", -1, (0, 0, 0), (0, 0, 1))]), 10)
    with pytest.raises(RuntimeError, match="follow no known convention") as caught:
        bpy.ops.dposer.repeat_last()
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("shown", ["result", "original"])
def test_more_variants(shown: str, rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 30)
    select_keys(ob, {3, 15})
    options = {"method": "motion", "variation": 0.5}
    INBETWEEN.run(**options, variants=4, seed=11)
    four = [part("results").stored(v.action, ob) for v in ob.dposer_result.variants]
    bpy.ops.dposer.discard_result()
    select_keys(ob, {3, 15})
    INBETWEEN.run(**options, variants=2, seed=11)
    if shown == "original":
        bpy.ops.dposer.compare()
    bpy.ops.ed.undo_push(message="Before")
    before = digest()
    assert bpy.ops.dposer.more_variants("EXEC_DEFAULT", True) == {"FINISHED"}
    record = ob.dposer_result
    assert [variant.seed for variant in record.variants] == [11, 12, 13, 14] and record.index == 2
    for variant, wanted in zip(record.variants, four, strict=True):
        found = part("results").stored(variant.action, ob)
        assert found.keys() == wanted.keys()
        assert all(np.array_equal(found[path]["co"], wanted[path]["co"]) for path in wanted)
    assert ob.animation_data.action == record.result
    undo()
    assert differing(before, digest()) == set()


def test_more_of_a_single_result(rigs: Any) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 30)
    COMPLETE.run(seed=4)
    assert not ob.dposer_result.variants
    keys = rigs.keys(ob)
    assert bpy.ops.dposer.more_variants() == {"FINISHED"}
    assert [variant.seed for variant in ob.dposer_result.variants] == [4, 5]
    bpy.ops.dposer.show_variant(step=-1)
    assert all(np.array_equal(keys[path], after) for path, after in rigs.keys(ob).items())


def test_cancelling_more_variants_shows_what_was_shown(
    rigs: Any, jobs: Any, extension: Extension, monkeypatch: pytest.MonkeyPatch
) -> None:
    ob = rigs.smpl()
    rigs.animate(ob, 30)
    select_keys(ob, {3, 15})
    INBETWEEN.run(method="motion", variation=0.5, variants=2)
    before = digest()
    monkeypatch.setattr(extension("edit_task"), "SLICE", 0.0)
    job = jobs.Job(extension("last_run").task_of(ob.dposer_result.run).again(5))
    drive(job, until=lambda: job.stage == "Writing" and job.fraction > 0)
    job.cancel()
    with pytest.raises(jobs.Cancelled):
        drive(job)
    assert differing(before, digest()) == set()


# What the panel tells


def test_a_run_lets_go_of_what_the_one_before_told(rigs: Any) -> None:
    outcomes, ob = part("outcomes"), rigs.smpl()
    rigs.animate(ob, 24)
    bpy.ops.dposer.clean_motion(method="wiener")
    found = outcomes.recall(ob.session_uid)
    assert found.figures and found.mapped == 22
    with pytest.raises(RuntimeError, match="No bone is selected"):
        bpy.ops.dposer.complete_limbs(bones="SELECTED", frames="ACTION")
    assert outcomes.recall(ob.session_uid).problem
    bpy.ops.dposer.clean_motion(method="butterworth")
    assert not outcomes.recall(ob.session_uid).problem
    bpy.ops.dposer.generate_idle(seconds=1.0)
    found = outcomes.recall(ob.session_uid)
    assert not found.figures and not found.problem
