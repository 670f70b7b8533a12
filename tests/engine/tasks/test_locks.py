# SPDX-License-Identifier: GPL-3.0-or-later
"""Locked frames: kept to the bit, met without a step, and felt no further than they should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.motion.windows import continuous, multiply, rotvec_to_quat
from engine.tasks.locks import BLEND_SECONDS, meet


def clip(rng: np.random.Generator, frames: int, width: int) -> np.ndarray:
    """A slow motion of two joints, as vectors or as quaternions."""
    seconds = np.linspace(0.0, frames / 30.0, frames)[:, None, None]
    x = 0.5 * np.sin(2.0 * seconds + rng.uniform(0, 6, (1, 2, 3)))
    return x if width == 3 else continuous(rotvec_to_quat(x))


def shifted(values: np.ndarray, by: float) -> np.ndarray:
    """The same motion a constant way off."""
    offset = np.array([0.0, by, 0.0])
    return values + offset if values.shape[-1] == 3 else multiply(values, rotvec_to_quat(offset))


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(T, J) metres, or radians."""
    if a.shape[-1] == 3:
        return np.linalg.norm(a - b, axis=-1)
    # The chord, which for small angles keeps the digits that an arc cosine loses.
    return 2.0 * np.minimum(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1))


@given(
    seed=st.integers(0, 2**32 - 1),
    frames=st.integers(1, 90),
    width=st.sampled_from([3, 4]),
    share=st.floats(0.0, 1.0),
)
@settings(max_examples=60, deadline=None)
def test_locked_frames_are_kept_to_the_bit(seed: int, frames: int, width: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    original, locked = clip(rng, frames, width), rng.random(frames) < share
    result = shifted(original, 0.2)
    met = meet(result, original, locked, 30.0)
    assert (met[locked] == original[locked]).all()
    assert (distance(met, original) <= distance(result, original) + 1e-9).all()  # between the two everywhere


@pytest.mark.parametrize("width", [3, 4])
@pytest.mark.parametrize("fps", [24.0, 30.0, 120.0])
def test_the_pull_ends_after_a_quarter_of_a_second(width: int, fps: float) -> None:
    frames = round(2 * fps)
    original = clip(np.random.default_rng(1), frames, width)
    result = shifted(original, 0.2)
    locked = np.zeros(frames, bool)
    locked[frames // 2] = True
    met = meet(result, original, locked, fps)
    seconds = np.abs(np.arange(frames) - frames // 2) / fps
    far = seconds >= BLEND_SECONDS
    assert (distance(met, result)[far] < 1e-12).all() and (distance(met, result)[~far] > 0).all()
    # No step: the way from locked to free is one half of a cosine, whose slope is at most pi / 2 over the blend.
    assert (
        np.abs(np.diff(distance(met, result), axis=0)).max() < 0.2 * np.pi / 2 / (BLEND_SECONDS * fps) + 1e-6
    )


@pytest.mark.parametrize("width", [3, 4])
def test_a_lock_near_the_end_of_a_short_clip_pulls_from_its_own_side_only(width: int) -> None:
    """Where nothing is locked before a frame, nothing pulls from there, however near the clip's start is."""
    original = np.zeros((8, 1, 3)) if width == 3 else rotvec_to_quat(np.zeros((8, 1, 3)))
    result = shifted(original, 0.2)
    locked = np.zeros(8, bool)
    locked[7] = True
    met = meet(result, original, locked, 120.0)  # the blend is 30 frames long
    expected = 0.2 * 0.5 * (1.0 - np.cos(np.pi * np.arange(7, -1, -1) / 30.0))
    np.testing.assert_allclose(distance(met, original)[:, 0], expected, atol=1e-4)


def test_two_locks_share_what_lies_between() -> None:
    original = np.zeros((7, 1, 3))
    locked = np.isin(np.arange(7), [0, 6])
    met = meet(np.ones((7, 1, 3)), original, locked, 120.0)
    assert (np.abs(met) < 0.05).all()  # a gap much shorter than the blend is carried over as a whole


def test_nothing_locked_gives_the_very_result() -> None:
    result = np.ones((5, 1, 3))
    assert meet(result, np.zeros((5, 1, 3)), np.zeros(5, bool), 30.0) is result
