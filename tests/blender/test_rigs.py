# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the table of rigs, held to their limits in this Blender: see `rigcheck`.

They come from a process of their own: Blender as a module may never end once Rigify has generated a rig or add-ons
have imported files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("bpy")

from rigcheck.cases import FILES, Case, cases
from rigcheck.conventions import CONVENTIONS
from rigcheck.places import ENVIRONMENT, ROOT
from rigcheck.verdict import Figures

pytestmark = pytest.mark.slow

CASES = [case for case in cases() if not case.slow]
LACKING = {
    "makehuman": {"left_foot", "right_foot"},  # each toe has its own bone
    "CMU BVH, DAZ-friendly": {"left_foot", "right_foot"},  # the files end at the ankles
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Figures]:
    """Every rig's figures, by its name."""
    output = tmp_path_factory.mktemp("rigs") / "lane.json"
    ended = subprocess.run(
        [sys.executable, "-m", "rigcheck.lane", output, "--brief"],
        cwd=ROOT, env=os.environ | ENVIRONMENT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    rows = json.loads(output.read_text("utf-8"))["rigs"]
    figures = [Figures(**{key: value for key, value in row.items() if key != "kind"}) for row in rows]
    return {row.rig: row for row in figures}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_rig_keeps_within_the_limits(case: Case, measured: dict[str, Figures]) -> None:
    figures = measured[case.name]
    assert figures.failures() == []
    assert set(figures.lacks) == LACKING.get(case.name, set())
    if case.kind != FILES:
        assert figures.confidence == 1.0
    if case.name in CONVENTIONS:
        assert figures.map == case.name


def test_every_rig_was_measured(measured: dict[str, Figures]) -> None:
    assert set(measured) == {case.name for case in CASES}
