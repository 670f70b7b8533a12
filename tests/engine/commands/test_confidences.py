# SPDX-License-Identifier: GPL-3.0-or-later
"""Confidences from file to file, and what cleaning makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from seen_person import person

from engine.cli import main
from engine.commands import confidences
from engine.errors import FileError, MotionError
from engine.motion import amass
from engine.motion.joints import JOINTS
from engine.tasks.clean import CleanSettings, clean_body

ELBOW = JOINTS.index("left_elbow")
LOST = slice(20, 30)


@given(arrays(np.float32, st.tuples(st.integers(1, 5), st.just(22)), elements=st.floats(0, 1, width=32)))
def test_they_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, found: np.ndarray) -> None:
    path = tmp_path_factory.mktemp("a") / "c.npz"
    confidences.write(path, found)
    np.testing.assert_array_equal(confidences.read(path), found.astype(float))


def test_joints_that_are_not_named_are_known(tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", joint_names=np.array(["head"]), confidence=np.full((3, 1), 0.25))
    found = confidences.read(tmp_path / "c.npz")
    assert (found[:, JOINTS.index("head")] == 0.25).all() and found.sum() == 3 * 21 + 0.75


@pytest.mark.parametrize(
    "confidence",
    [np.full((3, 2), 0.5), np.full((3, 1), 1.5), np.full((3, 1), np.nan), np.full(3, 0.5), np.ones((3, 1), int)],
)
def test_other_numbers_are_refused(tmp_path: Path, confidence: np.ndarray) -> None:
    np.savez(tmp_path / "c.npz", joint_names=np.array(["head"]), confidence=confidence)
    with pytest.raises(FileError):
        confidences.read(tmp_path / "c.npz")


def test_cleaning_makes_anew_what_is_doubted(tmp_path: Path) -> None:
    truth = person(60).motion
    wrong, trust = truth.poses.copy(), np.ones((60, 22))
    # A limb that is wrong smoothly, as a hypothesis is: no rule finds that.
    wrong[LOST, ELBOW, 1] -= 1.2 * np.hanning(10)
    trust[LOST, ELBOW] = 0.05
    source, told = tmp_path / "in.npz", tmp_path / "c.npz"
    amass.create(source, type(truth)(wrong, truth.transl, truth.fps, truth.offsets))
    confidences.write(told, trust)
    errors = []
    for name, options in (("plain", []), ("told", ["--confidences", str(told)])):
        target = tmp_path / f"{name}.npz"
        assert main(["clean", str(source), str(target), "--method", "wiener", "--feet", "never", *options]) == 0
        off = amass.read(target).motion.poses[:, ELBOW] - truth.poses[:, ELBOW]
        errors.append(np.linalg.norm(off, axis=-1)[LOST].mean())
    assert errors[1] < 0.3 * errors[0]


def test_what_does_not_fit_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    motion = person(10).motion
    with pytest.raises(MotionError, match="9 frames do not fit a clip of 10"):
        clean_body(motion, CleanSettings(method="wiener"), confidence=np.ones((9, 22)))
    with pytest.raises(MotionError, match="gaussian takes no confidences"):
        clean_body(motion, CleanSettings(method="gaussian"), confidence=np.ones((10, 22)))
    confidences.write(tmp_path / "c.npz", np.ones((10, 22)))
    arguments = ["clean", str(tmp_path), str(tmp_path / "out"), "--confidences", str(tmp_path / "c.npz")]
    assert main(arguments) == 2
    assert "is about one clip" in capsys.readouterr().err
