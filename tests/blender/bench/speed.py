# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast an armature is read and written in this Blender, and how much memory that takes.

    python tests/blender/bench/speed.py [--quick]

prints one JSON object a line. Times are medians of five runs on one core, in seconds of that core's time and, as
``elapsed``, by the clock, which others on the machine lengthen. The rig has 65 bones, all keyed
in rotation on every frame and the root in location: 263 curves with quaternions. Evaluated reading, of the
same rig under one constraint, bare and with a mesh, is given as a ratio to Blender's own bake of the same
frames in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")  # before NumPy is there
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # before Blender counts the cores

import bpy  # noqa: E402
import numpy as np  # noqa: E402

sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (1, 2)]
from conftest import MODES, add_armature, part  # noqa: E402

FRAMES, RUNS, VERTICES = 10_000, 5, 50_000
_MODES = {"quaternion": MODES[:1], "euler": ("XYZ",), "mixed": MODES}
# Blender's defaults, and what importers of captures leave.
_INTERPOLATIONS = {"linear": 1, "bezier": 2}


def build(frames: int, modes: tuple[str, ...], interpolation: int = 1) -> Any:
    """A rig of 65 bones that sway, each at its own pace, with a key on every frame."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bones: list[tuple[str, int, Any, Any]] = [("root", -1, (0, 0, 1.0), (0, 0, 1.1))]
    for chain in range(8):
        parent = 0
        for link in range(8):
            x = 0.1 * (chain - 3.5)
            bones.append(
                (f"bone.{chain}.{link}", parent, (x, 0, 1.1 + 0.1 * link), (x, 0, 1.2 + 0.1 * link))
            )
            parent = len(bones) - 1
    ob = add_armature("Bench", bones)
    action = bpy.data.actions.new("bench")
    animation = ob.animation_data_create()
    animation.action = action
    compat, rotations = part("compat"), part("rotations")
    if compat.HAS_SLOTS:
        ob.keyframe_insert("location", index=0, frame=1)  # makes the slot, the layer and the strip
        compat.curves(animation)[0].keyframe_points.clear()
        animation = ob.animation_data
    time_axis = np.arange(1, frames + 1)
    for j, bone in enumerate(ob.pose.bones):
        bone.rotation_mode = modes[j % len(modes)]
        phase = time_axis / (20.0 + j)
        angles = np.stack([0.6 * np.sin(phase), 0.4 * np.cos(1.3 * phase), 0.5 * np.sin(0.7 * phase)], axis=-1)
        quaternions = rotations.to_quaternions(angles, "XYZ")[:, None]
        name, count = rotations.channels(bone.rotation_mode)
        start = np.zeros((frames, 1, count))
        values = rotations.to_channels(
            quaternions, bone.rotation_mode, start, np.ones((frames, 1), bool)
        )[:, 0]
        channels = [(name, values)]
        if bone.parent is None:
            channels.append(("location", angles))
        for channel, columns in channels:
            for i in range(columns.shape[1]):
                path = f"{bone.path_from_id()}.{channel}"
                points = compat.new_curve(animation, path, i, bone.name).keyframe_points
                points.add(frames)
                points.foreach_set("co", np.stack([time_axis, columns[:, i]], axis=-1).astype(np.float32).ravel())
                points.foreach_set("interpolation", np.full(frames, interpolation, np.int32))
    for curve in compat.curves(animation):
        curve.update()
    bpy.context.scene.frame_end = frames
    return ob


def read(ob: Any, frames: int) -> Any:
    """The clip of all frames, evaluated where that is needed."""
    armature = part("armature")
    clip = armature.read(ob, bpy.context.scene, 1, frames)
    while not clip.complete:
        armature.evaluate(clip, bpy.context, 10.0)
    return clip


def turned(clip: Any) -> np.ndarray:
    """Every bone's rotation, turned on by a few degrees."""
    half = np.radians(3.0)
    w, x, y, z = np.moveaxis(clip.rotations, -1, 0)
    c, s = np.cos(half), np.sin(half)
    return np.stack([c * w - s * x, c * x + s * w, c * y + s * z, c * z - s * y], axis=-1)


