# SPDX-License-Identifier: GPL-3.0-or-later
"""How many keys reduction saves on real captures, against Blender's own Decimate at the same error.

    python tests/blender/bench/reduction.py BVH [BVH ...]

prints one JSON object a capture and tolerance. Keys are counted over all curves; the error is how far any head
or tail of a bone is from the capture on any whole frame, as Blender evaluates both. Decimate's allowed change
of value, one for all curves as its slider has it, is the largest of a series a quarter apart that stays within
the tolerance.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (1, 2)]
from conftest import part  # noqa: E402

FRAMES = 240
TOLERANCES = (1.0, 2.0, 5.0)
_FINEST, _STEP = 1e-5, 1.25


def load(path: Path) -> Any:
    """The armature that Blender's own importer makes of a capture."""
    import addon_utils

    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon_utils.enable("io_anim_bvh")
    bpy.ops.import_anim.bvh(filepath=str(path), global_scale=0.01, frame_start=0)
    return bpy.context.object


def points(ob: Any, frames: np.ndarray) -> np.ndarray:
    """(T, J, 2, 3) heads and tails in millimetres."""
    result = []
    for frame in frames.tolist():
        bpy.context.scene.frame_set(frame)
        bones = ob.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        ends = np.empty((2, 3 * len(bones)), np.float32)
        bones.foreach_get("head", ends[0])
        bones.foreach_get("tail", ends[1])
        result.append(ends.reshape(2, -1, 3).swapaxes(0, 1))
    return 1000 * np.array(result, np.float64)


def count(ob: Any) -> int:
    """Keys of the curves that hold a bone's rotation or the root's location."""
    found = part("compat").curves(ob.animation_data)
    return sum(len(curve.keyframe_points) for curve in found)


def decimate(ob: Any, margin: float) -> None:
    """Run Blender's Decimate, by allowed change, on all curves of the armature."""
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "GRAPH_EDITOR"
    region = next(region for region in area.regions if region.type == "WINDOW")
    for curve in part("compat").curves(ob.animation_data):
        curve.select = True
        points = curve.keyframe_points
        points.foreach_set("select_control_point", np.ones(len(points), bool))
    with bpy.context.temp_override(window=window, area=area, region=region, active_object=ob):
        area.spaces.active.dopesheet.show_only_selected = False
        if bpy.ops.graph.decimate(mode="ERROR", remove_error_margin=margin) != {"FINISHED"}:
            raise RuntimeError("Blender's Decimate did nothing here.")


def measure(path: Path) -> None:
    """Print the figures of one capture."""
    armature, compat = part("armature"), part("compat")
    ob = load(path)
    frames = np.arange(1, FRAMES + 1)
    for curve in compat.curves(ob.animation_data):  # the rest of the capture would weigh in Decimate's count
        keys = curve.keyframe_points
        for key in list(keys)[:0:-1]:
            if key.co[0] > FRAMES:
                keys.remove(key, fast=True)
        curve.update()
    animation = ob.animation_data
    original, slot = animation.action, compat.slot_identifier(animation)
    truth, dense = points(ob, frames), count(ob)

    def error() -> float:
        return float(np.linalg.norm(points(ob, frames) - truth, axis=-1).max())

    clip = armature.read(ob, bpy.context.scene, 1, FRAMES)
    turning, moving = clip.rotations_keyed.any(axis=1), clip.locations_keyed.any(axis=1)
    changed = np.ones(clip.rotations.shape[:2], bool)
    ours = []
    for tolerance in TOLERANCES:
        begin = time.perf_counter()
        written = part("writing").write(
            clip, clip.rotations, clip.translations, changed & turning, changed & moving, "REDUCED", tolerance
        )
        seconds = time.perf_counter() - begin
        ours.append((count(ob), error(), seconds))
        compat.assign(animation, original, slot)
        bpy.data.actions.remove(bpy.data.actions[written.action])

    theirs: list[tuple[int, float]] = [(dense, 0.0)] * len(TOLERANCES)
    margin = _FINEST
    while True:
        copy = original.copy()
        compat.assign(animation, copy, slot)
        decimate(ob, margin)
        reached, keys = error(), count(ob)
        compat.assign(animation, original, slot)
        bpy.data.actions.remove(copy)
        if reached > TOLERANCES[-1]:
            break
        theirs = [
            (keys, reached) if reached <= tolerance else best
            for tolerance, best in zip(TOLERANCES, theirs, strict=True)
        ]
        margin *= _STEP
    for tolerance, (keys, reached, seconds), (blender_keys, blender_error) in zip(
        TOLERANCES, ours, theirs, strict=True
    ):
        figures = {
            "capture": path.stem,
            "tolerance_mm": tolerance,
            "keys_every_frame": dense,
            "keys": keys,
            "one_in": round(dense / keys, 2),
            "error_mm": round(reached, 3),
            "seconds": round(seconds, 2),
            "decimate_one_in": round(dense / blender_keys, 2),
            "decimate_error_mm": round(blender_error, 3),
        }
        print(json.dumps(figures), flush=True)


def main() -> int:
    """Measure every capture named."""
    parser = argparse.ArgumentParser(description="Keys saved on captures, against Blender's Decimate.")
    parser.add_argument("captures", nargs="+", type=Path, metavar="BVH")
    for path in parser.parse_args().captures:
        measure(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
