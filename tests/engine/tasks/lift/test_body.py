# SPDX-License-Identifier: GPL-3.0-or-later
"""Joints to rotations, and how far they are to be trusted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from seen_person import CAMERA, FPS, Person, person

from engine.body.h36m_joints import h36m_joints
from engine.motion.h36m import JOINTS
from engine.motion.joints import JOINTS as BODY_JOINTS
from engine.motion.motion import BodyMotion
from engine.priors.pose_prior import PosePrior
from engine.priors.weights import load_pose_prior
from engine.tasks.lift.body import confidences, fit_body
from engine.tasks.lift.camera_space import Sight


@pytest.fixture(scope="module")
def prior() -> PosePrior:
    return load_pose_prior()


def joints_of(motion: BodyMotion) -> np.ndarray:
    local = torch.from_numpy(Rotation.from_rotvec(motion.poses.reshape(-1, 3)).as_matrix()).unflatten(0, (-1, 22))
    return h36m_joints(local, torch.tensor(motion.offsets)).numpy() + motion.transl[:, None]


def fitted(someone: Person, prior: PosePrior, shown: np.ndarray, spread: float = 0.0) -> BodyMotion:
    sight = Sight.of(someone.pixels, np.ones(someone.pixels.shape[:2]), None, CAMERA, FPS)
    there = np.einsum("tab,tjb->tja", sight.turns, someone.joints)
    there[~shown] = there[0]
    offsets = someone.motion.offsets
    return fit_body(there, np.full(there.shape, spread), shown, sight.turns, offsets, FPS, prior, device="cpu")


@pytest.mark.parametrize("aside", [0.3, -2.0])
def test_exact_joints_give_the_body_where_it_is(prior: PosePrior, aside: float) -> None:
    someone = person(16, seed=3, aside=aside)
    found = fitted(someone, prior, np.ones(16, bool))
    assert np.linalg.norm(joints_of(found) - someone.joints, axis=-1).mean() < 0.012
    np.testing.assert_array_equal(found.offsets, someone.motion.offsets)


def test_a_gap_is_bridged_by_how_bodies_move(prior: PosePrior) -> None:
    someone, shown = person(24), np.ones(24, bool)
    shown[10:14] = False
    whole, bridged = (fitted(someone, prior, here) for here in (np.ones(24, bool), shown))
    angle = (Rotation.from_rotvec(whole.poses[:, 0]).inv() * Rotation.from_rotvec(bridged.poses[:, 0])).magnitude()
    assert angle.max() < 0.12
    knee = BODY_JOINTS.index("left_knee")
    truth = someone.motion.poses[10:14, knee, 0]
    assert np.abs(bridged.poses[10:14, knee, 0] - truth).mean() < 0.35


def test_what_hypotheses_agree_on_is_followed_more_closely(prior: PosePrior) -> None:
    """With noise on the depths alone, told as such, the body keeps to the picture."""
    someone = person(12, aside=0.0)
    sight = Sight.of(someone.pixels, np.ones((12, 17)), None, CAMERA, FPS)
    there = np.einsum("tab,tjb->tja", sight.turns, someone.joints)
    noisy = there + [0.0, 0.0, 0.08] * np.random.default_rng(0).normal(size=(12, 17, 1))
    errors = []
    for spread in (np.array([0.01, 0.01, 0.01]), np.array([0.01, 0.01, 0.3])):
        arguments = np.broadcast_to(spread, there.shape), np.ones(12, bool), sight.turns, someone.motion.offsets
        motion = fit_body(noisy, *arguments, FPS, prior, device="cpu")
        pixels = CAMERA.project(torch.from_numpy(joints_of(motion))).numpy()
        errors.append(np.linalg.norm(pixels - someone.pixels, axis=-1).mean())
    assert errors[1] < 0.6 * errors[0]


def test_confidence_falls_where_hypotheses_differ() -> None:
    spread = np.full((2, 17, 3), 0.01)
    spread[1, JOINTS.index("left_wrist")] = 0.5
    found = confidences(spread)
    assert found.shape == (2, 22) and (found > 0).all() and (found <= 1).all()
    changed = {BODY_JOINTS[j] for j in np.flatnonzero(found[0] != found[1])}
    assert changed == {"left_elbow", "left_wrist"}, "of the elbow's rotation the wrist tells"
    assert found[1, BODY_JOINTS.index("left_elbow")] < 0.1 < 0.8 < found[0].min()
