# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of keypoints as detectors write them: they are read again as who was seen, where, and how surely."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from demo import body_points
from demo.body_points import NAMES
from demo.detections import Detections, detect
from demo.keypoint_files import FORMATS, HALLUCINATED
from engine.body import bundled
from engine.motion.joints import JOINTS
from engine.motion.keypoints import POINTS, read
from engine.motion.keypoints.layouts import BODY_25, COCO_17, H36M_17, HALPE_26, MEDIAPIPE_33

SIZE, FPS, FOCAL = (1280, 720), 30.0, 1400.0
KNOWN = dict(zip(FORMATS, (BODY_25, COCO_17, HALPE_26, MEDIAPIPE_33, H36M_17), strict=True))
GAP, LOST = slice(12, 16), slice(3, 8)


def standing(turn: float) -> np.ndarray:
    """(P, 3) points of the body in T-pose in metres, Y up, turned about the vertical."""
    places = np.zeros((1, len(JOINTS), 3))
    whole = bundled().joints(np.zeros((1, len(JOINTS), 3)), np.zeros(3))
    places[0] = np.asarray(whole).reshape(len(JOINTS), 3)
    matrix = Rotation.from_euler("Y", turn).as_matrix()
    turns = np.tile(matrix, (1, len(JOINTS), 1, 1))
    return body_points.points(places @ matrix.T, turns)[0]


def walked(start: float, end: float, away: float, turn: float, frames: int = 20) -> np.ndarray:
    """(T, P, 3) pixels and metres ahead of somebody who is moved across the picture."""
    points = standing(turn) * [1.0, -1.0, -1.0]
    found = []
    for x in np.linspace(start, end, frames):
        there = points + np.array([x, 0.0, away])
        found.append(np.column_stack([FOCAL * there[:, :2] / there[:, 2:] + [640.0, 360.0], there[:, 2]]))
    return np.array(found)


@pytest.fixture(scope="module")
def people() -> list[Detections]:
    """Somebody who stays, and somebody who passes behind."""
    near = detect(walked(-0.1, 0.1, 4.0, 0.2), FOCAL, 1).without(LOST, "left_wrist").without(GAP)
    return [near, detect(walked(-1.2, 1.2, 6.0, 1.5), FOCAL, 2).behind(near)]


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_written_is_read(people: list[Detections], form: str, tmp_path: Path) -> None:
    name, write = FORMATS[form]
    found = read(write(tmp_path / name, people, SIZE, FPS))
    assert (found.first, found.last, len(found.tracks)) == (0, 19, 2)
    for track, person in zip(found.tracks, people, strict=True):
        np.testing.assert_array_equal(track.frames, np.flatnonzero(person.there))
        for point in set(KNOWN[form]) & set(POINTS):
            own = body_points.MID_SHOULDERS if form == "OpenPose BODY_25" and point == "neck" else point
            u, v, sure, sigma = person.of(own)[person.there].T
            told = track.confidence[:, POINTS.index(point)]
            wanted = np.where(sure > 0, sure, HALLUCINATED if form == "MediaPipe Pose" else 0.0)
            np.testing.assert_allclose(told, wanted, atol=1e-3)
            places = track.pixels[:, POINTS.index(point)][sure > 0]
            np.testing.assert_allclose(places, np.column_stack([u, v])[sure > 0], atol=0.01)
            if form == "CSV table":
                assert track.sigma is not None
                np.testing.assert_allclose(track.sigma[sure > 0, POINTS.index(point)], sigma[sure > 0], atol=0.01)
    assert {"AlphaPose Halpe-26": {"1", "2"}, "CSV table": {"Ann", "Bob"}}.get(form, {"1", "2"}) == {
        track.id for track in found.tracks
    }
    if form == "MediaPipe Pose":
        assert (found.size, found.fps) == (SIZE, FPS)


def test_who_is_behind_is_hidden_and_who_is_in_front_is_not(people: list[Detections]) -> None:
    near, far = people
    seen = detect(walked(-1.2, 1.2, 6.0, 1.5), FOCAL, 2)
    hidden = (seen.confidence > 0) & (far.confidence == 0)
    assert hidden[8:12].mean() > 0.3 and not hidden[[0, 1, 18, 19]].any()
    assert (near.behind(seen).confidence == near.confidence).all()
    assert not near.there[GAP].any() and near.there[:12].all()
    lost = [NAMES.index(f"left_{part}") for part in ("wrist", "thumb", "index", "pinky")]
    assert (near.confidence[LOST, lost] == 0).all()
    assert (near.confidence[LOST, NAMES.index("right_wrist")] > 0).any()


def test_the_detectors_noise_is_as_wide_as_it_says() -> None:
    """Of joints that are no outliers, over the told width, as a normal variable; what hangs on a joint errs with it."""
    exact = walked(-0.1, 0.1, 4.0, 0.2, 3000)
    found = detect(exact, FOCAL, 3)
    off = found.pixels - exact[..., :2]
    ratio = np.median(np.abs(off[:, :17] / found.sigma[:, :17, None]))
    assert abs(ratio / 0.6745 - 1.0) < 0.1
    assert 0.01 < (found.confidence == 0).mean() < 0.02
    np.testing.assert_allclose(off[:, NAMES.index("left_thumb")], off[:, NAMES.index("left_wrist")], atol=1e-9)


def test_points_are_where_a_body_has_them() -> None:
    at = dict(zip(NAMES, standing(0.0), strict=True))
    assert at["left_eye"][0] > 0 > at["right_eye"][0] and at["left_ear"][0] > at["left_eye_outer"][0]
    assert at["neck"][1] < at["left_mouth"][1] < at["nose"][1] < at["left_eye"][1] < at["head_top"][1]
    assert at["left_heel"][2] < at["left_ankle"][2] < at["left_small_toe"][2] < at["left_big_toe"][2]
    assert at["left_pinky"][2] < at["left_wrist"][2] < at["left_index"][2] < at["left_thumb"][2]
    assert at["left_index"][0] > at["left_wrist"][0] and at["right_index"][0] < at["right_wrist"][0]
    np.testing.assert_allclose(at["mid_shoulders"], (at["left_shoulder"] + at["right_shoulder"]) / 2, atol=1e-12)
    np.testing.assert_allclose(body_points.likeness().sum(axis=1), 1.0)
    turned = dict(zip(NAMES, standing(0.7), strict=True))
    matrix = Rotation.from_euler("Y", 0.7).as_matrix()
    for name, place in at.items():
        np.testing.assert_allclose(turned[name], matrix @ place, atol=1e-9, err_msg=name)