Seconds = tuple[float, float]  # of the processor, and by the clock


def seconds(action: Callable[[], Any]) -> Seconds:
    """How long one call takes."""
    busy, begin = time.process_time(), time.perf_counter()
    action()
    return time.process_time() - busy, time.perf_counter() - begin


def median(samples: list[Seconds]) -> Seconds:
    """Of each of the two."""
    busy, elapsed = np.median(samples, axis=0)
    return round(float(busy), 3), round(float(elapsed), 3)


def write(clip: Any, **options: Any) -> tuple[Seconds, Any]:
    """Seconds to write new rotations of all bones and a new location of the root, and what was written."""
    new_rotations, new_translations = turned(clip), clip.translations + 0.1
    rotations_changed = np.ones(clip.rotations.shape[:2], bool)
    translations_changed = np.zeros_like(rotations_changed)
    translations_changed[:, 0] = True
    written = []
    taken = seconds(
        lambda: written.append(
            part("writing").write(
                clip, new_rotations, new_translations, rotations_changed, translations_changed, **options
            )
        )
    )
    return taken, written[0]


def direct(
    frames: int, modes: tuple[str, ...], interpolation: int, runs: int
) -> tuple[list[Seconds], list[Seconds]]:
    """Seconds of each run to read and to write a rig that follows its keys alone."""
    reading, writing = [], []
    ob = build(frames, modes, interpolation)
    original = ob.animation_data.action
    slot = part("compat").slot_identifier(ob.animation_data)
    for _ in range(runs):
        reading.append(seconds(lambda: read(ob, frames)))
        clip = read(ob, frames)
        taken, written = write(clip)
        writing.append(taken)
        part("compat").assign(ob.animation_data, original, slot)
        bpy.data.actions.remove(bpy.data.actions[written.action])
    return reading, writing


def skin(ob: Any, vertices: int) -> None:
    """Give the armature a mesh of about so many vertices to deform."""
    side = round(vertices**0.5)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, side)] * 2), axis=-1).reshape(-1, 2)
    mesh = bpy.data.meshes.new("Skin")
    mesh.from_pydata(np.pad(grid, ((0, 0), (0, 1))).tolist(), [], [])
    wearer = bpy.data.objects.new("Skin", mesh)
    bpy.context.scene.collection.objects.link(wearer)
    for bone, part_of in zip(ob.data.bones, np.array_split(np.arange(len(grid)), len(ob.data.bones)), strict=True):
        wearer.vertex_groups.new(name=bone.name).add(part_of.tolist(), 1.0, "ADD")
    wearer.modifiers.new("Armature", "ARMATURE").object = ob


def evaluated(frames: int, runs: int, vertices: int) -> dict[str, float]:
    """Evaluated reading of a constrained rig, bare or with a mesh, against Blender's own bake."""
    from bpy_extras import anim_utils

    ob = build(frames, MODES[:1])
    target = bpy.data.objects.new("Target", None)
    bpy.context.scene.collection.objects.link(target)
    constraint = ob.pose.bones[-1].constraints.new("COPY_ROTATION")
    constraint.target = target
    if vertices:
        skin(ob, vertices)
    options = anim_utils.BakeOptions(
        only_selected=False,
        do_pose=True,
        do_object=False,
        do_visual_keying=True,
        do_constraint_clear=False,
        do_parents_clear=False,
        do_clean=False,
        do_location=True,
        do_rotation=True,
        do_scale=False,
        do_bbone=False,
        do_custom_props=False,
    )

    def bake() -> None:
        action = anim_utils.bake_action_objects([(ob, None)], frames=range(1, frames + 1), bake_options=options)[0]
        bpy.data.actions.remove(action)

    def step() -> None:
        for frame in range(1, frames + 1):
            bpy.context.scene.frame_set(frame)

    ours = [seconds(lambda: read(ob, frames)) for _ in range(runs)]
    stepping = [seconds(step) for _ in range(runs)]
    original, slot = ob.animation_data.action, part("compat").slot_identifier(ob.animation_data)
    theirs = []
    for _ in range(runs):
        theirs.append(seconds(bake))
        part("compat").assign(ob.animation_data, original, slot)
    return {
        "frames": frames,
        "vertices": vertices,
        "read_seconds": median(ours)[0],
        "frame_set_seconds": median(stepping)[0],
        "bake_seconds": median(theirs)[0],
        "read_by_bake": round(median(ours)[0] / median(theirs)[0], 3),
    }


