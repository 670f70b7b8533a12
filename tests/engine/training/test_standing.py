# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows of people who stand are found, and spectra of how they sway are learned from them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from standing_poses import BENT, HANGING, pose

from engine.body import posed
from engine.errors import FileError
from engine.motion.motion import BodyMotion
from engine.priors import standing
from engine.tasks.stance import planted
from engine.training.standing import learn, mirrored, standing_windows

FPS, SECONDS = 30.0, 8.0
HERTZ, ROLL, SHIFT = 0.5, 0.02, 0.01  # radians, metres


def swaying(share: float = 1.0, walked: float = 0.0) -> BodyMotion:
    """Feet in place, the pelvis from side to side, the chest turning with it; or a walk without steps."""
    start = pose(BENT, HANGING, fps=FPS, height=0.85)
    time = np.arange(round(SECONDS * FPS)) / FPS
    wave = np.sin(2.0 * np.pi * HERTZ * time)
    poses = np.repeat(start.poses, len(time), axis=0)
    poses[:, 9, 2] += share * ROLL * wave
    transl = np.repeat(start.transl, len(time), axis=0)
    transl[:, 0] += share * SHIFT * wave + walked * time
    body = replace(start, poses=poses, transl=transl)
    return body if walked else planted(body, start, ("left", "right"))


def folder_of(path: Path, motion: BodyMotion) -> Path:
    path.mkdir()
    np.savez(path / "clip.npz", poses=motion.poses, trans=motion.transl)
    entry = {"file": "clip.npz", "start": 0, "length": len(motion), "fps": FPS, "leg_len": 0.7836, "subject": 1}
    (path / "index.json").write_text(json.dumps([entry]))
    return path


def test_windows_are_where_feet_rest(tmp_path: Path) -> None:
    motion = swaying()
    found = list(standing_windows(folder_of(tmp_path / "stand", motion), 3.0))
    assert len(found) > 5 and all(len(window.motion) == 90 for window in found)
    np.testing.assert_allclose(found[0].joints, posed(motion)[0][:90], atol=1e-9)
    assert not list(standing_windows(folder_of(tmp_path / "walk", swaying(walked=0.5)), 3.0))
    assert not list(standing_windows(tmp_path / "stand", 3.0, calm=0.001)), "hands sway further"
    with pytest.raises(FileError, match="Nobody stands"):
        learn([tmp_path / "walk"])


def test_the_spectrum_is_that_of_the_sway(tmp_path: Path) -> None:
    dynamics = learn([folder_of(tmp_path / "stand", swaying())])
    chest = 3 * standing.SWAYING.index(9) + 2
    aside = standing.SIZE - 3
    power = np.einsum("kdd->kd", dynamics.density)
    for coordinate in (chest, aside):
        peak = dynamics.frequencies[power[:, coordinate].argmax()]
        assert abs(peak - HERTZ) < 0.2
    twice = learn([folder_of(tmp_path / "twice", swaying(2.0))]).density
    np.testing.assert_allclose(np.einsum("kdd->kd", twice)[:, chest].max(), 4.0 * power[:, chest].max(), rtol=0.05)
    together = dynamics.density[power[:, chest].argmax(), chest, aside]
    assert together > 0.5 * np.sqrt(power[:, chest].max() * power[:, aside].max()), "they sway together"


def test_a_mirror_image_stands_the_other_way_round() -> None:
    motion = swaying()
    flip = np.array([-1.0, 1.0, 1.0])
    left = posed(motion)[0][:, [1, 4, 7, 16, 20]]
    right = posed(mirrored(motion))[0][:, [2, 5, 8, 17, 21]]
    np.testing.assert_allclose(right, left * flip, atol=1e-9)


def test_the_file_comes_back(tmp_path: Path) -> None:
    dynamics = standing.load()
    standing.save(tmp_path / "s.safetensors", dynamics, {})
    again = standing.load(tmp_path / "s.safetensors")
    np.testing.assert_array_equal(again.density, dynamics.density)
    np.testing.assert_array_equal(again.frequencies, dynamics.frequencies)
    assert np.linalg.eigvalsh(dynamics.density).min() > -1e-9, "covariances"
