# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a Blender: installs a zip into its fresh profile, cleans the demo's clip, and tells what came of it.

Started by `wheels.install_check` as a script, with nothing of the project on the path: ``ZIP VARIANT CLIP TRUTH``.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np

_START_LIMIT = 120.0  # seconds
_METHODS = {"full": ("prior", "wiener", "butterworth"), "lite": ("wiener", "butterworth")}


def tell(what: str, value: object) -> None:
    """One line of the report."""
    print(f"   {what}: {value}", flush=True)


def surroundings() -> None:
    """Tell what this Blender and its Python have before anything is installed."""
    tell("Blender", f"{bpy.app.version_string}, Python {sys.version.split()[0]}, NumPy {np.__version__}")
    found = [name for name in ("torch", "scipy", "roma", "safetensors") if importlib.util.find_spec(name)]
    if found:
        raise AssertionError(f"This Python has {', '.join(found)} already, so it proves nothing.")
    tell("torch, scipy, roma, safetensors", "none")
    tell("network interfaces", ", ".join(name for _, name in socket.if_nameindex()))


def install(path: Path) -> Any:
    """Install as the preferences' "Install from Disk" does; returns the extension's module of the engine's session."""
    import addon_utils  # on the path only once bpy is loaded

    addon_utils.enable("bl_pkg")
    started = time.monotonic()
    bpy.ops.extensions.package_install_files(filepath=str(path), repo="user_default", enable_on_install=True)
    tell("installed and enabled, s", f"{time.monotonic() - started:.1f}")
    return importlib.import_module("bl_ext.user_default.dposer.dposer_blender.session")


def start(session: Any) -> None:
    """Start the engine as the first click does, and time it."""
    begin = time.monotonic()
    engine = session.engine(bpy.context)
    while engine.info is None:
        engine.poll()
        if time.monotonic() - begin > _START_LIMIT:
            raise AssertionError("The engine does not answer.")
        time.sleep(0.005)
    tell("engine's start, s", f"{time.monotonic() - begin:.2f}")


def read_clip(path: Path) -> Any:
    """Import a BVH file with Blender's importer; the armature."""
    import addon_utils

    addon_utils.enable("io_anim_bvh")
    bpy.ops.import_anim.bvh(filepath=str(path), update_scene_fps=True, update_scene_duration=True)
    return bpy.context.view_layer.objects.active


def joints(armature: Any) -> np.ndarray:
    """(frames, bones, 3) heads of the bones, metres in the file's scale of centimetres."""
    scene = bpy.context.scene
    places = np.empty((scene.frame_end - scene.frame_start + 1, len(armature.pose.bones), 3))
    for row, frame in enumerate(range(scene.frame_start, scene.frame_end + 1)):
        scene.frame_set(frame)
        places[row] = [bone.head for bone in armature.pose.bones]
    return places / 100.0


def distance(armature: Any, truth: np.ndarray) -> float:
    """Mean distance of the joints from the truth, millimetres."""
    return float(1000.0 * np.linalg.norm(joints(armature) - truth, axis=-1).mean())


def clean(armature: Any, method: str, truth: np.ndarray, before: float) -> None:
    """Clean the clip by one method and compare; the action is the imported one again afterwards."""
    original = armature.animation_data.action
    bpy.context.view_layer.objects.active = armature
    armature.select_set(True)
    started = time.monotonic()
    if bpy.ops.dposer.clean_motion(method=method) != {"FINISHED"}:
        raise AssertionError(f"{method} was not finished.")
    seconds = time.monotonic() - started
    if armature.animation_data.action == original:
        raise AssertionError(f"{method} made no action of its own.")
    after = distance(armature, truth)
    armature.animation_data.action = original
    tell(f"{method}, s", f"{seconds:.2f}; from the truth {before:.1f} mm -> {after:.1f} mm")
    if not after < before:  # NaN, too
        raise AssertionError(f"{method} left the clip no better than it was.")
    if distance(armature, truth) != before:
        raise AssertionError(f"{method} changed the original action.")


def main(path: Path, variant: str, clip: Path, truth_clip: Path) -> None:
    """Carry the check out; raises where something is not as it should be."""
    surroundings()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    session = install(path)
    truth = joints(read_clip(truth_clip))
    armature = read_clip(clip)
    before = distance(armature, truth)
    start(session)
    for method in _METHODS[variant]:
        clean(armature, method, truth, before)
    if variant == "lite":
        try:
            bpy.ops.dposer.clean_motion(method="prior")
        except RuntimeError as error:
            tell("prior", str(error).strip())
        else:
            raise AssertionError("The Motion Prior ran without PyTorch.")
    session.stop()


if __name__ == "__main__":
    status = 1
    try:
        main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
        status = 0
    except Exception as error:
        print(f"   FAILED: {error}", file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(status)  # Blender as a module may hang at its exit
