# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept stays bit-equal, what varies differs, and poses come to stand on the floor."""

from __future__ import annotations

import numpy as np
import pytest
from standing_poses import BENT, HANGING, RAISED, pose

from engine.body import Body, bundled, posed
from engine.errors import MotionError
from engine.evaluation.places import places
from engine.motion.joints import HALVES, JOINTS
from engine.tasks.generate import GenerateSettings, generate
from engine.tasks.generate_like import GenerateLikeSettings, generate_like
from engine.tasks.grounded import grounded, lowest_point
from engine.tasks.score import score

UPPER = np.array([joint in HALVES["upper_body"] for joint in JOINTS[1:]])
START = pose(BENT, HANGING, yaw=1.0)
CPU = GenerateLikeSettings(device="cpu")


def test_the_upper_body_stays_and_legs_differ() -> None:
    natural = generate(1, GenerateSettings(seed=4, device="cpu"))
    poses = generate_like(natural[0], UPPER, 8, CPU)
    np.testing.assert_array_equal(poses[:, UPPER], np.repeat(natural[:, UPPER], 8, axis=0))
    joints = places(bundled(), poses)
    apart = np.linalg.norm(joints[:, None] - joints, axis=-1).mean(axis=-1)
    assert apart[np.triu_indices(8, 1)].min() > 0.01, "a centimetre on average over all joints"
    assert np.median(score(poses).pose) > 0.05
    assert (np.linalg.norm(poses, axis=-1) <= np.pi + 1e-9).all()


def test_seeds_and_counts() -> None:
    one, again = (generate_like(START.poses[0, 1:], UPPER, 3, CPU) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    other = generate_like(START.poses[0, 1:], UPPER, 3, GenerateLikeSettings(seed=1, device="cpu"))
    assert np.abs(one - other).max() > 0.01
    assert generate_like(START.poses[0, 1:], UPPER, 1, CPU).shape == (1, 21, 3)


def test_where_nothing_is_kept_whole_poses_are_generated() -> None:
    found = generate_like(START.poses[0, 1:], np.zeros(21, bool), 3, GenerateLikeSettings(0.9, 5, "cpu"))
    np.testing.assert_array_equal(found, generate(3, GenerateSettings(temperature=0.9, seed=5, device="cpu")))


def test_less_temperature_gives_poses_that_differ_less() -> None:
    spread = []
    for temperature in (0.4, 1.0):
        poses = generate_like(START.poses[0, 1:], UPPER, 8, GenerateLikeSettings(temperature, 0, "cpu"))
        spread.append(places(bundled(), poses).std(axis=0).mean())
    assert spread[0] < 0.7 * spread[1]


@pytest.mark.parametrize(
    ("count", "kept", "settings"),
    [
        (0, UPPER, CPU),
        (501, UPPER, CPU),
        (1, np.ones(21, bool), CPU),
        (1, np.ones(20, bool), CPU),
        (1, UPPER, GenerateLikeSettings(temperature=0.0)),
    ],
)
def test_what_cannot_be_generated(count: int, kept: np.ndarray, settings: GenerateLikeSettings) -> None:
    with pytest.raises(MotionError) as caught:
        generate_like(START.poses[0, 1:], kept, count, settings)
    assert str(caught.value).endswith(".")


def test_a_kept_joint_must_be_finite() -> None:
    broken = START.poses[0, 1:].copy()
    broken[20] = np.nan
    with pytest.raises(MotionError, match="NaN"):
        generate_like(broken, UPPER, 1, CPU)
    assert np.isfinite(generate_like(broken, ~np.isnan(broken).any(axis=1), 1, CPU)).all()


def test_poses_stand_on_the_floor_they_are_put_on() -> None:
    poses = generate(24, GenerateSettings(seed=2, device="cpu"))
    body = grounded(START, poses)
    floor = lowest_point(START)[0]
    np.testing.assert_allclose(lowest_point(body), np.full(24, floor), atol=1e-12)
    np.testing.assert_array_equal(body.transl[:, [0, 2]], np.repeat(START.transl[:, [0, 2]], 24, axis=0))
    np.testing.assert_array_equal(body.poses[:, 0], np.repeat(START.poses[:, 0], 24, axis=0))
    # By the mannequin's skin, which knows nothing of where soles and knees are taken to be.
    skin = bundled()
    lowest = np.array([_skin(skin, body.poses[n], body.transl[n]) for n in range(24)])
    assert np.abs(lowest - _skin(skin, START.poses[0], START.transl[0])).max() < 0.06
    assert np.abs(np.median(lowest) - _skin(skin, START.poses[0], START.transl[0])) < 0.02


def _skin(body: Body, poses: np.ndarray, transl: np.ndarray) -> float:
    return float(body.vertices(poses[None], transl[None])[..., 1].min())


def test_where_legs_are_kept_nothing_moves() -> None:
    poses = np.repeat(START.poses[:, 1:], 2, axis=0)
    poses[:, JOINTS.index("head") - 1] += 0.2
    np.testing.assert_array_equal(grounded(START, poses).transl, np.repeat(START.transl, 2, axis=0))


def test_one_leg_that_is_raised_leaves_the_other_on_the_floor() -> None:
    body = grounded(START, pose(RAISED, HANGING).poses[:, 1:])
    np.testing.assert_allclose(body.transl, START.transl, atol=1e-12)
    assert posed(body)[0][0, 8, 1] > posed(START)[0][0, 8, 1] + 0.1
