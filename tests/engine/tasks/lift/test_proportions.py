# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies from lengths, and lengths from bodies."""

from __future__ import annotations

import numpy as np
import pytest
from seen_person import person

from engine.body import bundled, mean_offsets
from engine.body.shapes import offsets_of
from engine.errors import MotionError
from engine.motion.h36m import JOINTS
from engine.tasks.lift.proportions import RIGID, lengths, rest_lengths, shape_of, stature, symmetric


def test_rigid_bones_are_as_long_in_any_pose() -> None:
    someone = person()
    found = lengths(someone.joints)
    assert found.shape == (40, 16)
    rest = np.broadcast_to(rest_lengths(someone.motion.offsets)[list(RIGID)], (40, len(RIGID)))
    np.testing.assert_allclose(found[:, list(RIGID)], rest, atol=1e-9)


def test_left_and_right_become_their_mean() -> None:
    values = np.arange(16.0)
    found = symmetric(values)
    left, right = (JOINTS.index(f"{side}_knee") - 1 for side in ("left", "right"))
    assert found[left] == found[right] == (values[left] + values[right]) / 2.0
    assert found[JOINTS.index("nose") - 1] == values[JOINTS.index("nose") - 1]


def test_the_mean_body_is_as_tall_as_its_skin() -> None:
    body = bundled()
    skin = body.vertices(np.zeros((1, 22, 3)), np.zeros((1, 3))).numpy()[0]
    assert abs(stature(mean_offsets()) - np.ptp(skin[:, 1])) < 0.03


def test_a_shape_is_found_by_its_lengths() -> None:
    rng = np.random.default_rng(3)
    assert np.abs(shape_of()).max() == 0.0
    for _ in range(3):
        wanted = rest_lengths(offsets_of(2.0 * rng.normal(size=(1, 10))))[0]
        off = np.abs(rest_lengths(offsets_of(shape_of(wanted)[None]))[0] - wanted).mean()
        assert off < 0.55 * np.abs(rest_lengths(mean_offsets()) - wanted).mean()


@pytest.mark.parametrize("height", [1.5, 1.7, 1.95])
def test_a_height_is_kept(height: float) -> None:
    betas = shape_of(height=height)
    assert abs(stature(offsets_of(betas[None]))[0] - height) < 0.005
    wanted = rest_lengths(offsets_of(np.full((1, 10), 0.3)))[0]
    both = offsets_of(shape_of(wanted, height)[None])
    assert abs(stature(both)[0] - height) < 0.02


@pytest.mark.parametrize("height", [0.1, 170.0, float("nan")])
def test_nobody_is_so_tall(height: float) -> None:
    with pytest.raises(MotionError, match="tall"):
        shape_of(height=height)
