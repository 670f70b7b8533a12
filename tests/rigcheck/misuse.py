# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of misuses needs: the tools as they are run, a digest of the file, and what a good sentence is."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

from rigcheck.extension import part

Digest = dict[str, Any]


@dataclass(frozen=True)
class Tool:
    """A tool of the panel.

    Attributes:
        name: of its operator.
        module, operator: the file in ``operators/`` and the class.
        settings: cheap ones, with which it succeeds on `prepared` rigs.
    """

    name: str
    module: str
    operator: str
    settings: dict[str, Any] = field(default_factory=dict)

    def run(self, **settings: Any) -> str:
        """Run the operator to its end; how it ended. Raises RuntimeError with what it reports as an error."""
        (status,) = getattr(bpy.ops.dposer, self.name)(**self.settings | settings)
        return str(status)

    def job(self, ob: Any, **settings: Any) -> Any:
        """The job that the operator would start, to be driven tick by tick."""
        given = self.settings | settings
        rna = getattr(bpy.ops.dposer, self.name).get_rna_type().properties
        for prop in rna:
            if prop.identifier != "rna_type" and prop.identifier not in given:
                flags = prop.type == "ENUM" and prop.is_enum_flag
                given[prop.identifier] = set(prop.default_flag) if flags else prop.default
        writing = part("writing")
        operator = SimpleNamespace(
            **given,
            device=lambda context: "cpu",
            result_settings=lambda suffix: writing.Settings(given["target"], given["keys"], given["tolerance"], suffix),
        )
        cls = getattr(part(f"operators.{self.module}"), self.operator)
        return part("jobs").Job(cls.make(operator, bpy.context, ob))


CLEAN = Tool("clean_motion", "clean", "DPOSER_OT_clean_motion", {"method": "wiener", "feet": "never"})
COMPLETE = Tool(
    "complete_limbs",
    "complete",
    "DPOSER_OT_complete_limbs",
    {"bones": "PARTS", "parts": {"left_arm"}, "variants": 1},
)
INBETWEEN = Tool("inbetween", "inbetween", "DPOSER_OT_inbetween", {"method": "linear"})
TOOLS = (CLEAN, COMPLETE, INBETWEEN)
COUNT = 24  # frames of `walking`


def drive(job: Any, until: Callable[[], bool] = lambda: False, seconds: float = 240.0) -> Any:
    """Advance a job until it is done, or something is so; how it ended, None where it goes on."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done = job.advance(bpy.context)
        if done is not None or until():
            return done
        time.sleep(0.005)
    raise AssertionError(f"still {job.text} after {seconds} s")


def walking(rigs: Any, count: int = COUNT) -> Any:
    """A walking rig with two keys selected."""
    ob = rigs.smpl()
    rigs.animate(ob, count)
    select_keys(ob, {4, 12})
    return ob


def long_walk(rigs: Any, count: int) -> Any:
    """A walk of many frames, keyed at once."""
    ob = rigs.smpl()
    rigs.animate(ob, 36)
    random = np.random.default_rng(0)
    for curve in part("compat").curves(ob.animation_data):
        values = np.array([key.co[1] for key in curve.keyframe_points])
        points = np.empty((count, 2), np.float32)
        points[:, 0], points[:, 1] = np.arange(1, count + 1), np.resize(values, count)
        points[:, 1] += random.normal(scale=0.01, size=count)
        curve.keyframe_points.clear()
        curve.keyframe_points.add(count)
        curve.keyframe_points.foreach_set("co", points.ravel())
        curve.update()
    bpy.context.scene.frame_end = count
    return ob


def started(tool: Tool, ob: Any, phase: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A job in some phase: while the engine is ``asked``, Blender is ``reading``, or ``writing``."""
    monkeypatch.setattr(part("reading"), "SLICE", 0.002)
    monkeypatch.setattr(part("edit_task"), "SLICE", 0.0)
    job = tool.job(ob, frames="ACTION") if tool is not INBETWEEN else tool.job(ob)
    monkeypatch.setattr(part("jobs"), "_current", job)
    phases = {
        "asked": lambda: job.stage == "Cleaning",
        "reading": lambda: job.stage == "Reading" and job.fraction > 0,
        "writing": lambda: job.stage == "Writing" and job.unsettled and job.fraction > 0,
    }
    assert drive(job, until=phases[phase]) is None
    return job


