# SPDX-License-Identifier: GPL-3.0-or-later
"""The world upright again, by people whose camera's pitch is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from seen_person import person

from engine.body import posed
from engine.tasks.lift.upright import SOLE, upright


@pytest.mark.parametrize("pitch", [-0.5, -0.1, 0.0, 0.3])
def test_a_pitched_camera_is_found_and_undone(pitch: float) -> None:
    someone = person(60, pitch=pitch)
    found, told = upright(someone.motion)
    assert abs(told - pitch) < 0.06
    joints = posed(found)[0]
    assert abs(joints[:, [10, 11], 1].min() - SOLE) < 0.03, "the lower foot is on the floor"
    up = Rotation.from_rotvec(found.poses[:, 0]).apply([0.0, 1.0, 0.0])
    assert up[:, 1].min() > np.cos(0.1)
    before = posed(someone.motion)[0]
    apart = [np.linalg.norm(j[:, 20] - j[:, 4], axis=-1) for j in (before, joints)]
    np.testing.assert_allclose(apart[0], apart[1], atol=1e-9)
    # The camera stays above the origin.
    np.testing.assert_allclose(
        np.linalg.norm(found.transl[:, 0] - someone.motion.transl[:, 0]), 0.0, atol=1e-9
    )
