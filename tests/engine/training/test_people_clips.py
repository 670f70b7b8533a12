# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips of people before a still camera."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.errors import FileError
from engine.motion.h36m import PARENTS
from engine.priors.image_frame import camera_frame, to_the_axis
from engine.training.people import DETECTED, detect
from engine.training.people_clips import PeopleClips, looked_at


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    poses = np.cumsum(rng.normal(0.0, 0.02, (90, 22, 3)), axis=0).astype(np.float32)
    trans = np.cumsum(rng.normal(0.0, 0.02, (90, 3)), axis=0).astype(np.float32)
    np.savez(tmp_path / "a.npz", poses=poses, trans=trans)
    base = {"file": "a.npz", "subject": 1, "leg_len": 0.9}
    entries = [
        base | {"start": 0, "length": 60, "fps": 30.0},
        base | {"start": 60, "length": 30, "fps": 0},
    ]
    (tmp_path / "index.json").write_text(json.dumps(entries))
    return tmp_path


def test_clips_are_of_real_timing_and_keep_their_bones(folder: Path) -> None:
    clips = PeopleClips([folder], 20, seed=0)
    assert len(clips) == 41
    joints = clips.draw(8, torch.Generator().manual_seed(0))
    assert joints.shape == (8, 20, 17, 3) and torch.equal(joints[:, :, 0], torch.zeros(8, 20, 3))
    with pytest.raises(FileError, match="No clips of 80 frames"):
        PeopleClips([folder], 80, seed=0)


def test_the_look_at_a_walker_is_that_of_a_pinhole() -> None:
    rng = torch.Generator().manual_seed(2)
    joints, path = 0.3 * torch.randn(1, 6, 17, 3, generator=rng), torch.randn(1, 6, 3, generator=rng)
    joints, path = joints - joints[:, :, :1], path - path[:, :1]
    turn = torch.from_numpy(Rotation.from_euler("xyz", [0.2, 1.0, 0.1]).as_matrix()).float()[None]
    seen = looked_at(joints, path, turn, torch.tensor([6.0]), torch.tensor([[0.3, -0.1]]))
    pelvis = torch.tensor([0.3, -0.1, -1.0]) * 6.0 + path[0] @ turn[0].T
    away = pelvis.norm(dim=-1)
    points = pelvis[:, None] + joints[0] @ turn[0].T
    # A pinhole's rays, turned so that the pelvis' is the axis.
    rays = (to_the_axis(pelvis / away[:, None])[:, None] @ points[..., None])[..., 0]
    pictured = rays[..., :2] / -rays[..., 2:] * away[:, None, None]
    torch.testing.assert_close(seen[0, ..., :2], pictured, atol=1e-4, rtol=1e-4)
    bones = (joints[:, :, 1:] - joints[:, :, list(PARENTS[1:])]).norm(dim=-1)
    back = camera_frame(seen[0], away)
    torch.testing.assert_close((back[:, 1:] - back[:, list(PARENTS[1:])]).norm(dim=-1), bones[0], atol=1e-4, rtol=1e-4)


def test_rays_are_turned_by_the_least_rotation() -> None:
    rays = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rays[:, 2] = -rays[:, 2].abs()
    rays = rays / rays.norm(dim=1, keepdim=True)
    turns = to_the_axis(rays)
    torch.testing.assert_close((turns @ rays[..., None])[..., 0], torch.tensor([0.0, 0.0, -1.0]).double().expand(50, 3))
    angles = Rotation.from_matrix(turns.numpy()).magnitude()
    np.testing.assert_allclose(angles, np.arccos(-rays[:, 2].numpy()), atol=1e-7)


def test_a_detector_s_noise_in_a_clip_is_half_slow_and_as_wide() -> None:
    joints = torch.zeros(600 * 30, 17, 3)
    plain = replace(DETECTED, outliers=0.0, width_error=0.0)
    seen = detect(joints, plain, torch.Generator().manual_seed(0), frames=30)
    error = (seen.joints[..., 0] / seen.doubt[..., 0]).reshape(600, 30, 17)
    assert abs(float(error.std()) - 1.0) < 0.02
    assert abs(float((error[:, 25:] * error[:, :-25]).mean())) < 0.02
    # Of the slow half neighbours share all but what a tenth of the way changes.
    assert 0.45 < float((error[:, 1:] * error[:, :-1]).mean()) < 0.5
