# SPDX-License-Identifier: GPL-3.0-or-later
"""Small made-up splits, and an untrained motion prior, for the tables that are measured on motion."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.body import bundled
from engine.evaluation.tables.table import Context
from engine.motion import bvh
from engine.motion.joints import JOINTS, PARENTS
from engine.motion.motion import Motion
from engine.motion.skeleton import Skeleton
from engine.motion.windows import rotvec_to_quat
from engine.priors import motion_weights
from engine.training.dynamics import TEMPLATE_LEG
from engine.training.motion import untrained

FRAMES = 72
MOVING = [
    JOINTS.index(name) for name in ("neck", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow")
]


def waving(seed: int) -> np.ndarray:
    """Poses (T, 22, 3) of a body that stands, hardly swaying, and waves its arms."""
    rng = np.random.default_rng(seed)
    time = np.arange(FRAMES)[:, None, None] / 30.0
    poses = 0.002 * np.sin(2.0 * np.pi * 0.7 * time + rng.uniform(0.0, 6.0, (1, 22, 3)))
    poses[:, MOVING] = 0.4 * np.sin(2.0 * np.pi * 0.8 * time + rng.uniform(0.0, 6.0, (1, len(MOVING), 3)))
    return poses


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Splits of one clip each in the format of the project's clip files, and two BVH files."""
    root = tmp_path_factory.mktemp("data")
    for number, split in enumerate(("train", "val", "test", "test_other")):
        (root / split).mkdir()
        sway = 0.002 * np.sin(np.arange(FRAMES)[:, None] / np.array([9.0, 10.0, 11.0]))
        trans = (np.array([0.0, 0.95, 0.0]) + sway).astype(np.float32)
        np.savez(root / split / "a.npz", poses=waving(number).astype(np.float32), trans=trans)
        entry = {"name": "waves", "file": "a.npz", "start": 0, "length": FRAMES, "fps": 30, "subject": number}
        (root / split / "index.json").write_text(json.dumps([entry | {"leg_len": TEMPLATE_LEG}]))
    (root / "bvh_test").mkdir()
    for name in ("cmu_13_18.bvh", "cmu_13_19.bvh", "cmu_13_26.bvh"):
        bvh.write(root / "bvh_test" / name, bvh.from_motion(rig(waving(9))))
    return root


def rig(poses: np.ndarray) -> Motion:
    """Poses (T, 22, 3) on a rig whose bones are the body's joints."""
    heads = np.asarray(bundled().offsets, np.float64).copy()
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            heads[joint] += heads[parent]
    rest = np.tile(np.eye(4), (len(JOINTS), 1, 1))
    rest[:, :3, 3] = heads
    tails = np.full((len(JOINTS), 3), np.nan)
    skeleton = Skeleton(JOINTS, PARENTS, rest, tails)
    return Motion(skeleton, rotvec_to_quat(poses), np.zeros_like(poses), 30.0)


@pytest.fixture(autouse=True)
def prior(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small motion prior in place of the bundled one: figures are not judged here, only that they are measured."""
    torch.manual_seed(0)
    motion_weights.save_motion_prior(tmp_path / "motion.safetensors", untrained(32, 0.0), {})
    monkeypatch.setattr(motion_weights, "FOLDER", tmp_path)


@pytest.fixture
def context(data: Path) -> Context:
    """The quickest measurement."""
    return Context(data, seeds=2, scale=24, device="cpu")
