# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of ``train`` that do not go together are refused in a sentence, before anything is read or written."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs PyTorch")

from engine import cli


@pytest.mark.parametrize("prior", ["dposer", "conditional"])
@pytest.mark.parametrize(("batch", "times"), [(100, 160), (170, 160), (0, 160), (160, 0), (-4, -2)])
def test_a_batch_that_its_times_do_not_share_evenly(
    prior: str, batch: int, times: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["--prior", prior, "--data", str(tmp_path), "--out", str(out), f"--batch={batch}"]
    assert cli.main(["train", *words, f"--times-per-batch={times}"]) == 2
    assert capsys.readouterr().err == (
        f"A batch of {batch} cannot be shared evenly among {times} diffusion times; "
        "choose a --batch that is a multiple of --times-per-batch.\n"
    )
    assert not out.exists()


def test_priors_without_shared_times_take_any_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--prior", "motion", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--batch", "100"]
    assert cli.main(["train", *words]) == 2
    assert "diffusion times" not in capsys.readouterr().err
