# SPDX-License-Identifier: GPL-3.0-or-later
"""People drawn for training: cameras, detectors and masks do what their settings say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.body.h36m_joints import h36m_joints
from engine.body.shapes import offsets_of
from engine.motion.h36m import JOINTS, PARENTS
from engine.motion.joints import MIRROR as BODY_MIRROR
from engine.priors.image_frame import camera_frame, image_frame
from engine.training import dataset
from engine.training.people import (
    DETECTED,
    EXACT,
    SHAPES,
    Detector,
    People,
    detect,
    hidden,
    mirrored,
    mirrored_turns,
    random_bodies,
    random_cameras,
)


@pytest.fixture(scope="module")
def people() -> People:
    rng = np.random.default_rng(0)
    poses = rng.normal(0.0, 0.3, (64, 22, 3)).astype(np.float32)
    return People(dataset.PoseSet(poses, rng.integers(3, size=64)), seed=1)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def bones(joints: torch.Tensor) -> torch.Tensor:
    return (joints[:, 1:] - joints[:, list(PARENTS[1:])]).norm(dim=-1)


def test_a_picture_and_its_depths_give_the_person_back(people: People) -> None:
    joints = people.upright(torch.arange(64), torch.arange(64))
    turns, distance = random_cameras(64, generator())
    turned = joints @ turns.to(joints).mT
    torch.testing.assert_close(bones(turned), bones(joints), atol=1e-5, rtol=0)
    pictured = image_frame(turned, distance)
    torch.testing.assert_close(camera_frame(pictured, distance), turned, atol=1e-5, rtol=0)
    # A pinhole's picture of the person, scaled to metres at the pelvis.
    own = distance[:, None] - turned[..., 2]
    torch.testing.assert_close(pictured[..., 0], turned[..., 0] / own * distance[:, None], atol=1e-5, rtol=0)


def test_people_stand_with_their_pelvis_at_the_middle_and_differ_in_size(people: People) -> None:
    joints = people.draw(500, generator())
    assert torch.equal(joints[:, 0], torch.zeros(500, 3))
    assert 0.02 < float(bones(joints).sum(dim=1).std() / bones(joints).sum(dim=1).mean()) < 0.3
    again = people.draw(500, generator())
    assert torch.equal(joints, again)


def test_a_reflection_swaps_sides(people: People) -> None:
    joints = people.upright(torch.arange(4), torch.arange(4))
    left, right = JOINTS.index("left_wrist"), JOINTS.index("right_wrist")
    torch.testing.assert_close(mirrored(joints)[:, right, 0], -joints[:, left, 0])
    torch.testing.assert_close(mirrored(mirrored(joints)), joints)


def test_rotations_are_those_of_the_people_drawn(people: People) -> None:
    """Bodies that turn so have the joints that are drawn, their sides swapped or not."""
    posed = people.draw_posed(200, generator())
    assert torch.equal(posed.joints, people.draw(200, generator()))
    identity = torch.eye(3).expand(200, 22, 3, 3)
    torch.testing.assert_close(posed.turns @ posed.turns.mT, identity, atol=1e-5, rtol=0)
    assert (torch.linalg.det(posed.turns) > 0.99).all()
    # The same draws again: who, of which shape, swapped or not, and how far away.
    again = generator()
    torch.rand(200, generator=again, dtype=torch.float64)
    offsets = random_bodies(1)[torch.randint(SHAPES, (200,), generator=again)]
    swapped = torch.rand(200, generator=again) < 0.5
    distance = random_cameras(200, again)[1]
    assert 60 < int(swapped.sum()) < 140
    flip = torch.tensor([-1.0, 1.0, 1.0])
    # A person who is swapped has the shape reflected, too, where sides differ.
    own = torch.where(swapped[:, None, None], offsets[:, list(BODY_MIRROR)] * flip, offsets)
    joints = h36m_joints(posed.turns, own)
    expected = image_frame(joints - joints[:, :1], distance)
    torch.testing.assert_close(posed.joints, expected, atol=1e-4, rtol=1e-4)


def test_reflected_rotations_reflect_the_body(people: People) -> None:
    turns = people.draw_posed(20, generator()).turns
    offsets = torch.from_numpy(offsets_of(np.random.default_rng(2).normal(size=(20, 10)))).float()
    other = offsets[:, list(BODY_MIRROR)] * torch.tensor([-1.0, 1.0, 1.0])
    reflected = h36m_joints(mirrored_turns(turns), other)
    torch.testing.assert_close(reflected, mirrored(h36m_joints(turns, offsets)), atol=1e-4, rtol=0)
    torch.testing.assert_close(mirrored_turns(mirrored_turns(turns)), turns)


def test_a_detector_errs_as_much_as_its_heatmaps_say() -> None:
    joints = torch.randn(20000, 17, 3)
    honest = Detector(exact=0.0, width_error=0.0, outliers=0.05, sure_outliers=0.0)
    seen = detect(joints, honest, generator())
    error = (seen.joints - joints)[..., :2] / seen.doubt[..., :2]
    assert abs(float(error.std()) - 1.0) < 0.01
    assert not torch.isfinite(seen.doubt[..., 2]).any()
    assert torch.equal(seen.joints[..., 2], torch.zeros(20000, 17))
    spread = (seen.joints - joints)[..., :2].norm(dim=-1).median(dim=0).values
    assert spread[JOINTS.index("left_wrist")] > 1.5 * spread[JOINTS.index("pelvis")]


def test_exact_keypoints_are_exact() -> None:
    joints = torch.randn(50, 17, 3)
    seen = detect(joints, EXACT, generator())
    assert torch.equal(seen.joints[..., :2], joints[..., :2])
    assert torch.equal(seen.doubt[..., :2], torch.zeros(50, 17, 2))
    shares = [(detect(joints, d, generator()).doubt[:, 0, 0] == 0).float().mean() for d in (Detector(), DETECTED)]
    assert 0.05 < shares[0] < 0.4 and shares[1] == 0


def test_masks_hide_people_parts_and_joints_as_often_as_they_should() -> None:
    draws = 20000
    out = hidden(draws, 0.1, 0.2, 0.1, generator())
    # A joint is left in where neither it, nor its part, nor the person is lost.
    np.testing.assert_allclose(1.0 - out.float().mean(dim=0), 0.9 * 0.8 * 0.9, atol=0.02)
    whole = hidden(draws, 0.3, 0.0, 0.0, generator())
    assert set(whole.sum(dim=1).tolist()) == {0, 17} and abs(float(whole[:, 0].float().mean()) - 0.3) < 0.02
    legs = hidden(draws, 0.0, 1.0, 0.0, generator())
    assert legs.all()
    assert not hidden(100, 0.0, 0.0, 0.0, generator()).any()
