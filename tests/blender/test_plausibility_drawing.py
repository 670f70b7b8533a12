# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn of plausibility, as vertices, colours and words; none of it needs a window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from rigcheck.extension import part  # noqa: E402

# Machado, Oliveira and Fernandes (2009): what people without one kind of cone see, on linear RGB.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


@pytest.fixture
def scale() -> Any:
    return part("drawing.scale")


@pytest.fixture
def curve() -> Any:
    return part("drawing.curve")


def linear(colour: Any) -> np.ndarray:
    srgb = np.asarray(colour, float)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* under D65 of linear RGB."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = to_xyz @ np.clip(rgb, 0.0, 1.0) / to_xyz.sum(axis=1)
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


@pytest.mark.parametrize("kind", BLINDNESS)
def test_colours_are_told_apart_by_everyone(scale: Any, kind: str) -> None:
    """A just noticeable difference is 2.3; they are 25 apart, and as far from the dark theme's ground (0.19)."""
    shown = [scale.USUAL_COLOUR, scale.RARE_COLOUR, scale.ODD_COLOUR, (0.19, 0.19, 0.19)]
    seen = [lab(BLINDNESS[kind] @ linear(colour)) for colour in shown]
    for n, one in enumerate(seen):
        for other in seen[:n]:
            assert np.linalg.norm(one - other) > 25.0


def test_the_scale_is_logarithmic_and_ends(scale: Any) -> None:
    np.testing.assert_allclose(
        scale.oddness(np.array([1.0, 0.1, 0.01, 0.001, 1e-4, 1e-9, 0.0])), [0, 0.25, 0.5, 0.75, 1, 1, 1], atol=1e-12
    )
    assert [scale.word(p) for p in (0.5, 0.01, 0.0099, 0.001, 0.0009)] == ["usual", "usual", "rare", "rare", "odd"]
    told = {0.324: "32 %", 1.0: "100 %", 0.0412: "4 %", 0.004: "0.4 %", 0.00012: "0.01 %", 1e-6: "below 0.01 %"}
    assert {p: scale.figure(p) for p in told} == told


def test_colours_blend_between_the_words(scale: Any) -> None:
    colours = scale.colours(scale.oddness(np.array([1.0, scale.PLAIN, 0.01, 0.001, 1e-5])))
    np.testing.assert_allclose(colours[0], colours[1])
    np.testing.assert_allclose(colours[1], (*scale.USUAL_COLOUR, scale.FAINT))
    np.testing.assert_allclose(colours[2], (*scale.RARE_COLOUR, 1.0))
    np.testing.assert_allclose(colours[3], (*scale.ODD_COLOUR, 1.0))
    np.testing.assert_allclose(colours[3], colours[4])
    middle = scale.colours(np.array([scale.LEVELS[1] + scale.LEVELS[2]]) / 2)[0]
    np.testing.assert_allclose(middle[:3], np.mean([scale.RARE_COLOUR, scale.ODD_COLOUR], axis=0))


def test_the_outline_follows_pan_and_zoom(curve: Any) -> None:
    frames = np.arange(1.0, 101.0)
    heights = np.random.default_rng(0).random(100)
    view = curve.View(21.0, 41.0, 400)
    x, found = curve.outline(frames, heights, view)
    assert len(x) < 26 and x[0] <= 0.0 and x[-1] >= 400.0, "no more than what is seen, up to the borders"
    for frame in (21, 30, 41):
        assert found[np.abs(x - 20.0 * (frame - 21)).argmin()] == heights[frame - 1]
    assert not len(curve.outline(frames, heights, curve.View(200.0, 300.0, 400))[0])
    x, found = curve.outline(frames, heights, curve.View(-99.0, 101.0, 400))
    np.testing.assert_allclose((x[0], x[-1]), view_ends(1.0, 100.0))
    assert (np.diff(x) > 0).all()


def view_ends(first: float, last: float) -> tuple[float, float]:
    """Half a frame before the first frame and after the last one, 2 pixels a frame from -99 on."""
    return 2.0 * (first - 0.5 + 99.0), 2.0 * (last + 0.5 + 99.0)


def test_no_peak_is_lost_where_frames_share_a_pixel(curve: Any) -> None:
    frames, heights = np.arange(1.0, 100_001.0), np.full(100_000, 0.1)
    heights[[5_000, 77_777]] = 1.0
    x, found = curve.outline(frames, heights, curve.View(0.0, 100_000.0, 500))
    assert len(x) <= 503
    np.testing.assert_allclose(x[found == 1.0], [25.5, 389.5], atol=1.0)


def test_a_lone_frame_is_a_bar(curve: Any) -> None:
    x, heights = curve.outline(np.array([7.0]), np.array([0.4]), curve.View(0.0, 10.0, 100))
    np.testing.assert_allclose(x, [65.0, 70.0, 75.0])
    np.testing.assert_allclose(heights, 0.4)


