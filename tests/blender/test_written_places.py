# SPDX-License-Identifier: GPL-3.0-or-later
"""An installed extension at work in a fresh profile writes to its user folder and where it is told, nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wheels import pack

pytest.importorskip("bpy")

ROOT = Path(pack.__file__).resolve().parents[1]
AUDIT = ROOT / "tests" / "audit"
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs a shell script for an interpreter")

WORK = """
import os, sys
import bpy, addon_utils

name = "bl_ext.user_default.dposer"
assert addon_utils.enable(name, default_set=True) is not None
bpy.ops.import_anim.bvh(filepath=os.environ["CLIP"])
ob, out = bpy.context.object, os.environ["OUT"]
bpy.context.scene.dposer.method = "gaussian"
assert bpy.ops.dposer.clean_motion() == {"FINISHED"}
assert ob.animation_data.action.name.endswith("clean"), ob.animation_data.action.name
ob.data.dposer_bone_map.head = "mixamorig:Head"
assert bpy.ops.dposer.save_bone_map(filepath=os.path.join(out, "map.json")) == {"FINISHED"}
assert bpy.ops.dposer.load_bone_map(filepath=os.path.join(out, "map.json")) == {"FINISHED"}
assert bpy.ops.dposer.save_bone_map_preset(preset="Mine") == {"FINISHED"}
addon_utils.disable(name)
sys.stdout.flush()
os._exit(0)
"""


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def noted(path: Path, installed: Path, *places: Path) -> list[str]:
    """What was done to anything but what is in these places and the null device.

    Of sockets those that an installed extension, or the engine, led to: Blender's own modules try some when loaded.
    """
    lines = [line.split("\t", 1) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [(kind, where) for kind, where in lines if kind != "network" or str(installed) in where]
    return [
        f"{kind} {where}"
        for kind, where in lines
        if where != os.devnull and not any(Path(where).is_relative_to(place) for place in places)
    ]


@POSIX
def test_an_installed_extension_writes_to_its_own_folder_alone(tmp_path: Path) -> None:
    profile, home, out, temp = (tmp_path / name for name in ("profile", "home", "out", "temp"))
    installed = profile / "extensions" / "user_default" / "dposer"
    for folder in (installed.parent, home, out, temp):
        folder.mkdir(parents=True)
    pack.stage(ROOT, installed)
    before = files(installed)
    interpreter = tmp_path / "python"  # the engine's, watched as well
    engine = os.environ.get("DPOSER_PYTHON", sys.executable)
    interpreter.write_text(
        f'#!/bin/sh\nDPOSER_AUDIT="{tmp_path}/engine.txt" PYTHONPATH="{AUDIT}:$PYTHONPATH" exec "{engine}" "$@"\n'
    )
    interpreter.chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "XDG", "BLENDER"))}
    environment = kept | {
        "BLENDER_USER_RESOURCES": str(profile), "HOME": str(home), "TMPDIR": str(temp), "OUT": str(out),
        "CLIP": str(ROOT / "demo" / "sample.bvh"), "DPOSER_PYTHON": str(interpreter),
        "DPOSER_AUDIT": str(tmp_path / "blender.txt"), "PYTHONPATH": str(AUDIT), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    answer = subprocess.run(
        [sys.executable, "-c", WORK], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert files(out) == {"map.json"}
    assert files(installed) == before, "neither the extension nor the engine writes beside its sources"
    assert not files(home)
    own = profile / "extensions" / ".user" / "user_default" / "dposer"
    found = files(own)
    logs = {name for name in found if name.startswith("engine-") and name.endswith(".log")}
    assert len(logs) <= 1, "there is one where the engine had something to say"
    assert "bone_maps/Mine.json" in found
    assert all(name.startswith("bytecode/") for name in found - logs - {"bone_maps/Mine.json"})
    assert {"bytecode/serve"} <= {name.split(".")[0].replace("__pycache__/", "") for name in found}
    assert not noted(tmp_path / "engine.txt", installed, own, temp)
    blenders = (profile / "extensions" / ".user", profile / "extensions" / ".cache")  # it makes the way to our folder
    assert not noted(tmp_path / "blender.txt", installed, *blenders, out, temp)
    assert files(profile / "extensions" / ".user") == {f"user_default/dposer/{name}" for name in found}
    assert not files(temp), "temporary files are removed"
