# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo from end to end, on the first seconds of its clip: real Blender, real extension, real engine."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import build
from demo import make_sample
from engine.motion import bvh
from engine.motion.motion import Motion

FOLDER = Path(make_sample.__file__).parent
FRAMES = 36


def _shorten(source: Path, target: Path) -> None:
    clip = bvh.read(source)
    motion = clip.motion
    short = Motion(motion.skeleton, motion.rotations[:FRAMES], motion.translations[:FRAMES], motion.fps)
    bvh.write(target, dataclasses.replace(clip, motion=short, values=clip.values[:FRAMES]))


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build.package(tmp_path_factory.mktemp("package"))


@pytest.mark.slow
def test_demo_leaves_a_cleaner_clip_and_its_pictures(tmp_path: Path, extension: Path) -> None:
    _shorten(FOLDER / "sample.bvh", tmp_path / "clip.bvh")
    _shorten(FOLDER / "sample_truth.bvh", tmp_path / "clip_truth.bvh")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "demo", "--draft", "--extension", extension, "--out", out, tmp_path / "clip.bvh"]
    answer = subprocess.run(command, cwd=FOLDER.parent, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr

    figures = json.loads((out / "figures.json").read_text())
    assert figures["after"]["joint_error_mm"] < figures["before"]["joint_error_mm"]
    assert figures["after"]["acceleration_m_s2"] < 0.5 * figures["before"]["acceleration_m_s2"]
    assert figures["actions"] == ["clip", "clip_clean"]

    before, after = bvh.read(tmp_path / "clip.bvh").motion, bvh.read(out / "clip_clean.bvh").motion
    assert after.skeleton.names == before.skeleton.names
    assert len(after) == FRAMES
    assert not np.array_equal(after.rotations, before.rotations)

    assert (out / "clip.blend").stat().st_size > 10_000
    with Image.open(out / "clean.gif") as film:
        assert film.n_frames == FRAMES // 3
    with Image.open(out / "strip.png") as strip:
        assert min(np.asarray(strip).reshape(-1, 3).std(axis=0)) > 10.0  # something is in the picture
    assert (out / "acceleration.png").is_file()


def test_unreadable_clip_is_a_sentence(tmp_path: Path, extension: Path) -> None:
    (tmp_path / "broken.bvh").write_text("HIERARCHY\nROOT Hips\n{\n")
    command = [sys.executable, "-m", "demo", "--extension", extension, "--out", tmp_path / "out"]
    answer = subprocess.run(
        [*command, tmp_path / "broken.bvh"], cwd=FOLDER.parent, capture_output=True, text=True
    )
    assert answer.returncode == 2
    assert answer.stderr.startswith("demo: ")
    assert "broken.bvh" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
