# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine evaluate --task clean`` on a small folder of made-up clips."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine import cli
from engine.evaluation.clean import FILTER_GRIDS, METRICS


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Splits ``val`` and ``test`` with one swinging clip each, in the format of the project's clip files."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for split in ("val", "test"):
        frames = 90
        t = np.arange(frames)[:, None, None] / 30.0
        poses = 0.25 * np.sin(2 * np.pi * 0.7 * t + rng.uniform(0, 6, (1, 22, 3)))
        (root / split).mkdir()
        np.savez(
            root / split / f"{split}_00.npz",
            poses=poses.astype(np.float32),
            trans=np.zeros((frames, 3), np.float32),
        )
        entry = {
            "name": "swing",
            "file": f"{split}_00.npz",
            "start": 0,
            "length": frames,
            "fps": 30,
            "leg_len": 0.8,
        }
        (root / split / "index.json").write_text(json.dumps([entry]))
    return root


def test_tables_and_figures(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "figures.json"
    kinds = ["white 5 deg", "spikes", "clean"]
    words = ["evaluate", "--task", "clean", "--data", str(data), "--seeds", "2", "--output", str(output)]
    assert cli.main([*words, "--kinds", *kinds]) == 0
    printed = capsys.readouterr().out
    results = json.loads(output.read_text())
    assert list(results) == kinds
    for kind, row in results.items():
        assert f"### {kind}" in printed
        assert {name.split()[0] for name in row} == {"input", "motion", "pose", "wiener", *FILTER_GRIDS}
        for name, figures in row.items():
            assert f"| {name} |" in printed
            assert list(figures) == list(METRICS) and all(len(v) == 2 for v in figures.values())
    assert results["clean"]["input"]["mpjpe_mm"] == [0.0, 0.0]
    noisy = results["white 5 deg"]
    # The mean size of a Gaussian vector with 5 degrees per axis: 5 sqrt(8 / pi).
    assert np.mean(noisy["input"]["rotation_deg"]) == pytest.approx(5.0 * np.sqrt(8.0 / np.pi), rel=0.05)
    best = min(np.mean(row["mpjpe_mm"]) for name, row in noisy.items() if name.split()[0] in FILTER_GRIDS)
    assert best < 0.7 * np.mean(noisy["input"]["mpjpe_mm"])  # filters tuned on such a clip follow a slow sine


def test_a_missing_split_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "--task", "clean", "--data", str(tmp_path)]) == 2
    said = capsys.readouterr().err.strip()
    assert "index.json" in said and "\n" not in said and said.endswith(".")
