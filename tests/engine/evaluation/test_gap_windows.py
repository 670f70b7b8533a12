# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows with gaps: where they stand, which way they face, and that their joints are FK's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.errors import FileError
from engine.evaluation.gap_windows import CONTEXT, GapWindows, cut_windows, placed
from engine.training.dynamics import TEMPLATE_LEG


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A split of one clip of 40 frames that turns about the vertical, and one of 8, which is too short."""
    rng = np.random.default_rng(0)
    poses = rng.normal(0.0, 0.2, (48, 22, 3)).astype(np.float32)
    poses[:, 0] = np.array([0.0, 1.0, 0.0]) * np.linspace(0.5, 2.5, 48)[:, None]
    trans = rng.normal(0.0, 1.0, (48, 3)).astype(np.float32)
    np.savez(tmp_path / "a.npz", poses=poses, trans=trans)
    entry = {"file": "a.npz", "fps": 30.0, "leg_len": TEMPLATE_LEG}
    index = [entry | {"start": 0, "length": 40}, entry | {"start": 40, "length": 8}]
    (tmp_path / "index.json").write_text(json.dumps(index))
    return tmp_path


def test_windows_are_counted_centred_and_turned(folder: Path) -> None:
    windows = cut_windows(folder, gap=5, stride=6)
    assert windows.poses.shape == (5, CONTEXT + 6, 22, 3)
    np.testing.assert_array_equal(windows.keys, [*range(CONTEXT), CONTEXT + 5])
    np.testing.assert_allclose(windows.transl[..., [0, 2]].mean(axis=1), 0.0, atol=1e-12)
    ahead = Rotation.from_rotvec(windows.poses[:, CONTEXT - 1, 0]).apply([0.0, 0.0, 1.0])
    np.testing.assert_allclose(ahead, np.tile([0.0, 0.0, 1.0], (5, 1)), atol=1e-6)
    assert len(windows.thinned(2)) == 3


def test_turning_a_window_moves_no_joint_against_another(folder: Path) -> None:
    """Heights and distances from the pelvis do not depend on the frame of reference."""
    windows = cut_windows(folder, gap=5, stride=6)
    with np.load(folder / "a.npz") as file:
        raw = GapWindows(file["poses"][None, 6:22].astype(float), file["trans"][None, 6:22].astype(float))
    before, after = placed(raw)[0][0], placed(windows)[0][1]
    np.testing.assert_allclose(after[..., 1], before[..., 1], atol=1e-6)
    distances = [np.linalg.norm(p - p[:, :1], axis=-1) for p in (before, after)]
    np.testing.assert_allclose(*distances, atol=1e-6)


def test_global_rotations_compose_along_the_limb(folder: Path) -> None:
    windows = cut_windows(folder, gap=5, stride=6)
    quat = placed(windows)[1]
    local = [Rotation.from_rotvec(windows.poses[2, 3, j]) for j in (0, 1, 4)]
    found = Rotation.from_quat(quat[2, 3, 4])  # left knee; roma and SciPy both put the scalar last
    assert (found.inv() * (local[0] * local[1] * local[2])).magnitude() < 1e-6


def test_a_split_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"index\.json"):
        cut_windows(tmp_path, 5, 10)
