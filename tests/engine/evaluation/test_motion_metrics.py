# SPDX-License-Identifier: GPL-3.0-or-later
"""L2P, L2Q and NPSS against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from engine.evaluation.motion_metrics import l2p, l2q, npss
from engine.motion.windows import multiply, rotvec_to_quat


def test_l2p_of_a_shift_in_one_joint_counts_standard_deviations() -> None:
    """Two frames of four are off by 3 and 4 deviations along two axes: 5 in each."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(2, 4, 22, 3))
    mean, std = rng.normal(size=(22, 3)), rng.uniform(0.5, 2.0, (22, 3))
    moved = truth.copy()
    moved[:, :2, 7, 0] += 3.0 * std[7, 0]
    moved[:, :2, 7, 2] -= 4.0 * std[7, 2]
    assert l2p(moved, truth, mean, std) == pytest.approx(2.5)
    assert l2p(truth, truth, mean, std) == 0.0


def test_l2q_of_one_turned_joint_is_a_chord_and_deaf_to_signs() -> None:
    """Unit quaternions of rotations that differ by an angle a are 2 sin(a / 4) apart."""
    rng = np.random.default_rng(1)
    truth = rotvec_to_quat(rng.normal(size=(3, 5, 22, 3)))
    turned = truth.copy()
    turned[:, :, 4] = multiply(turned[:, :, 4], rotvec_to_quat(np.array([0.0, 0.8, 0.0])))
    assert l2q(turned, truth) == pytest.approx(2.0 * np.sin(0.2))
    assert l2q(-turned, truth) == pytest.approx(2.0 * np.sin(0.2))


def test_npss_of_two_sinusoids_is_the_distance_of_their_frequencies() -> None:
    """A sine of bin k has half of its power at k and half at T - k, so all of it moves by the difference of bins."""
    time = np.arange(32) / 32
    waves = {k: np.sin(2.0 * np.pi * k * time)[None, :, None] for k in (2, 5)}
    assert npss(waves[5], waves[2]) == pytest.approx(3.0)
    assert npss(np.roll(waves[2], 3, axis=1), waves[2]) == pytest.approx(0.0, abs=1e-9)  # deaf to phase


def test_npss_weighs_features_by_their_true_power() -> None:
    """A feature off by 3 bins with nine times the power of one that is right: 0.9 of 3."""
    time = np.arange(32) / 32
    slow, fast = (np.sin(2.0 * np.pi * k * time) for k in (2, 5))
    truth = np.stack([3.0 * slow, fast], axis=1)[None]
    made = np.stack([3.0 * fast, fast], axis=1)[None]
    assert npss(made, truth) == pytest.approx(2.7)
