# SPDX-License-Identifier: GPL-3.0-or-later
"""``score`` and ``inbetween`` from file to file."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from engine.cli import main
from engine.motion import amass
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion
from engine.motion.tpose import OFFSETS
from engine.tasks.generate import GenerateSettings, generate

FRAMES = 30


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A natural pose whose head nods, and whose left knee in frame 12 is bent forwards by a radian."""
    poses = np.zeros((FRAMES, 22, 3))
    poses[:, 1:] = generate(1, GenerateSettings(seed=1, device="cpu"))
    poses[:, JOINTS.index("head"), 0] += 0.1 * np.sin(np.arange(FRAMES) / 5.0)
    poses[12, JOINTS.index("left_knee"), 0] = -1.0
    path = np.stack([np.zeros(FRAMES), np.full(FRAMES, 0.9), np.arange(FRAMES) / 30.0], axis=1)
    target = tmp_path / "walk.npz"
    amass.create(target, BodyMotion(poses, path, 30.0, OFFSETS.copy()))
    return target


def test_score_prints_the_worst_frame_and_writes_tables(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    as_csv, as_json = tmp_path / "s.csv", tmp_path / "s.json"
    assert main(["score", str(clip), "--output", str(as_csv), "--worst", "1", "--device", "cpu"]) == 0
    assert "frame 12:" in capsys.readouterr().out
    assert main(["score", str(clip), "--output", str(as_json), "--device", "cpu"]) == 0
    with as_csv.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    content = json.loads(as_json.read_text())
    assert [float(row["pose"]) for row in rows] == content["pose"]
    assert len(rows) == FRAMES
    assert content["joint_names"] == list(JOINTS[1:])
    assert float(rows[3]["seconds"]) == pytest.approx(0.1, abs=1e-6)
    assert min(rows[12], key=lambda name: float(rows[12][name]) if name in JOINTS else 1.0) == "left_knee"


def test_score_says_what_it_cannot_write(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(clip), "--output", str(tmp_path / "s.txt")]) == 2
    assert "must end in .json or .csv" in capsys.readouterr().err


def test_inbetween_keeps_the_keys_and_fills_the_rest(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "filled.npz"
    assert main(["inbetween", str(clip), str(target), "--keys", "0:8,20,25:30"]) == 0
    before, after = (amass.read(path).motion for path in (clip, target))
    kept = np.r_[0:8, 20, 25:30]
    np.testing.assert_array_equal(after.poses[kept], before.poses[kept])
    np.testing.assert_array_equal(after.transl[kept], before.transl[kept])
    knee = JOINTS.index("left_knee")
    np.testing.assert_allclose(after.poses[12, knee], before.poses[0, knee], atol=0.06)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--keys", "3"], "at least two key frames"),
        (["--keys", "3,99"], "not in the clip"),
        (["--keys", "3,9", "--variation", "-1"], "variation"),
    ],
)
def test_inbetween_says_what_is_wrong(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    target = tmp_path / "filled.npz"
    assert main(["inbetween", str(clip), str(target), *options]) == 2
    assert sentence in capsys.readouterr().err
    assert not target.exists()
