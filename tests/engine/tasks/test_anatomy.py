# SPDX-License-Identifier: GPL-3.0-or-later
"""Elbows and knees: which way they bend, on made rotations and on real captures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.commands.clip_file import ClipFile
from engine.motion.joints import JOINTS
from engine.motion.windows import continuous, rotvec_to_quat
from engine.tasks.anatomy import HINGES, bending, bent_backwards
from engine.tasks.clean import CleanSettings, clean_body
from engine.tasks.quality import quality

ELBOWS = ("left_elbow", "right_elbow")


@pytest.mark.parametrize("joint", HINGES)
@pytest.mark.parametrize("degrees", [-120.0, -50.0, -10.0, 0.0, 60.0, 150.0])
def test_an_angle_about_the_hinge_is_found_whatever_the_limb_twists_by(joint: str, degrees: float) -> None:
    """The oracle is SciPy's: a turn about the hinge, then a small one about the limb."""
    axis, sign = HINGES[joint]
    bend = Rotation.from_rotvec(np.deg2rad(sign * degrees) * np.eye(3)[axis])
    twist = Rotation.from_rotvec(np.deg2rad(10.0) * np.eye(3)[1 - axis])
    quat = np.tile([1.0, 0.0, 0.0, 0.0], (1, 22, 1))
    quat[0, JOINTS.index(joint)] = (bend * twist).as_quat(scalar_first=True)
    assert np.rad2deg(bending(quat, joint))[0] == pytest.approx(degrees, abs=2.0)
    found = bent_backwards(quat)[0]
    assert found[JOINTS.index(joint)] == (degrees < -35.0)
    assert found.sum() == found[JOINTS.index(joint)]


@pytest.mark.parametrize("split", ["test", "val", "test_other"])
def test_no_real_limb_bends_backwards(shared_data: Path, split: str) -> None:
    for file in (shared_data / split).glob("*.npz"):
        assert not bent_backwards(rotvec_to_quat(np.load(file)["poses"])).any()


def test_elbows_that_a_file_has_backwards_are_found_and_bent_the_right_way(shared_data: Path) -> None:
    """A real defect: in this capture both elbows bend backwards in all frames."""
    whole = ClipFile(shared_data / "bvh_test" / "cmu_13_18.bvh").body
    some = slice(20, 820, 4)
    body = replace(whole, poses=whole.poses[some], transl=whole.transl[some], fps=whole.fps / 4.0)
    columns = [JOINTS.index(joint) for joint in ELBOWS]
    before = continuous(rotvec_to_quat(body.poses))
    assert bent_backwards(before)[:, columns].mean() > 0.9
    after = continuous(rotvec_to_quat(clean_body(body, CleanSettings(device="cpu")).motion.poses))
    assert not bent_backwards(after).any()
    for joint in ELBOWS:  # by as much as the file has them bent, at the same times
        np.testing.assert_allclose(np.median(bending(after, joint)), -np.median(bending(before, joint)), rtol=0.1)
        assert np.corrcoef(bending(after, joint), -bending(before, joint))[0, 1] > 0.9
    assert quality(body, "cpu").damaged[:, columns].all()
