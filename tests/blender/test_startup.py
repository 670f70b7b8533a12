# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender has to read of the extension when it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("bpy")

TESTS = Path(__file__).resolve().parents[1]

# In a Blender of its own: elsewhere in these tests everything has been used.
REGISTER = """
import json, os, sys, types
import bpy
from rigcheck.extension import load, part
# The module loads NumPy, a Blender with a window does not: here it is as there.
numpy = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "numpy"}
before = set(sys.modules)
load().register()
heavy = sorted({name.partition(".")[0] for name in set(sys.modules) - before} & {"numpy", "scipy", "torch"})
sys.modules.update(numpy)
package = part("late").__name__.rpartition(".")[0]
modules = {name: sys.modules[f"{package}.{name}"] for name in part("late").MODULES}
read = [name for name, module in modules.items() if type(module) is types.ModuleType]
part("writing").Settings
used = type(sys.modules[f"{package}.writing"]) is types.ModuleType
print(json.dumps([read, used, heavy]), flush=True)
os._exit(0)
"""


def test_what_does_the_work_is_read_when_it_is_used() -> None:
    paths = os.pathsep.join(map(str, (TESTS, TESTS.parent)))
    done = subprocess.run(
        [sys.executable, "-c", REGISTER], env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    read, used, heavy = json.loads(done.stdout.splitlines()[-1])
    assert read == [], "a module imports a name of them at Blender's start: see dposer_blender/late.py"
    assert used, "it is never read"
    assert heavy == []
