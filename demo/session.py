# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's hour in Blender: install the extension, import the clip, press the button, save.

Runs in a process of its own with BLENDER_USER_RESOURCES set to an empty folder: a user's first start::

    python -m demo.session EXTENSION.zip CLIP.bvh FOLDER
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import bpy
import numpy as np

from demo import rig
from demo.leaving import leave_after
from engine.motion import bvh
from engine.motion.motion import Motion


def install(extension: Path) -> None:
    """Install and enable the extension's zip as the preferences' "Install from Disk" does."""
    import addon_utils  # on the path only once bpy is loaded

    addon_utils.enable("bl_pkg")
    bpy.ops.extensions.package_install_files(
        filepath=str(extension), repo="user_default", enable_on_install=True
    )


def cleaned_motion(
    armature: bpy.types.Object, clip: bvh.BvhClip, before: tuple[np.ndarray, np.ndarray]
) -> Motion:
    """The clip's motion with what cleaning changed in the armature, the rest as it was read from the file."""
    rotations, translations = rig.read(armature, clip.motion.skeleton, len(clip.motion))
    turned = (rotations != before[0]).any(axis=-1, keepdims=True)
    moved = (translations != before[1]).any(axis=-1, keepdims=True)
    return Motion(
        clip.motion.skeleton,
        np.where(turned, rotations, clip.motion.rotations),
        np.where(moved, translations, clip.motion.translations),
        clip.motion.fps,
    )


def main(extension: Path, source: Path, folder: Path) -> None:
    """Clean one clip and leave ``<name>.blend``, ``<name>_clean.bvh`` and ``session.json`` in the folder."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    install(extension)
    clip = bvh.read(source)
    armature = rig.build(source.stem, clip.motion)
    before = rig.read(armature, clip.motion.skeleton, len(clip.motion))
    started = time.monotonic()
    try:
        bpy.ops.dposer.clean_motion()
    except RuntimeError as error:  # the operator's report
        sys.exit(str(error).removeprefix("Error: ").strip())
    seconds = time.monotonic() - started
    motion = cleaned_motion(armature, clip, before)
    bvh.write(folder / f"{source.stem}_clean.bvh", clip, motion)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / f"{source.stem}.blend"), compress=True)
    facts = {
        "blender": bpy.app.version_string,
        "extension": extension.name,
        "operator_seconds": round(seconds, 2),
        "actions": sorted(action.name for action in bpy.data.actions),
    }
    (folder / "session.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("DPOSER_PYTHON", sys.executable)
    leave_after(lambda: main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
