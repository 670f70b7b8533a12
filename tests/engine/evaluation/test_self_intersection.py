# SPDX-License-Identifier: GPL-3.0-or-later
"""Self-intersection: the triangle test against linear programming, the measure on poses whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from engine.body import bundled
from engine.evaluation.self_intersection import SelfIntersection, crossing_pairs
from engine.motion.joints import JOINTS
from engine.training.dataset import mirror


def meet(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two triangles (3, 3) have a point in common: is there one that is a convex sum of either's corners?"""
    equal = np.block([[a.T, -b.T], [np.ones(3), np.zeros(3)], [np.zeros(3), np.ones(3)]])
    answer = linprog(np.zeros(6), A_eq=equal, b_eq=[0, 0, 0, 1, 1], bounds=(0, None))
    return answer.status == 0


def test_triangles_cut_where_a_linear_program_finds_a_common_point() -> None:
    rng = np.random.default_rng(0)
    a, b = (
        rng.uniform(-0.5, 0.5, (count, 3, 3)) + rng.uniform(-0.4, 0.4, (count, 1, 3)) for count in (25, 30)
    )
    found = np.zeros((25, 30), bool)
    found[crossing_pairs(a, b)] = True
    expected = np.array([[meet(s, t) for t in b] for s in a])
    assert 20 < expected.sum() < 700
    np.testing.assert_array_equal(found, expected)


@pytest.fixture(scope="module")
def measure() -> SelfIntersection:
    return SelfIntersection(bundled())


def posed(**turns: tuple[float, float, float]) -> np.ndarray:
    """(1, 21, 3) the T-pose with some joints turned, in degrees of axis-angle."""
    pose = np.zeros((1, 21, 3))
    for name, turn in turns.items():
        pose[0, JOINTS.index(name) - 1] = np.deg2rad(turn)
    return pose


@pytest.mark.parametrize(
    "pose",
    [
        posed(),
        posed(
            left_shoulder=(0, 0, -60), right_shoulder=(0, 0, 60)
        ),  # arms hang, a little away from the trunk
        posed(
            left_elbow=(0, -100, 0), right_knee=(90, 0, 0)
        ),  # neighbours sit in each other, which does not count
    ],
)
def test_nothing_is_inside_where_limbs_are_free(measure: SelfIntersection, pose: np.ndarray) -> None:
    assert measure.share(pose)[0] == 0.0


@pytest.mark.parametrize(
    "pose",
    [
        posed(left_hip=(0, 0, -25), right_hip=(0, 0, 25)),  # legs through each other
        posed(left_shoulder=(0, 0, -70), left_elbow=(0, 0, -60)),  # a forearm into the trunk
    ],
)
def test_limbs_through_the_body_count_alike_on_both_sides(
    measure: SelfIntersection, pose: np.ndarray
) -> None:
    share, reflected = measure.share(np.concatenate([pose, mirror(pose)]))
    assert 0.2 < share < 10.0
    assert reflected == pytest.approx(share, rel=0.25)  # the mesh is not quite symmetric
