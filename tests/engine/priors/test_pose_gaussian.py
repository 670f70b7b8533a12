# SPDX-License-Identifier: GPL-3.0-or-later
"""The normal distribution of poses against the closed form of a conditional mean, and on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.errors import WeightsError
from engine.motion.joints import JOINTS, PARTS
from engine.priors import pose_gaussian
from engine.priors.pose_gaussian import PoseGaussian


def test_missing_joints_are_regressed_on_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without doubt: least squares on many samples of the same distribution."""
    for name, value in (("DOUBT", 0.0), ("LEAST_DOUBT", 0.0), ("FARTHEST", np.inf)):
        monkeypatch.setattr(pose_gaussian, name, value)
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(63, 63)) / 8.0
    samples = (rng.normal(size=(40_000, 63)) @ mixing.T + 0.3).reshape(-1, 21, 3)
    gaussian = PoseGaussian.of(samples, np.ones(len(samples)))
    known = np.ones((5, 21), bool)
    known[:, 4:8] = False
    known[4] = True
    found = gaussian.complete(samples[:5], known)
    seen = np.repeat(known[0], 3)
    design = np.concatenate([samples.reshape(-1, 63)[:, seen], np.ones((len(samples), 1))], axis=1)
    weights = np.linalg.lstsq(design, samples.reshape(-1, 63)[:, ~seen], rcond=None)[0]
    np.testing.assert_allclose(found.reshape(5, 63)[:4][:, ~seen], design[:4] @ weights, atol=1e-6)
    np.testing.assert_array_equal(found[:, known[0]], samples[:5][:, known[0]])
    np.testing.assert_array_equal(found[4], samples[4])


def test_a_toe_turned_sideways_says_little_of_the_other_leg() -> None:
    """Training has nearly none, so that a rig's few degrees would be a thousand standard deviations."""
    gaussian = PoseGaussian.load()
    poses = np.tile(gaussian.mean.reshape(21, 3), (2, 1, 1))
    right_foot, left_leg = JOINTS.index("right_foot") - 1, [JOINTS.index(j) - 1 for j in PARTS["left_leg"]]
    poses[1, right_foot] += np.radians([0.0, 5.0, 3.0])
    known = np.ones((2, 21), bool)
    known[:, left_leg] = False
    found = gaussian.complete(poses, known)
    assert np.degrees(np.abs(found[1] - found[0])[left_leg]).max() < 10.0


def test_without_any_known_joint_the_mean_remains() -> None:
    gaussian = PoseGaussian.load()
    found = gaussian.complete(np.zeros((2, 21, 3)), np.zeros((2, 21), bool))
    np.testing.assert_allclose(found.reshape(2, 63), np.tile(gaussian.mean, (2, 1)))


def test_it_survives_the_disk_and_says_when_it_did_not(tmp_path: Path) -> None:
    gaussian = PoseGaussian.load()
    path = tmp_path / "g.safetensors"
    gaussian.save(path, {"a": "b"})
    again = PoseGaussian.load(path)
    np.testing.assert_allclose(again.covariance, gaussian.covariance, atol=1e-7)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(WeightsError, match="damaged"):
        PoseGaussian.load(path)
    with pytest.raises(WeightsError, match="missing"):
        PoseGaussian.load(tmp_path / "none.safetensors")