def select_keys(ob: Any, frames: set[int]) -> None:
    """Select the keys of an object's bones on these frames, and no others."""
    for curve in part("compat").curves(ob.animation_data):
        for key in curve.keyframe_points:
            key.select_control_point = round(key.co[0]) in frames


def digest(without: tuple[str, ...] = ()) -> Digest:
    """All that a tool could change of a file, by what it is.

    Args:
        without: beginnings of entries that are left out.
    """
    bpy.context.view_layer.update()
    found = dict(_entries())
    return {key: value for key, value in found.items() if not key.startswith(without or ("\0",))}


def _entries() -> Iterator[tuple[str, Any]]:
    for kind in ("objects", "armatures", "actions", "scenes", "collections", "meshes", "texts"):
        yield f"names {kind}", sorted(block.name_full for block in getattr(bpy.data, kind))
    for action in bpy.data.actions:
        yield f"action {action.name_full}", (action.use_fake_user, _keys(action))
    for ob in bpy.data.objects:
        animation = ob.animation_data
        yield f"object {ob.name_full} transform", (tuple(ob.matrix_basis.row[0]), ob.rotation_mode, ob.hide_viewport)
        yield f"object {ob.name_full} animation", _animation(animation)
        record = ob.dposer_result
        yield f"object {ob.name_full} record", (
            record.tool, _name(record.original), _name(record.result), [_name(v.action) for v in record.variants],
        )  # fmt: skip
        if ob.pose is not None:
            yield f"object {ob.name_full} pose", [_bone(bone) for bone in ob.pose.bones]
    for scene in bpy.data.scenes:
        yield f"scene {scene.name_full}", (
            scene.frame_current, scene.frame_subframe, scene.frame_start, scene.frame_end, scene.use_preview_range,
            sorted(ob.name_full for ob in scene.objects),
        )  # fmt: skip


def _name(block: Any) -> str:
    return block.name_full if block is not None else ""


def _animation(animation: Any) -> Any:
    if animation is None:
        return None
    tracks = [
        (t.name, t.mute, [(s.name, _name(s.action), s.frame_start, s.frame_end, s.mute) for s in t.strips])
        for t in animation.nla_tracks
    ]
    return (
        _name(animation.action), part("compat").slot_identifier(animation), animation.use_tweak_mode,
        animation.action_influence, animation.action_blend_type, tracks, len(animation.drivers),
    )  # fmt: skip


def _bone(bone: Any) -> Any:
    # What the animation says is written to the channels by every evaluation; only what nothing animates is the user's.
    properties = {key: value for key, value in bone.items() if isinstance(value, (int, float, str))}
    return bone.name, bone.rotation_mode, properties, [(c.type, c.mute) for c in bone.constraints]


def _keys(action: Any) -> str:
    compat, curves = part("compat"), part("curves")
    total = hashlib.sha256()
    slots = [slot.identifier for slot in action.slots] if compat.HAS_SLOTS else [""]
    for slot in slots:
        for curve in compat.curves_of(action, slot):
            group = curve.group.name if curve.group is not None else ""
            total.update(repr((slot, curve.data_path, curve.array_index, curve.mute, curve.lock, group)).encode())
            total.update(repr([(m.type, m.mute) for m in curve.modifiers]).encode())
            for name, values in curves.saved(curve).items():
                total.update(name.encode() + np.ascontiguousarray(values).tobytes())
    return total.hexdigest()


def differing(before: Digest, after: Digest) -> set[str]:
    """Entries that are not the same in two digests."""
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def check_sentence(message: str) -> str:
    """Assert that a report is one clear sentence or two; gives it without what Blender puts around it."""
    text = message.removeprefix("Error: ").strip()
    assert "Traceback" not in text and "\n" not in text, text
    if ".poll()" in text:  # Blender shows it as a tooltip, and ends it there
        text = text.partition(".poll()")[2].strip()
        assert not text.endswith("."), text
    else:
        assert text.endswith(".") and not text.endswith(".."), text
    assert 15 < len(text) < 400, text
    assert not any(bad in text for bad in ("NoneType", "KeyError", "<bpy", "uid", "  ")), text
    return text
