# SPDX-License-Identifier: GPL-3.0-or-later
"""The smoother on whole bodies: real captures with known faults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.evaluation.corruption import KINDS
from engine.motion.windows import continuous, exp_around, log_around, rotvec_to_quat
from engine.tasks.wiener import smooth_again, smooth_body
from engine.training.dynamics import clips


@pytest.fixture(scope="module")
def capture(shared_data: Path) -> tuple[np.ndarray, np.ndarray]:
    poses, path, _ = next(c for c in clips(shared_data / "val") if 150 < len(c[0]) < 400)
    return continuous(rotvec_to_quat(poses)), path


def test_a_clean_capture_hardly_changes_and_joints_without_noise_do_not(capture: tuple[np.ndarray, np.ndarray]) -> None:
    quat, path = capture
    found = smooth_body(quat, path, 30.0)
    same = found.known[:, 1:22].all(axis=0) & (found.noise[1:22] == 0)
    assert same.any()
    np.testing.assert_allclose(found.quat[:, 1:][:, same], quat[:, 1:][:, same], atol=1e-6)
    assert np.rad2deg(np.linalg.norm(log_around(quat, found.quat)[:, 1:], axis=-1)).mean() < 0.3


def test_noise_is_told_per_joint(capture: tuple[np.ndarray, np.ndarray]) -> None:
    quat, path = capture
    degrees = np.zeros(22)
    degrees[1:] = np.where(np.arange(1, 22) % 2, 2.0, 8.0)
    noise = np.deg2rad(degrees)[:, None] * np.random.default_rng(0).normal(size=(*quat.shape[:2], 3))
    found = smooth_body(continuous(exp_around(quat, noise)), path, 30.0)
    told = np.rad2deg(found.noise[1:22])
    np.testing.assert_allclose(told, degrees[1:], rtol=0.4)
    assert (np.sqrt(3) * found.left[1:22] < found.noise[1:22] * np.sqrt(3)).all()


def test_what_is_rejected_is_filled_from_the_rest(capture: tuple[np.ndarray, np.ndarray]) -> None:
    quat, path = capture
    faulty = quat.copy()
    slow = np.sin(np.pi * np.arange(20) / 19)[:, None] * np.array([0.8, 0.0, 0.0])  # too slow for any rule
    faulty[60:80, 18] = exp_around(quat[60:80, 18], slow)
    first = smooth_body(faulty, path, 30.0)
    rejected = np.zeros((len(quat), 22), bool)
    rejected[61:79, 18] = True
    again = smooth_again(first, faulty, rejected, 30.0)
    assert not again.known[61:79, 18].any()
    miss = [np.linalg.norm(log_around(s.quat[61:79, 18], quat[61:79, 18]), axis=-1).mean() for s in (first, again)]
    assert miss[1] < 0.8 * miss[0]
    np.testing.assert_array_equal(again.transl, first.transl)


@pytest.mark.parametrize("frames", [1, 2, 5, 13])
def test_short_clips_come_through(frames: int) -> None:
    quat = np.tile([1.0, 0.0, 0.0, 0.0], (frames, 22, 1))
    found = smooth_body(quat, np.zeros((frames, 3)), 30.0)
    assert found.quat.shape == quat.shape and found.known.shape == (frames, 23)


def test_strength_scales_what_is_taken(capture: tuple[np.ndarray, np.ndarray]) -> None:
    quat, path = capture
    noisy = continuous(KINDS["white 5 deg"](quat, 30.0, np.random.default_rng(0)))
    moved = [
        np.linalg.norm(log_around(noisy, smooth_body(noisy, path, 30.0, strength).quat)[:, 1:], axis=-1).mean()
        for strength in (0.3, 1.0, 2.0)
    ]
    assert moved[0] < moved[1] < moved[2]
