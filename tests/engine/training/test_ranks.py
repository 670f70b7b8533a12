# SPDX-License-Identifier: GPL-3.0-or-later
"""Training by two processes that torchrun starts: both learn one thing, what one learns from both batches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine import cli
from engine.priors.pose_gaussian import PoseGaussian
from engine.training.motion_bank import Augmentation, build, load_clips

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = Path(__file__).with_name("train_as_rank.py")
COMMON = (
    "--device", "cpu", "--precision", "float32", "--validate-every", "4", "--warm-up", "4", "--learning-rate", "1e-3",
)  # fmt: skip
# Wide enough for groups of several channels: normalised in pairs they are signs, which rounding turns.
POSES = ("--prior", "dposer", "--hidden", "256", "--embed", "32")
MOTION = ("--prior", "motion", "--hidden", "32", "--batch", "256", "--bank-frames", "1")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two performers' clips of swinging joints, with the index that this project's folders have."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    seconds = np.arange(300)[:, None, None] / 30.0
    index = []
    for subject in range(2):
        poses = 0.3 * np.sin(2.0 * np.pi * seconds / rng.uniform(0.8, 2.0, (22, 3)) + rng.uniform(0, 6, (22, 3)))
        path = np.cumsum(np.full((300, 3), 0.01), axis=0)
        np.savez(folder / f"{subject}.npz", poses=poses.astype(np.float32), trans=path.astype(np.float32))
        index.append(
            {"file": f"{subject}.npz", "start": 0, "length": 300, "fps": 30.0, "subject": subject, "leg_len": 0.78}
        )
    (folder / "index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two ranks have trained: poses whole and in two parts, without and with dropout, each prior."""
    folder = tmp_path_factory.mktemp("runs")
    bank = folder / "motion" / "bank"
    bank.mkdir(parents=True)
    clips, gaussian, varied = load_clips([data], False), PoseGaussian.load(), Augmentation()
    for name, seed in (("train_000", 0), ("val_000", 1)):  # small ones in the place of those of some 50,000 frames
        build(bank / f"{name}.npz", clips, gaussian, 400, seed, varied)

    def words(out: str, iterations: int, *options: str) -> list[str]:
        common = ("--data", str(data), "--val", str(data), "--out", str(folder / out), *COMMON)
        return [*common, "--iterations", str(iterations), *options, "/"]

    dropped = (*POSES, "--batch", "32", "--times-per-batch", "8", "--dropout", "0.2")
    arguments = [
        *words("poses", 8, *POSES, "--batch", "32", "--times-per-batch", "8", "--dropout", "0"),
        *words("whole", 8, *dropped),
        *words("parts", 4, *dropped),
        *words("parts", 8, *dropped),
        *words("conditional", 4, "--prior", "conditional", "--batch", "32", "--times-per-batch", "8"),
        *words("motion", 4, *MOTION),
    ]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(SCRIPT)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*torchrun, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1200
    )
    assert done.returncode == 0, done.stderr
    return folder


def learned(path: Path) -> dict[str, torch.Tensor]:
    """The network of a rank or a checkpoint."""
    tensors = load_file(path)
    if path.name == "checkpoint.safetensors":
        tensors = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
    return tensors


def distance(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    assert first.keys() == second.keys()
    return sum(float((first[name].double() - second[name].double()).square().sum()) for name in first) ** 0.5


@pytest.mark.parametrize("prior", ["poses", "whole", "conditional", "motion"])
def test_all_ranks_learn_the_same(runs: Path, prior: str) -> None:
    first, second = (learned(runs / prior / f"rank_{rank}.safetensors") for rank in range(2))
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    last = learned(runs / prior / "checkpoint.safetensors")
    assert distance(first, last) == 0.0
    lines = [json.loads(line) for line in (runs / prior / "log.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == ([4, 8] if prior in ("poses", "whole") else [4])


def test_two_ranks_learn_what_one_does_on_twice_the_batch(runs: Path, data: Path, tmp_path: Path) -> None:
    def alone(out: str, iterations: str, batch: str, times: str) -> dict[str, torch.Tensor]:
        words = ["--data", data, "--val", data, "--out", tmp_path / out, *COMMON, *POSES, "--dropout", "0"]
        more = ["--batch", batch, "--times-per-batch", times, "--iterations", iterations]
        assert cli.main(["train", *map(str, words), *more]) == 0
        return learned(tmp_path / out / "checkpoint.safetensors")

    two = learned(runs / "poses" / "checkpoint.safetensors")
    double, single = alone("double", "8", "64", "16"), alone("single", "8", "32", "8")
    way = distance(double, single)
    assert distance(two, double) < 1e-4 * way


def test_two_ranks_resume_bit_for_bit(runs: Path) -> None:
    whole, parts = (load_file(runs / name / "checkpoint.safetensors") for name in ("whole", "parts"))
    assert whole.keys() == parts.keys() and all(torch.equal(whole[name], parts[name]) for name in whole)
