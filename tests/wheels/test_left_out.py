# SPDX-License-Identifier: GPL-3.0-or-later
"""What PyTorch declares to need and no zip holds is not missed by anything that learned tools do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from wheels.variants import LEFT_OUT

ROOT = Path(__file__).resolve().parents[2]
UNUSED = set(LEFT_OUT) - {"numpy"}

WORK = """
from importlib.machinery import PathFinder

found = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name.partition(".")[0] in UNUSED else found(name, *rest)
import numpy as np
import torch
from engine.body import mean_offsets
from engine.motion.motion import BodyMotion
from engine.tasks.check import check
from engine.tasks.refine.animation import refine_motion
from engine.tasks.refine.refine import PRESETS

findings = {row.subject: row.state for row in check("cpu")}
assert findings["Weights"] == findings["Test Solve"] == "good", findings
poses = np.random.default_rng(0).normal(0.0, 0.1, (12, 22, 3))
given = BodyMotion(poses, np.zeros((12, 3)), 30.0, mean_offsets())
for preset in ("paper", "best"):
    assert np.isfinite(refine_motion(given, (), PRESETS[preset]).motion.poses).all()
weight = torch.zeros(3, requires_grad=True)
adam = torch.optim.Adam([weight])
weight.sum().backward()
adam.step()
print("worked")
"""


def test_learned_tools_work_without() -> None:
    code = f"UNUSED = {sorted(UNUSED)!r}\n{WORK}"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0 and ran.stdout.splitlines()[-1] == "worked", ran.stdout + ran.stderr
