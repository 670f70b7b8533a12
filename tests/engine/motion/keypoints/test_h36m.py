# SPDX-License-Identifier: GPL-3.0-or-later
"""The seventeen points of Human3.6M from what detectors give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.motion.keypoints import LAYOUTS, POINTS, Track, to_h36m

ORDER = (
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine", "thorax",
    "nose", "head_top", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
)  # fmt: skip


def seen_by(scene: Any, layout: str, sigma: bool = False) -> Track:
    """A track of three frames of what a detector gives."""
    pixels, confidence = np.zeros((3, len(POINTS), 2)), np.zeros((3, len(POINTS)))
    for i, name in enumerate(POINTS):
        if name in LAYOUTS[layout]:
            values = np.array([scene.at(0, t, name) for t in range(3)])
            pixels[:, i], confidence[:, i] = values[:, :2], values[:, 2]
    spread = np.where(confidence > 0, 1.0 + np.arange(len(POINTS)), np.nan) if sigma else None
    return Track("1", np.arange(3), pixels, confidence, spread, 1.0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(scene: Any, layout: str) -> None:
    pixels, confidence, sigma = to_h36m(seen_by(scene, layout))
    assert (pixels.shape, confidence.shape, sigma) == ((3, 17, 2), (3, 17), None)
    given = set(LAYOUTS[layout])
    for i, name in enumerate(ORDER):
        point = "neck" if name == "thorax" else name
        parts = {"pelvis": ("left_hip", "right_hip"), "neck": ("left_shoulder", "right_shoulder")}.get(point)
        for t in range(3):
            at = {n: np.array(scene.at(0, t, n)) for n in POINTS}
            if point in given:
                np.testing.assert_allclose([*pixels[t, i], confidence[t, i]], at[point])
            elif parts:
                np.testing.assert_allclose(pixels[t, i], (at[parts[0]] + at[parts[1]])[:2] / 2)
                assert confidence[t, i] == min(at[parts[0]][2], at[parts[1]][2])
            else:
                assert name in ("spine", "nose" if layout == "mpii_16" else "head_top")
                assert layout not in (("halpe_26", "halpe_136", "h36m_17") if name == "head_top" else ("h36m_17",))
                assert confidence[t, i] == 0
                assert not pixels[t, i].any()


def test_a_part_that_is_not_seen_leaves_the_middle_unseen(scene: Any) -> None:
    track = seen_by(scene, "coco_17")
    track.confidence[1, POINTS.index("left_hip")] = 0.0
    _, confidence, _ = to_h36m(track)
    assert (confidence[:, 0] > 0).tolist() == [True, False, True]
    assert (confidence[:, 8] > 0).all()


def test_deviations_of_middles_are_those_of_means(scene: Any) -> None:
    """Against samples: the mean of independent points has the deviation that is told."""
    track = seen_by(scene, "coco_17", sigma=True)
    _, _, sigma = to_h36m(track)
    assert sigma is not None and track.sigma is not None
    rng = np.random.default_rng(0)

    def draw(name: str) -> np.ndarray:
        return rng.normal(0.0, track.sigma[0, POINTS.index(name)], 400_000)  # type: ignore[index]

    pelvis = (draw("left_hip") + draw("right_hip")) / 2
    thorax = (draw("left_shoulder") + draw("right_shoulder")) / 2
    np.testing.assert_allclose(sigma[0, 0], pelvis.std(), rtol=0.01)
    np.testing.assert_allclose(sigma[0, 8], thorax.std(), rtol=0.01)
    assert sigma[0, 13] == track.sigma[0, POINTS.index("left_wrist")]
    assert np.isnan(sigma[0, [7, 10]]).all()


def test_the_track_is_left_as_it_was(scene: Any) -> None:
    track = seen_by(scene, "coco_17", sigma=True)
    before = [array.copy() for array in (track.pixels, track.confidence, track.sigma) if array is not None]
    to_h36m(track)
    for array, was in zip((track.pixels, track.confidence, track.sigma), before, strict=True):
        np.testing.assert_array_equal(array, was)
