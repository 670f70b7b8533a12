# SPDX-License-Identifier: GPL-3.0-or-later
"""Limbs taken for each other: exchanged back where a real capture was mixed up, and left alone where it was not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.evaluation.corruption import white
from engine.evaluation.motion_clips import FPS, motion_clips
from engine.motion.joints import MIRROR
from engine.tasks.confidence import angle
from engine.tasks.mixed_up import ARMS, LEGS, REFLECTED, mended

NOISES = {0.0: 1.0, 2.0: 0.9, 5.0: 0.5}  # degrees of white noise -> least share of mixed-up joint-frames found


@pytest.mark.parametrize("split", ["test", "val", "test_other", "train"])
@pytest.mark.parametrize("noise", NOISES)
def test_nothing_is_found_in_real_captures(shared_data: Path, split: str, noise: float) -> None:
    for clip in motion_clips(shared_data / split, 30, every=3):
        quat = white(noise)(clip.quat, FPS, np.random.default_rng(0)) if noise else clip.quat
        assert not mended(quat, FPS).wrong.any()


@pytest.mark.parametrize("joints", [ARMS, LEGS], ids=["arms", "legs"])
@pytest.mark.parametrize("noise", NOISES)
def test_exchanged_limbs_are_exchanged_back(shared_data: Path, joints: np.ndarray, noise: float) -> None:
    """Where limbs happen to be each other's mirror image there is nothing to find, and nothing is counted."""
    found, wrong, rng = 0, 0, np.random.default_rng(0)
    for clip in motion_clips(shared_data / "test", 60, every=2):
        truth = white(noise)(clip.quat, FPS, rng) if noise else clip.quat
        quat = truth.copy()
        begin = int(rng.integers(5, len(quat) - 20))
        here = slice(begin, begin + int(rng.integers(3, 15)))
        quat[here, joints] = truth[here][:, np.asarray(MIRROR)[joints]] * REFLECTED
        seen = np.rad2deg(angle(quat, truth)) > 20.0
        after = mended(quat, FPS)
        found += int((seen & (angle(after.quat, truth) < 1e-6)).sum())
        wrong += int(seen.sum())
        assert (angle(after.quat, truth)[~after.wrong] <= angle(quat, truth)[~after.wrong] + 1e-6).all()
    print(f"found {found / wrong:.2f} of {wrong}")
    assert found > 0.7 * NOISES[noise] * wrong


def test_short_clips_stay() -> None:
    for frames in range(4):
        quat = np.tile([1.0, 0.0, 0.0, 0.0], (frames, 22, 1))
        assert not mended(quat, FPS).wrong.any()
