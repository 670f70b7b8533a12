# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine complete`` and ``generate`` from file to file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine import cli
from engine.motion import amass, bvh
from engine.motion.motion import BodyMotion
from engine.motion.tpose import OFFSETS

FRAMES = 24


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    time = np.arange(FRAMES)[:, None, None] / 30.0
    poses = 0.1 * np.sin(2.0 * time + np.arange(22)[:, None] + np.arange(3))
    path = tmp_path / "clip.npz"
    amass.create(path, BodyMotion(poses, np.zeros((FRAMES, 3)), 30.0, OFFSETS.copy()))
    return path


def test_created_files_come_back(clip: Path) -> None:
    motion = amass.read(clip).motion
    time = np.arange(FRAMES)[:, None, None] / 30.0
    np.testing.assert_allclose(
        motion.poses, 0.1 * np.sin(2.0 * time + np.arange(22)[:, None] + np.arange(3)), atol=1e-12
    )
    assert motion.fps == 30.0 and len(motion) == FRAMES


def test_a_range_of_an_arm_is_completed_twice_over(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = clip.with_name("out.npz")
    words = ["complete", str(clip), str(out), "--missing", "left_arm", "--range", "5:15", "--hypotheses", "2"]
    assert cli.main(words) == 0
    before = amass.read(clip).motion.poses
    for path in (out, clip.with_name("out_2.npz")):
        changed = (amass.read(path).motion.poses != before).any(axis=-1)
        frames, joints = np.nonzero(changed)
        assert set(frames) == set(range(5, 15)) and set(joints) == {13, 16, 18, 20}
    assert "hypothesis 2" in capsys.readouterr().err


def test_no_hypothesis_is_written_over_the_input(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = clip.rename(clip.with_name("take_2.npz"))
    before = source.read_bytes()
    words = ["complete", str(source), str(clip.with_name("take.npz")), "--missing", "head", "--hypotheses", "2"]
    assert cli.main(words) == 2
    assert "written over" in capsys.readouterr().err
    assert source.read_bytes() == before and not clip.with_name("take.npz").exists()


def test_temperature_decides_how_far_poses_lie_apart(tmp_path: Path) -> None:
    spread = []
    for temperature in ("0.5", "1"):
        out = tmp_path / f"{temperature}.npz"
        assert cli.main(["generate", str(out), "--count", "24", "--temperature", temperature]) == 0
        spread.append(amass.read(out).motion.poses[:, 1:].std(axis=0).mean())
    assert 0.2 < spread[0] / spread[1] < 0.7


def test_every_part_may_have_its_own_frames(clip: Path) -> None:
    out = clip.with_name("out.npz")
    assert cli.main(["complete", str(clip), str(out), "--missing", "head@2:6,left_wrist", "--range", "10:12"]) == 0
    changed = (amass.read(out).motion.poses != amass.read(clip).motion.poses).any(axis=-1)
    assert {int(f) for f in np.flatnonzero(changed[:, 15])} == set(range(2, 6))
    assert {int(f) for f in np.flatnonzero(changed[:, 20])} == {10, 11}
    assert set(np.flatnonzero(changed.any(axis=0))) == {15, 20}


def test_bones_of_the_rig_may_be_named(tmp_path: Path) -> None:
    sample = Path(__file__).parents[3] / "demo" / "sample.bvh"
    out = tmp_path / "out.bvh"
    assert cli.main(["complete", str(sample), str(out), "--missing", "mixamorig:LeftArm@60:70"]) == 0
    before, after = (bvh.read(path).motion for path in (sample, out))
    changed = (before.rotations != after.rotations).any(axis=-1)
    assert {before.skeleton.names[j] for j in np.flatnonzero(changed.any(axis=0))} == {"mixamorig:LeftArm"}
    assert set(np.flatnonzero(changed.any(axis=1))) == set(range(60, 70))


@pytest.mark.parametrize(
    "words, said",
    [
        (["--missing", "tail"], "called 'tail'"),
        (["--missing", "left_arm@5"], "range such as"),
        (["--missing", "left_arm@5:99"], "not in the clip"),
        (["--missing", "left_arm", "--range", "20:90"], "not in the clip"),
        (["--missing", "left_arm", "--hypotheses", "0"], "at least one"),
    ],
)
def test_mistakes_are_one_sentence(
    clip: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = clip.with_name("out.npz")
    assert cli.main(["complete", str(clip), str(out), *words]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error and "\n" not in error
    assert not out.exists()


def test_the_clip_itself_is_not_written_over(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["complete", str(clip), str(clip), "--missing", "left_arm"]) == 2
    assert "written over" in capsys.readouterr().err


def test_poses_are_generated_and_a_seed_repeats(tmp_path: Path) -> None:
    one, two, other = (tmp_path / f"{name}.npz" for name in ("one", "two", "other"))
    for path, seed in ((one, "3"), (two, "3"), (other, "4")):
        assert cli.main(["generate", str(path), "--count", "4", "--seed", seed]) == 0
    poses = [amass.read(path).motion.poses for path in (one, two, other)]
    assert poses[0].shape == (4, 22, 3)
    np.testing.assert_array_equal(poses[0], poses[1])
    assert np.abs(poses[0] - poses[2]).max() > 0.1


def test_generate_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["poses.bvh"], "must end in .npz"),
        ([str(tmp_path / "no" / "poses.npz")], "does not exist"),
        ([str(tmp_path / "poses.npz"), "--temperature", "0"], "temperature"),
        ([str(tmp_path / "poses.npz"), "--count", "0"], "at least one"),
    ):
        assert cli.main(["generate", *words]) == 2
        error = capsys.readouterr().err.strip()
        assert said in error and "\n" not in error