def test_the_fill_has_the_colours_of_its_heights(curve: Any, scale: Any) -> None:
    """Blended between two vertices, as the graphics card does it, the colour is that of the height there."""
    x, heights = curve.crossed(np.array([0.0, 10.0, 20.0]), np.array([0.1, 0.9, 0.3]))
    assert len(x) == 9 and (np.diff(x) > 0).all()
    vertices, colours = curve.filled(x, heights, 20.0, 50.0)
    assert vertices.shape == (18, 2) and colours.shape == (18, 4)
    np.testing.assert_allclose(vertices[::2, 1], 20.0)
    np.testing.assert_allclose(vertices[1::2, 1], 20.0 + 50.0 * heights)
    at = np.linspace(0.0, 20.0, 101)
    blended = np.stack([np.interp(at, x, colours[1::2, channel]) for channel in range(3)], axis=-1)
    own = scale.colours(np.interp(at, [0.0, 10.0, 20.0], [0.1, 0.9, 0.3]))[:, :3]
    np.testing.assert_allclose(blended, own, atol=1e-12)


def test_a_band_has_the_colours_alone(curve: Any, scale: Any) -> None:
    vertices, colours = curve.band(np.array([0.0, 8.0]), np.array([0.1, 1.0]), 1.0, 5.0)
    np.testing.assert_allclose(vertices, [[0, 1], [0, 6], [8, 1], [8, 6]])
    np.testing.assert_allclose(colours, scale.colours(np.array([0.1, 0.1, 1.0, 1.0])))


def test_level_stretches_need_no_crossing(curve: Any, scale: Any) -> None:
    level = scale.LEVELS[1]
    x, heights = curve.crossed(np.arange(4.0), np.array([level, level, 0.0, 0.0]))
    np.testing.assert_allclose(x[[0, 1, -2, -1]], [0.0, 1.0, 2.0, 3.0])
    assert np.isfinite(heights).all()


def test_damage_is_drawn_in_bars(curve: Any) -> None:
    view = curve.View(0.0, 100.0, 200)
    found = curve.bars(np.array([3.0, 4.0, 5.0, 9.0, 150.0]), view)
    np.testing.assert_allclose(found, [[5.0, 11.0], [17.0, 19.0]])
    assert curve.bars(np.empty(0), view).shape == (0, 2)
    far = curve.bars(np.array([1.0]), curve.View(0.0, 100_000.0, 200))
    assert far[0, 1] - far[0, 0] > 0.999, "a single frame is seen from afar"


def test_lines_lead_from_joint_to_joint() -> None:
    segments = part("drawing.segments").segments
    bones = {
        "pelvis": ("Hips",), "spine1": ("Spine", "Spine1"), "spine3": ("Chest",), "neck": (), "head": ("Head",),
        "left_shoulder": ("Arm",), "left_elbow": ("ForeArm",),
    }  # fmt: skip
    found = {(s.bone, s.end) for s in segments(bones)}
    assert found == {
        ("Spine", "Spine1"), ("Spine1", "Chest"), ("Chest", "Head"), ("Head", ""), ("Arm", "ForeArm"), ("ForeArm", ""),
    }  # fmt: skip
    assert segments({}) == ()


def test_a_drawing_that_fails_is_told_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    guard, calls = part("drawing.guard"), []

    def draw() -> None:
        calls.append(1)
        raise ValueError("no such shader")

    drawn = guard.quiet(draw)
    for _ in range(3):
        drawn()
    assert len(calls) == 1 and capsys.readouterr().err.count("Traceback") == 1
    guard.forgive()
    drawn()
    assert len(calls) == 2
    guard.forgive()


def test_real_captures_are_usual_and_faults_are_not(scale: Any) -> None:
    """The scale's words, on test clips that neither the prior nor the scale was chosen by."""
    score = pytest.importorskip("engine.tasks.score", reason="needs the engine's dependencies")
    split = Path(__file__).resolve().parents[3] / "shared" / "data" / "test"
    if not split.is_dir():
        pytest.skip(f"{split} is not here")
    poses = np.concatenate([np.load(file)["poses"] for file in sorted(split.glob("*.npz"))])[::10].astype(float)
    random = np.random.default_rng(0)
    turned = np.setdiff1d(np.arange(1, 22), (13, 14))  # collars do not count, as every rig has its own
    rows, joint = np.arange(len(poses)), random.choice(turned, len(poses))
    from scipy.spatial.transform import Rotation

    axis = random.normal(size=(len(poses), 3))
    turn = Rotation.from_rotvec(np.deg2rad(40.0) * axis / np.linalg.norm(axis, axis=1, keepdims=True))
    faulty = poses.copy()
    faulty[rows, joint] = (Rotation.from_rotvec(poses[rows, joint]) * turn).as_rotvec()
    good, bad = score.score(poses), score.score(faulty)
    assert (good.pose < scale.RARE).mean() < 0.08 and (good.pose < scale.ODD).mean() < 0.01
    assert (bad.pose < scale.RARE).mean() > 0.55 and (bad.pose < scale.ODD).mean() > 0.3
    own = bad.joints[rows, joint - 1]
    assert (own < scale.RARE).mean() > 0.7 and (good.joints < scale.ODD).mean() < 0.01
