# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole clips of a split, and means over them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.errors import FileError
from engine.evaluation.motion_clips import Weighed, feet_of, joints_of, mean, minutes, motion_clips, skated
from engine.motion.windows import quat_to_rotvec
from engine.training.dynamics import TEMPLATE_LEG


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A split of clips of 40, 8 and 90 frames."""
    rng = np.random.default_rng(0)
    poses, trans = rng.normal(0.0, 0.2, (138, 22, 3)), rng.normal(0.0, 1.0, (138, 3))
    np.savez(tmp_path / "a.npz", poses=poses.astype(np.float32), trans=trans.astype(np.float32))
    entry = {"file": "a.npz", "fps": 30.0, "leg_len": TEMPLATE_LEG, "subject": 1}
    index = [entry | {"start": s, "length": n} for s, n in ((0, 40), (40, 8), (48, 90))]
    (tmp_path / "index.json").write_text(json.dumps(index))
    return tmp_path


def test_clips_are_counted_and_cropped_in_the_middle(folder: Path) -> None:
    clips = motion_clips(folder, shortest=30, longest=60)
    assert [len(clip) for clip in clips] == [40, 60] and [clip.number for clip in clips] == [0, 1]
    assert minutes(clips) == pytest.approx(100 / 30 / 60)
    with np.load(folder / "a.npz") as file:
        np.testing.assert_allclose(quat_to_rotvec(clips[1].quat), file["poses"][63:123], atol=1e-6)
        np.testing.assert_allclose(clips[1].path, file["trans"][63:123], atol=1e-6)
    thinned = motion_clips(folder, shortest=1, every=2)
    assert [clip.number for clip in thinned] == [0, 2], "a clip's noise does not depend on how many are taken"


def test_joints_move_with_the_path(folder: Path) -> None:
    clip = motion_clips(folder, shortest=60)[0]
    joints = joints_of(clip.quat, clip.path)
    np.testing.assert_allclose(joints[:, 0], clip.path, atol=1e-12)
    np.testing.assert_allclose(joints_of(clip.quat, clip.path + 1.0), joints + 1.0, atol=1e-12)
    np.testing.assert_array_equal(feet_of(clip.quat, clip.path), joints[:, [7, 8, 10, 11]])


def test_skate_of_a_body_that_slides(folder: Path) -> None:
    still = np.repeat(motion_clips(folder, shortest=60)[0].quat[:1], 11, axis=0)
    path = 0.003 * np.arange(11)[:, None] * np.array([1.0, 5.0, 0.0])
    contact = np.zeros((11, 4), bool)
    contact[2:6, 1] = True
    assert skated(still, path, contact) == (pytest.approx(3.0), 3), "mm over the floor, in three steps"
    assert skated(still, path, ~contact | contact).frames == 40
    assert skated(still, path, np.zeros_like(contact)) == (0.0, 0)


def test_means_weigh_by_frames() -> None:
    assert mean([Weighed(1.0, 3), Weighed(5.0, 1), Weighed(100.0, 0)]) == 2.0
    assert np.isnan(mean([Weighed(1.0, 0)]))


def test_a_split_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"index\.json"):
        motion_clips(tmp_path, 1)
