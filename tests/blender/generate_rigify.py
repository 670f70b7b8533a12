# SPDX-License-Identifier: GPL-3.0-or-later
"""Generates Rigify's human and saves it: ``python generate_rigify.py OUT.blend``, in a process of its own.

Blender as a module may never end once Rigify has generated a rig, so the process ends itself.
"""

import os
import sys
import traceback

import bpy


def main() -> None:
    """Metarig and generated rig, both in the file."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_human_metarig_add()
    bpy.context.object.name = "Metarig"
    bpy.ops.pose.rigify_generate()
    bpy.context.object.name = "Rigify"
    bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)
