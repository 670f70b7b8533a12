# SPDX-License-Identifier: GPL-3.0-or-later
"""Filmed clips: people of their own size before the camera, and keypoints as far off as their heatmaps say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from engine.evaluation.filmed import CAMERA, film
from engine.motion.h36m import PARENTS


def test_clips_are_filmed_as_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    poses = np.cumsum(rng.normal(0.0, 0.02, (200, 22, 3)), axis=0).astype(np.float32)
    trans = np.cumsum(rng.normal(0.0, 0.01, (200, 3)), axis=0).astype(np.float32)
    np.savez(tmp_path / "a.npz", poses=poses, trans=trans)
    base = {"file": "a.npz", "subject": 1, "leg_len": 0.9, "fps": 30.0}
    (tmp_path / "index.json").write_text(json.dumps([base | {"start": s, "length": 60} for s in (0, 60, 120)]))
    clips = film(tmp_path, 3, 50, seed=1)
    assert len(clips) == 3
    for clip in clips:
        assert clip.joints.shape == (50, 17, 3) and (clip.joints[..., 2] < -1.0).all()
        bones = np.linalg.norm(clip.joints[:, 1:] - clip.joints[:, list(PARENTS[1:])], axis=-1)
        thigh = bones[:, 1]
        np.testing.assert_allclose(thigh, thigh[0], rtol=1e-6)
        np.testing.assert_allclose(thigh[0], np.linalg.norm(clip.offsets[5]), rtol=1e-6)
        off = np.abs(clip.pixels - CAMERA.project(torch.from_numpy(clip.joints)).numpy()) / clip.sigma[..., None]
        # Half of a normal distribution lies within 0.67 deviations; widths are told with some error.
        assert 0.4 < np.median(off) < 1.0
    again = film(tmp_path, 3, 50, seed=1)
    np.testing.assert_array_equal(again[2].pixels, clips[2].pixels)
    assert not np.allclose(film(tmp_path, 3, 50, seed=2)[0].pixels, clips[0].pixels)
