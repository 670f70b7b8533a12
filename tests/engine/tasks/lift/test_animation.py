# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints in, animations out: with a lifter who knows the person, and with the real one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from seen_person import CAMERA, FPS, Knowing, person

from engine.body import posed
from engine.errors import MotionError
from engine.evaluation.metrics import acceleration_error, pa_mpjpe
from engine.priors.prior_file import FOLDER
from engine.tasks.lift.animation import LiftSettings, lift

WEIGHTS = FOLDER / "gfpose.safetensors"
SETTINGS = LiftSettings(hypotheses=4, device="cpu")
JUDGED = [1, 2, 4, 5, 7, 8, 12, 16, 17, 18, 19, 20, 21]
"""Joints of the body that keypoints tell of."""


def test_who_is_known_is_animated_where_they_are() -> None:
    someone = person(50, seed=1)
    steps: list[int] = []
    found = lift(
        someone.pixels, np.ones((50, 17)), np.full((50, 17), 2.0), CAMERA, FPS, SETTINGS,
        someone.motion.offsets, lambda done, total, stage: steps.append(done), Knowing(someone, 0.01),
    )  # fmt: skip
    (motion,) = found.motions
    joints, truth = posed(motion)[0], posed(someone.motion)[0]
    far = np.linalg.norm(joints - truth, axis=-1)[:, JUDGED]
    assert far.mean() < 0.06, "the distance included"
    rooted = np.linalg.norm(joints - joints[:, :1] - truth + truth[:, :1], axis=-1)[:, JUDGED]
    assert rooted.mean() < 0.025
    assert found.error[0] < 3.0
    assert np.abs(np.log(found.distance / Knowing(someone).distance)).max() < 0.04
    assert found.betas is None and found.pitch is None and motion.fps == FPS
    assert steps == sorted(steps) and found.confidence.min() > 0.5


def test_frames_without_the_person_are_bridged_and_held() -> None:
    someone, confidence = person(40), np.ones((40, 17))
    confidence[:4] = confidence[20:24] = confidence[36:] = 0.0
    confidence[30, 5:8] = 0.0
    knowing = Knowing(someone, 0.01)
    found = lift(someone.pixels, confidence, None, CAMERA, FPS, SETTINGS, someone.motion.offsets, lifter=knowing)
    np.testing.assert_array_equal(found.shown, (confidence > 0).any(axis=1))
    (motion,) = found.motions
    assert len(motion) == 40
    for held, end in ((slice(0, 4), 4), (slice(36, 40), 35)):
        np.testing.assert_array_equal(motion.poses[held], np.repeat(motion.poses[[end]], 4, axis=0))
        np.testing.assert_array_equal(motion.transl[held], np.repeat(motion.transl[[end]], 4, axis=0))
    joints, truth = posed(motion)[0], posed(someone.motion)[0]
    assert np.linalg.norm(joints - truth, axis=-1)[20:24, JUDGED].mean() < 0.12
    assert not found.confidence[~found.shown].any() and found.confidence[found.shown].all()


def test_animations_are_distinct_and_share_one_world() -> None:
    someone = person(30, pitch=-0.3)
    settings = replace(SETTINGS, hypotheses=6, keep=3, world=True)
    found = lift(
        someone.pixels, np.ones((30, 17)), None, CAMERA, FPS, settings, someone.motion.offsets,
        lifter=Knowing(someone, 0.12),
    )  # fmt: skip
    assert len(found.motions) == len(found.error) == 3
    assert found.pitch is not None and abs(found.pitch + 0.3) < 0.3, "depths that are off tilt the body"
    all_joints = [posed(motion)[0] for motion in found.motions]
    for first in range(3):
        for second in range(first):
            assert np.linalg.norm(all_joints[first] - all_joints[second], axis=-1).mean() > 0.01
    # Seen from where the camera stands, all are about where the first is.
    assert np.ptp([motion.transl[0] for motion in found.motions], axis=0).max() < 0.3


def test_a_height_makes_a_body_and_its_distance() -> None:
    someone = person(30)
    knowing = Knowing(someone)
    near, far = (
        lift(
            someone.pixels, np.ones((30, 17)), None, CAMERA, FPS, replace(SETTINGS, height=height), lifter=knowing
        )
        for height in (1.5, 1.8)
    )  # fmt: skip
    np.testing.assert_allclose(far.distance / near.distance, 1.8 / 1.5, rtol=0.05)
    assert near.betas is not None and near.betas.shape == (10,)
    assert far.motions[0].offsets[4, 1] < near.motions[0].offsets[4, 1] < 0.0


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"prior": "guess"}, "no prior"), ({"hypotheses": 0}, "hypotheses"), ({"hypotheses": 3, "keep": 4}, "fewer"),
        ({"steps": 0}, "step"), ({"height": 17.0}, "tall"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(settings: dict, word: str) -> None:
    someone = person(3)
    with pytest.raises(MotionError, match=word):
        lift(someone.pixels, np.ones((3, 17)), None, CAMERA, FPS, LiftSettings(**settings))


def test_nobody_is_refused() -> None:
    someone, confidence = person(3), np.zeros((3, 17))
    confidence[:, :3] = 1.0
    with pytest.raises(MotionError, match="No frame shows 4 joints"):
        lift(someone.pixels, confidence, None, CAMERA, FPS, SETTINGS, lifter=Knowing(someone))


@pytest.mark.skipif(not WEIGHTS.exists(), reason="the weights of GFPose are not in this checkout")
def test_gfpose_animates_someone_it_never_saw() -> None:
    someone = person(25, seed=5)
    noisy = someone.pixels + 3.0 * np.random.default_rng(0).normal(size=someone.pixels.shape)
    settings = replace(SETTINGS, hypotheses=6, steps=8)
    found = lift(noisy, np.ones((25, 17)), np.full((25, 17), 3.0), CAMERA, FPS, settings)
    again = lift(noisy, np.ones((25, 17)), np.full((25, 17), 3.0), CAMERA, FPS, settings)
    np.testing.assert_array_equal(found.motions[0].poses, again.motions[0].poses)
    joints, truth = posed(found.motions[0])[0][:, JUDGED], posed(someone.motion)[0][:, JUDGED]
    assert pa_mpjpe(joints, truth) < 90.0
    assert acceleration_error(joints, truth, FPS) < 12.0
    assert found.error[0] < 12.0
