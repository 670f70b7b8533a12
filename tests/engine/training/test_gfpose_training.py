# SPDX-License-Identifier: GPL-3.0-or-later
"""GFPose's training on a handful of poses: it learns, resumes bit for bit, and so does its twin."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from engine.cli import main
from engine.diffusion.joint_network import ConditionalJointMLP
from engine.priors.joint_prior import JointPrior, Seen, from_event
from engine.training.gfpose import noise_loss


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
    lines = train(clips, tmp_path / "run", "--dropout", "0", iterations=200)
    assert lines[-1]["val_loss"] < 0.85 * lines[0]["val_loss"]


def test_the_loss_is_that_of_the_noise_and_of_the_pose() -> None:
    torch.manual_seed(0)
    network = ConditionalJointMLP(hidden=32, embed=16)
    torch.nn.init.zeros_(network.post.weight)
    torch.nn.init.zeros_(network.post.bias)
    mean, std = torch.randn(51), 1.0 + torch.rand(51)
    prior = JointPrior(network, mean, std)
    count = 20_000
    joints = from_event(mean + std * torch.randn(count, 51))
    unseen = Seen(torch.zeros_like(joints), torch.full_like(joints, torch.inf))
    for t in (0.1, 0.4, 0.9):
        times, z = torch.full((1,), t), torch.randn(count, 51)
        # A network that adds nothing leaves what the data's spread alone cannot tell, of a Gaussian in closed form.
        alpha, sigma = (float(c) for c in prior.sde.marginal(torch.tensor(t)))
        variance = 1.0 / (1.0 / std.square() + (alpha / sigma) ** 2)
        expected = ((alpha / sigma) ** 2 * variance).mean() + variance.mean() / 2.0**2
        with torch.no_grad():
            found = noise_loss(prior, joints, unseen, times, z)
        torch.testing.assert_close(found, expected, rtol=0.02, atol=0)


def test_training_starts_from_another_prior(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = train(clips, tmp_path / "first", iterations=200)
    weights = str(tmp_path / "first" / "gfpose.safetensors")
    slow = ("--learning-rate", "1e-9", "--start", weights)
    assert train(clips, tmp_path / "second", *slow, iterations=20)[0]["val_loss"] < 0.9 * first[0]["val_loss"]
    with pytest.raises(AssertionError):
        train(clips, tmp_path / "third", "--start", weights, "--hidden", "64", iterations=20)
    assert "gfpose.safetensors holds another network" in capsys.readouterr().err


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
