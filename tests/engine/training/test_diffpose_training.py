# SPDX-License-Identifier: GPL-3.0-or-later
"""DiffPose's training on a handful of frames: encoder, then diffusion; single frames and clips."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.cli import main
from engine.priors.lifting_weights import load_lifting_prior


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    rng = np.random.default_rng(0)
    poses = np.cumsum(rng.normal(0.0, 0.03, (40, 22, 3)), axis=0).astype(np.float32)
    np.savez(folder / "clip.npz", poses=poses, trans=np.zeros((40, 3), np.float32))
    (folder / "index.json").write_text(
        json.dumps([{"file": "clip.npz", "start": 0, "length": 40, "fps": 30, "subject": 1, "leg_len": 0.8}])
    )
    return folder


def train(clips: Path, out: Path, prior: str, *options: str, iterations: int = 60) -> list[dict]:
    code = main([
        "train", "--prior", prior, "--data", str(clips), "--val", str(clips), "--out", str(out), "--width", "16",
        "--iterations", str(iterations), "--validate-every", "20", "--batch", "64", "--heads", "2", "--depth", "1",
        "--blocks", "1", "--learning-rate", "3e-3", "--warm-up", "5", "--ema", "0.9", "--precision", "float32",
        "--dropout", "0", "--device", "cpu", *options,
    ])  # fmt: skip
    assert code == 0
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("frames", [1, 9])
def test_encoder_and_diffusion_learn(clips: Path, tmp_path: Path, frames: int) -> None:
    lines = train(clips, tmp_path / "context", "context", "--frames", str(frames))
    assert lines[-1]["val_mpjpe"] < 0.8 * lines[0]["val_mpjpe"]
    weights = tmp_path / "context" / "context.safetensors"
    options = ("--context", str(weights), "--components", "2")
    lines = train(clips, tmp_path / "diffpose", "diffpose", *options, iterations=40)
    assert lines[-1]["val_mpjpe_any"] < lines[0]["val_mpjpe_any"]
    prior = load_lifting_prior(tmp_path / "diffpose" / "diffpose.safetensors")
    assert prior.encoder.frames == frames and prior.components == 2


def test_the_encoder_stays_as_it_was(clips: Path, tmp_path: Path) -> None:
    train(clips, tmp_path / "context", "context", iterations=20)
    weights = tmp_path / "context" / "context.safetensors"
    options = ("--context", str(weights), "--single-step", "--no-context", "--steps", "10", "--betas", "1e-4", "0.5")
    train(clips, tmp_path / "diffpose", "diffpose", *options, iterations=20)
    from safetensors.numpy import load_file

    before = load_file(weights)
    after = load_file(tmp_path / "diffpose" / "diffpose.safetensors")
    assert all(
        np.array_equal(value, after[name.replace("network.", "network.encoder.", 1)]) for name, value in before.items()
    )
    assert load_lifting_prior(tmp_path / "diffpose" / "diffpose.safetensors").sde.steps == 10


def test_training_starts_from_what_single_frames_taught(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(clips, tmp_path / "frame", "context", iterations=40)
    frame = tmp_path / "frame" / "context.safetensors"
    train(clips, tmp_path / "diffusion", "diffpose", "--context", str(frame), iterations=20)
    # Without a step of learning to speak of, the clip's encoder is as good as the frame's.
    slow = ("--frames", "9", "--learning-rate", "1e-9")
    started = train(clips, tmp_path / "started", "context", *slow, "--start", str(frame), iterations=20)
    fresh = train(clips, tmp_path / "fresh", "context", *slow, iterations=20)
    assert started[-1]["val_mpjpe"] < 0.8 * fresh[-1]["val_mpjpe"]
    context = tmp_path / "started" / "context.safetensors"
    both = str(tmp_path / "diffusion" / "diffpose.safetensors")
    train(clips, tmp_path / "both", "diffpose", "--context", str(context), "--start", both, iterations=20)

    for wrong in (context, clips / "nothing.safetensors"):
        with pytest.raises(AssertionError):
            train(clips, tmp_path / "wrong", "context", "--frames", "9", "--start", str(wrong), iterations=20)
        assert "safetensors" in capsys.readouterr().err
