# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels computed for all frames at once against the plain rule: each frame nearest to the one before."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("bpy")
hypothesis = pytest.importorskip("hypothesis", reason="hypothesis is not installed here")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

MODES = ("QUATERNION", "AXIS_ANGLE", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
KINDS = ("unrelated", "smooth", "resting", "few")


@pytest.fixture(scope="module")
def rotations(extension: Callable[[str], Any]) -> Any:
    return extension("rotations")


def equals(rotations: Any, quaternion: np.ndarray, mode: str, before: np.ndarray) -> list[np.ndarray]:
    """Values nearby ``before`` that show one rotation in this mode: (N, C) to choose from, once for each axis."""
    if mode == "QUATERNION":
        return [np.stack([quaternion, -quaternion])]
    if mode == "AXIS_ANGLE":
        length = np.linalg.norm(quaternion[1:])
        angle = 2 * np.arctan2(length, quaternion[0])
        if length <= 1e-9:
            values = np.array([[angle, *before[1:]]])
        else:
            # The nearer of the two axes comes first, whatever the angle; across the one before, either will do.
            axis = quaternion[1:] / length
            values = np.array([[angle, *axis], [-angle, *-axis]])
            values = values[values[:, 1:] @ before[1:] > -1e-9]
        columns = [0]
    else:
        values = rotations._to_euler(quaternion, mode)
        columns = [0, 1, 2]
    turns = []
    for value in values:
        nearest = np.round((before[columns] - value[columns]) / (2 * np.pi))
        turned = np.tile(value, (3 ** len(columns), 1))
        extra = np.array(list(itertools.product((-1, 0, 1), repeat=len(columns))))
        turned[:, columns] += 2 * np.pi * (nearest + extra)
        turns.append(turned)
    return turns if mode == "AXIS_ANGLE" else [np.concatenate(turns)]


def rotations_of(random: np.random.Generator, kind: str, shape: tuple[int, int]) -> np.ndarray:
    quaternions = random.normal(size=(*shape, 4))
    if kind == "smooth":
        quaternions = np.cumsum(0.3 * quaternions, axis=0) + np.eye(4)[0]
    if kind == "resting":
        quaternions[random.random(shape) < 0.5] = (1, 0, 0, 0)
        quaternions[random.random(shape) < 0.2] = (-1, 0, 0, 0)
    if kind == "few":  # quarter and half turns, where both choices are often equally near
        quaternions = np.round(quaternions)
        quaternions[~quaternions.any(axis=-1)] = (1, 0, 0, 0)
    return quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    mode=st.sampled_from(MODES),
    kind=st.sampled_from(KINDS),
    frames=st.integers(1, 24),
    share=st.sampled_from((0.2, 0.8, 1.0)),
    size=st.sampled_from((0.1, 1.0, 20.0)),
)
def test_every_frame_is_the_nearest_to_the_one_before(
    rotations: Any, seed: int, mode: str, kind: str, frames: int, share: float, size: float
) -> None:
    random = np.random.default_rng(seed)
    shape = (frames, 2)
    quaternions = rotations_of(random, kind, shape)
    raw = size * random.normal(size=(*shape, rotations.channels(mode)[1]))
    changed = random.random(shape) < share
    values = rotations.to_channels(quaternions, mode, raw, changed)
    assert np.array_equal(values[~changed], raw[~changed])
    for t, j in np.argwhere(changed):
        before = values[t - 1, j] if t else raw[0, j]
        reached, nearest = False, False
        for choices in equals(rotations, quaternions[t, j], mode, before):
            distances = np.linalg.norm(choices - before, axis=-1)
            same = np.abs(choices - values[t, j]).sum(axis=-1) < 1e-9
            reached |= bool(same.any())
            nearest |= bool((distances[same] < distances.min() + 1e-9).any())
        assert reached, "another rotation"
        assert nearest, "not the nearest"


@pytest.mark.parametrize("mode", MODES)
def test_a_long_motion_stays_continuous_over_many_turns(rotations: Any, mode: str) -> None:
    """Two hundred turns about one axis: the count of turns must not drift."""
    angles = np.linspace(0, 400 * np.pi, 8001)
    count = rotations.channels(mode)[1]
    truth = np.zeros((len(angles), 1, count))
    if mode == "QUATERNION":
        truth[:, 0, 0], truth[:, 0, 3] = np.cos(angles / 2), np.sin(angles / 2)
    elif mode == "AXIS_ANGLE":
        truth[:, 0, 0], truth[:, 0, 3] = angles, 1.0
    else:
        truth[:, 0, 2] = angles
    quaternions = rotations.to_quaternions(truth, mode)
    flipped = quaternions * np.random.default_rng(0).choice([-1.0, 1.0], (len(angles), 1, 1))
    changed = np.ones((len(angles), 1), bool)
    changed[0] = False
    np.testing.assert_allclose(rotations.to_channels(flipped, mode, truth, changed), truth, atol=1e-7)
