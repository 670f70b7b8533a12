# SPDX-License-Identifier: GPL-3.0-or-later
"""``idle`` and ``generate --like`` from file to file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from standing_poses import BENT, HANGING, pose

from engine.cli import main
from engine.motion import amass, bvh
from engine.motion.joints import HALVES, JOINTS
from engine.tasks.idle import IdleSettings, idle

START = pose(BENT, HANGING, fps=24.0)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    target = tmp_path / "stand.npz"
    amass.create(target, START)
    return target


def test_an_idle_of_an_amass_file_is_the_task_s(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "idle.npz"
    arguments = ["idle", str(clip), str(target), "--seconds", "3", "--seed", "2", "--sway", "0.5", "--device", "cpu"]
    assert main(arguments) == 0
    found = amass.read(target).motion
    expected = idle(amass.read(clip).motion, 3.0, IdleSettings(sway=0.5, seed=2, device="cpu"))
    assert len(found) == 73 and found.fps == 24.0
    np.testing.assert_allclose(found.poses, expected.poses, atol=1e-6)
    np.testing.assert_allclose(found.transl, expected.transl, atol=1e-6)


def test_an_idle_of_a_bvh_file(shared_data: Path, tmp_path: Path) -> None:
    source, target = shared_data / "bvh_test" / "cmu_13_11.bvh", tmp_path / "idle.bvh"
    assert main(["idle", str(source), str(target), "--frame", "200", "--seconds", "2", "--device", "cpu"]) == 0
    before, after = bvh.read(source).motion, bvh.read(target).motion
    assert len(after) == round(2.0 * before.fps) + 1
    for end in (0, -1):
        dots = np.abs((after.rotations[end] * before.rotations[200]).sum(axis=-1))
        np.testing.assert_allclose(dots, 1.0, atol=1e-9)
        np.testing.assert_allclose(after.translations[end], before.translations[200], atol=1e-5)


def test_poses_like_a_clip_s_keep_what_is_to_be_kept(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "poses.npz"
    arguments = ["generate", str(target), "--like", str(clip), "--keep", "upper_body", "--count", "3"]
    assert main([*arguments, "--device", "cpu"]) == 0
    found = amass.read(target).motion
    kept = [JOINTS.index(joint) for joint in ("pelvis", *HALVES["upper_body"])]
    np.testing.assert_allclose(found.poses[:, kept], np.repeat(START.poses[:, kept], 3, axis=0), atol=1e-9)
    assert np.abs(found.poses[0] - found.poses[1]).max() > 0.02


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["idle", "{clip}", "{out}", "--frame", "1"], "no frame 1"),
        (["idle", "{clip}", "{out}", "--seconds", "0"], "seconds"),
        (["idle", "{clip}", "{clip}"], "written over"),
        (["generate", "{out}", "--like", "{clip}", "--keep", "tail"], "tail is no joint"),
        (["generate", "{out}", "--like", "{clip}", "--preset", "paper"], "--preset"),
        (["generate", "{out}", "--keep", "legs"], "--like"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: list[str], told: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"clip": str(clip), "out": str(tmp_path / "out.npz")}
    assert main([part.format(**names) for part in arguments]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()
