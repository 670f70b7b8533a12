# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints are written whole or not at all, and what a killed training left goes with the next."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from engine.errors import FileError
from engine.motion.files import sibling
from engine.training import checkpoint


def save(path: Path, weight: float) -> None:
    model = torch.nn.Linear(2, 1)
    torch.nn.init.constant_(model.weight, weight)
    checkpoint.save(path, model, model, torch.optim.Adam(model.parameters()), {"iteration": 3}, torch.Generator())


def test_what_a_killed_training_left_goes(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    sibling(path).write_bytes(b"half")
    save(path, 1.0)
    assert list(tmp_path.iterdir()) == [path]
    model = torch.nn.Linear(2, 1)
    state = checkpoint.load(path, model, torch.nn.Linear(2, 1), torch.optim.Adam(model.parameters()), torch.Generator())
    assert state == {"iteration": 3} and torch.equal(model.weight, torch.ones(1, 2))


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX limits")
def test_a_full_disk_leaves_the_former_one(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "checkpoint.safetensors"
    save(path, 1.0)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(FileError, match="cannot be written: the disk is full"):
            save(path, 2.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == before
