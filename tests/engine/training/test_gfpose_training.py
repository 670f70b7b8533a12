# SPDX-License-Identifier: GPL-3.0-or-later
"""GFPose's training on a handful of poses: it learns, resumes bit for bit, and so does its twin."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from engine.cli import main


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder of one clip of gentle poses."""
    folder = tmp_path / "clips"
    folder.mkdir()
    poses = np.random.default_rng(0).normal(0.0, 0.2, (50, 22, 3)).astype(np.float32)
    np.savez(folder / "clip.npz", poses=poses)
    entry = {"file": "clip.npz", "start": 0, "length": 50, "subject": 1}
    (folder / "index.json").write_text(json.dumps([entry]))
    return folder


def train(clips: Path, out: Path, *options: str, iterations: int = 40) -> list[dict]:
    code = main([
        "train", "--prior", "gfpose", "--data", str(clips), "--val", str(clips), "--out", str(out),
        "--iterations", str(iterations), "--validate-every", "20", "--batch", "64", "--times-per-batch", "32",
        "--hidden", "128", "--embed", "64", "--learning-rate", "1e-2", "--warm-up", "5", "--ema", "0.9",
        "--precision", "float32", "--device", "cpu", *options,
    ])  # fmt: skip
    assert code == 0
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_it_learns(clips: Path, tmp_path: Path) -> None:
    lines = train(clips, tmp_path / "run", "--dropout", "0", iterations=300)
    # Noise predicted as 0 would score 1.
    assert lines[-1]["val_loss"] < 0.6


def test_resuming_is_as_never_having_stopped(clips: Path, tmp_path: Path) -> None:
    train(clips, tmp_path / "whole", iterations=40)
    part = tmp_path / "part"
    train(clips, part, iterations=40)
    whole = load_file(tmp_path / "whole" / "gfpose.safetensors")
    again = load_file(part / "gfpose.safetensors")
    assert all(np.array_equal(whole[name], again[name]) for name in whole)
    longer = train(clips, part, iterations=60)
    assert [line["iteration"] for line in longer] == [20, 40, 60]


def test_the_twin_learns(clips: Path, tmp_path: Path) -> None:
    whole = ("--conditions", "2d", "--masks", "0", "0", "0")
    lines = train(clips, tmp_path / "twin", "--deterministic", *whole, iterations=120)
    assert lines[-1]["val_mpjpe"] < 0.8 * lines[0]["val_mpjpe"]