def reduction(frames: int) -> dict[str, float]:
    """Seconds to write with as few keys as keep every joint within a millimetre, and how few those are."""
    clip = read(build(frames, MODES[:1]), frames)
    taken, written = write(clip, keys="REDUCED", tolerance=1.0)
    every = frames * (4 * len(clip.names) + 3)
    return {"frames": frames, "write_seconds": round(taken[0], 2), "one_key_in": round(every / written.keys, 1)}


def peak(reset: bool = False) -> int:
    """The most memory this process has held, or has held since the last reset, in KiB; Linux alone tells it."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def memory(frames: int) -> dict[str, float]:
    """Peak growth of this process, in KiB for each frame, while it reads and while it writes."""
    ob = build(frames, MODES)
    before = peak(reset=True)
    clip = read(ob, frames)
    reading = peak() - before
    new_rotations = turned(clip)
    changed = np.ones(clip.rotations.shape[:2], bool)
    before = peak(reset=True)
    part("writing").write(clip, new_rotations, clip.translations, changed, np.zeros_like(changed))
    return {
        "frames": frames,
        "read_kib_per_frame": round(reading / frames, 2),
        "write_kib_per_frame": round((peak() - before) / frames, 2),
    }


def main() -> int:
    """Print all figures."""
    parser = argparse.ArgumentParser(description="Speed and memory of reading and writing an armature.")
    parser.add_argument("--quick", action="store_true", help="fewer frames and runs, for a first look")
    parser.add_argument("--memory", type=int, metavar="FRAMES", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        print(json.dumps(memory(options.memory)))
        return 0
    frames, runs = (FRAMES // 5, 2) if options.quick else (FRAMES, RUNS)
    print(f"Blender {bpy.app.version_string}, one core, median of {runs}; seconds of the core (by the clock)")
    print(f"{frames:,} frames of 65 bones, a key on each frame:")
    for name, modes in _MODES.items():
        for style, interpolation in _INTERPOLATIONS.items():
            reading, writing = (median(samples) for samples in direct(frames, modes, interpolation, runs))
            verbs = (("read", reading), ("written", writing))
            told = ", ".join(f"{verb} {own:.2f} s ({clock:.2f})" for verb, (own, clock) in verbs)
            print(f"  {name}, {style} keys: {told}", flush=True)
    for vertices in (0, VERTICES):
        case = evaluated(frames // 10, runs, vertices)
        print(
            f"{case['frames']:,} frames of a constrained rig with a mesh of {vertices:,} vertices: evaluated in "
            f"{case['read_seconds']:.2f} s, {case['read_by_bake']:.2f} of Blender's own bake "
            f"({case['bake_seconds']:.2f} s)",
            flush=True,
        )
    case = reduction(frames)
    print(
        f"{frames:,} frames written with reduced keys (1 mm): {case['write_seconds']:.1f} s, one key in "
        f"{case['one_key_in']:.0f} kept",
        flush=True,
    )
    for size in (frames // 4, frames // 2, frames) if sys.platform == "linux" else ():
        command = [sys.executable, str(Path(__file__).resolve()), "--memory", str(size)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        case = json.loads(output.splitlines()[-1])
        print(
            f"memory at {size:,} frames: {case['read_kib_per_frame']:.1f} KiB a frame to read, "
            f"{case['write_kib_per_frame']:.1f} to write",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
