# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotation channels against mathutils, Blender's own rotations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

mathutils = pytest.importorskip("mathutils")

MODES = ("QUATERNION", "AXIS_ANGLE", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
EULERS = MODES[2:]


@pytest.fixture
def rotations(extension: Callable[[str], Any]) -> Any:
    return extension("rotations")


def smooth(frames: int, seed: int = 0, size: float = 1.0) -> np.ndarray:
    """(T, 1, 4) unit quaternions that turn on, several times around."""
    random = np.random.default_rng(seed)
    result = [mathutils.Quaternion(random.normal(size=4)).normalized()]
    axis = mathutils.Vector(random.normal(size=3)).normalized()
    for _ in range(frames - 1):
        axis = (axis + 0.2 * mathutils.Vector(random.normal(size=3))).normalized()
        result.append(result[-1] @ mathutils.Quaternion(axis, 0.2 * size))
    quaternions = np.array(result, np.float64)[:, None]
    return quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True)


def angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return 2 * np.arccos(np.clip(np.abs((a * b).sum(-1)), 0, 1))


@pytest.mark.parametrize("order", EULERS)
def test_eulers_mean_what_blender_means(rotations: Any, order: str) -> None:
    angles = np.random.default_rng(1).uniform(-7, 7, (50, 3))
    expected = np.array([mathutils.Euler(a, order).to_quaternion() for a in angles])
    assert angle(rotations.to_quaternions(angles, order), expected).max() < 1e-3
    m = np.array([mathutils.Euler(a, order).to_matrix() for a in angles])
    np.testing.assert_allclose(rotations.to_matrices(rotations.to_quaternions(angles, order)), m, atol=1e-5)


def test_axis_angles_mean_what_blender_means(rotations: Any) -> None:
    random = np.random.default_rng(2)
    axes = random.normal(size=(50, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    angles = random.uniform(-9, 9, (50, 1))
    expected = np.array([mathutils.Quaternion(v, a) for v, (a,) in zip(axes, angles, strict=True)])
    values = np.concatenate([angles, 3 * axes], axis=1)
    assert angle(rotations.to_quaternions(values, "AXIS_ANGLE"), expected).max() < 1e-3


@pytest.mark.parametrize("mode", MODES)
def test_channels_give_the_rotation_back_and_do_not_jump(rotations: Any, mode: str) -> None:
    quaternions = smooth(300)
    quaternions[::7] *= -1
    count = rotations.channels(mode)[1]
    raw = np.zeros((300, 1, count))
    raw[..., 0] = 1
    values = rotations.to_channels(quaternions, mode, raw, np.ones((300, 1), bool))
    # Between -q and q lies one float of rounding in the cosine: compare the matrices.
    back = rotations.to_matrices(rotations.to_quaternions(values, mode))
    np.testing.assert_allclose(back, rotations.to_matrices(quaternions), atol=1e-9)
    # Eulers may move fast near gimbal lock, but never by half a turn or more at once.
    assert np.abs(np.diff(values, axis=0)).max() < (0.3 if mode == "QUATERNION" else np.pi)


@pytest.mark.parametrize("mode", MODES)
def test_what_has_not_changed_stays_bit_equal(rotations: Any, mode: str) -> None:
    random = np.random.default_rng(3)
    raw = random.normal(size=(40, 3, rotations.channels(mode)[1]))
    changed = random.random((40, 3)) < 0.5
    quaternions = rotations.to_quaternions(raw, mode)
    values = rotations.to_channels(quaternions, mode, raw, changed)
    assert np.array_equal(values[~changed], raw[~changed])


def test_full_turns_are_counted(rotations: Any) -> None:
    angles = np.zeros((100, 1, 3))
    angles[:, 0, 2] = np.linspace(0, 20, 100)
    changed = np.ones((100, 1), bool)
    changed[0] = False
    values = rotations.to_channels(rotations.to_quaternions(angles, "XYZ"), "XYZ", angles, changed)
    np.testing.assert_allclose(values, angles, atol=1e-9)


def test_gimbal_lock_keeps_the_rotation(rotations: Any) -> None:
    for order in EULERS:
        angles = np.zeros((3, 1, 3))
        angles[..., "XYZ".index(order[0])] = 0.3
        angles[..., "XYZ".index(order[1])] = np.pi / 2
        angles[..., "XYZ".index(order[2])] = [[0.1], [0.2], [0.3]]
        quaternions = rotations.to_quaternions(angles, order)
        values = rotations.to_channels(quaternions, order, np.zeros((3, 1, 3)), np.ones((3, 1), bool))
        back = rotations.to_matrices(rotations.to_quaternions(values, order))
        np.testing.assert_allclose(back, rotations.to_matrices(quaternions), atol=1e-6)


def test_matrices_of_every_half_turn(rotations: Any) -> None:
    quaternions = np.concatenate([np.eye(4), smooth(200)[:, 0]])
    scaled = rotations.to_matrices(quaternions) * np.array([0.5, 2.0, 3.0])
    back = rotations.to_matrices(rotations.from_matrices(scaled))
    np.testing.assert_allclose(back, rotations.to_matrices(quaternions), atol=1e-12)


def test_nothing_is_no_rotation(rotations: Any) -> None:
    for mode in MODES:
        zeros = np.zeros((1, rotations.channels(mode)[1]))
        assert rotations.to_quaternions(zeros, mode).tolist() == [[1, 0, 0, 0]]
