# SPDX-License-Identifier: GPL-3.0-or-later
"""The classical filters against closed forms, SciPy's rotation means and splines, and their symmetries."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, RotationSpline

from engine.motion.filters import METHODS, Filter, from_strength, smooth_positions, smooth_rotations

LOW_PASS = ("butterworth", "gaussian", "savgol")
methods = st.sampled_from(METHODS)
strengths = st.floats(0.3, 2.0)
seeds = st.integers(0, 2**31)
rates = st.sampled_from([24.0, 30.0, 60.0, 120.0])


def wxyz(rotations: Rotation, shape: tuple[int, ...]) -> np.ndarray:
    return rotations.as_quat(scalar_first=True).reshape(*shape, 4)


def rotation(quats: np.ndarray) -> Rotation:
    return Rotation.from_quat(quats.reshape(-1, 4), scalar_first=True)


def degrees_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angle between rotations (T, J, 4), whatever their signs."""
    return np.rad2deg((rotation(a).inv() * rotation(b)).magnitude()).reshape(a.shape[:-1])


def path(times: np.ndarray, seed: int, spread: float = 0.5) -> np.ndarray:
    """Quaternions (T, 2, 4) of two joints on splines through random poses every 0.5 s."""
    random = np.random.default_rng(seed)
    keys = np.arange(times[0], times[-1] + 1.0, 0.5)
    splines = [
        RotationSpline(keys, Rotation.from_rotvec(spread * random.normal(size=(len(keys), 3)))) for _ in "ab"
    ]
    return np.stack([spline(times).as_quat(scalar_first=True) for spline in splines], axis=1)


def noisy(quats: np.ndarray, degrees: float, seed: int) -> np.ndarray:
    vectors = (
        np.deg2rad(degrees) / math.sqrt(3.0) * np.random.default_rng(seed).normal(size=quats[..., :3].shape)
    )
    return wxyz(rotation(quats) * Rotation.from_rotvec(vectors.reshape(-1, 3)), quats.shape[:-1])


def gain(chosen: Filter, hertz: float, fps: float) -> float:
    """Of a long cosine, measured away from the ends."""
    times = np.arange(round(12 * fps)) / fps
    wave = np.cos(2.0 * np.pi * hertz * times)[:, None, None] * np.ones(3)
    middle = slice(len(times) // 4, 3 * len(times) // 4)
    smooth = smooth_positions(wave, fps, chosen)
    return float((wave * smooth)[middle].sum() / (wave * wave)[middle].sum())


@pytest.mark.parametrize("fps", [24.0, 30.0, 120.0])
@pytest.mark.parametrize("cutoff", [1.0, 3.0, 6.0])
def test_butterworth_leaves_half_the_power_at_its_cutoff(fps: float, cutoff: float) -> None:
    assert gain(Filter("butterworth", cutoff), cutoff, fps) == pytest.approx(math.sqrt(0.5), abs=2e-3)


def test_butterworth_has_the_response_of_two_passes_of_order_two() -> None:
    chosen = Filter("butterworth", 5.0)
    power_per_pass = 5.0 / (math.sqrt(2.0) - 1.0) ** 0.25
    for hertz in (1.0, 2.5, 7.0, 12.0):
        expected = 1.0 / (1.0 + (hertz / power_per_pass) ** 4)
        assert gain(chosen, hertz, 480.0) == pytest.approx(expected, abs=3e-3)


@pytest.mark.parametrize("fps", [30.0, 120.0])
def test_gaussian_has_its_closed_form_response(fps: float) -> None:
    for hertz in (0.5, 2.0, 4.0):
        expected = math.exp(-0.5 * (2.0 * math.pi * hertz * 0.06) ** 2)
        assert gain(Filter("gaussian", 0.06), hertz, fps) == pytest.approx(expected, abs=2e-3)


def test_savgol_passes_cubics_to_the_very_ends() -> None:
    times = np.linspace(-1.0, 1.0, 40)[:, None, None]
    cubic = times**3 * [1.0, -2.0, 0.5] + times**2 - 3.0 * times * [0.0, 1.0, 2.0]
    np.testing.assert_allclose(smooth_positions(cubic, 30.0, Filter("savgol", 0.4)), cubic, atol=1e-12)


@pytest.mark.parametrize("method", LOW_PASS)
@pytest.mark.parametrize("strength", [1.0, 2.0])
def test_strength_sets_the_same_cutoff_for_every_low_pass(method: str, strength: float) -> None:
    assert gain(from_strength(method, strength), 6.0 / strength, 120.0) == pytest.approx(
        math.sqrt(0.5), abs=0.03
    )


def test_gaussian_of_rotations_is_scipys_weighted_mean() -> None:
    """SciPy's is the eigenvector of Markley et al. 2007; the two means differ in the third order of the spread."""
    frames = np.arange(60)
    for degrees, tolerance in ((5.0, 0.15), (10.0, 0.3)):
        quats = noisy(path(frames / 30.0, seed=1, spread=0.3), degrees, seed=2)
        smooth = smooth_rotations(quats, 30.0, Filter("gaussian", 0.1))
        for frame in (20, 30, 41):
            weights = np.exp(-0.5 * ((frames - frame) / 3.0) ** 2)
            means = [rotation(quats[:, j]).mean(weights).as_quat(scalar_first=True) for j in range(2)]
            assert degrees_between(smooth[frame][None], np.array(means)[None]).max() < tolerance


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rate", [90.0, 360.0])
def test_a_steady_turn_passes_unchanged(method: str, rate: float) -> None:
    """The quaternion turns at half the rate: its amplitude changes, its direction does not."""
    times = np.arange(90) / 30.0
    axis = np.array([1.0, 2.0, -2.0]) / 3.0
    quats = wxyz(Rotation.from_rotvec(np.deg2rad(rate) * times[:, None] * axis), (90, 1))
    smooth = smooth_rotations(quats, 30.0, from_strength(method, 2.0))
    assert degrees_between(smooth, quats)[30:60].max() < 0.05


@pytest.mark.parametrize(("method", "strength", "ratio"), [
    ("butterworth", 2.0, 0.6), ("gaussian", 2.0, 0.6), ("savgol", 2.0, 0.7), ("median", 1.0, 0.8),
])  # fmt: skip
def test_noise_goes_and_motion_stays(method: str, strength: float, ratio: float) -> None:
    clean = path(np.arange(300) / 30.0, seed=5, spread=0.3)
    noise = noisy(clean, 5.0, seed=6)
    chosen = from_strength(method, strength)
    before = degrees_between(noise, clean).mean()
    assert degrees_between(smooth_rotations(noise, 30.0, chosen), clean).mean() < ratio * before
    assert degrees_between(smooth_rotations(clean, 30.0, chosen), clean).mean() < 0.6


@pytest.mark.parametrize("degrees", [30.0, 90.0, 178.0])
@pytest.mark.parametrize(("start", "length"), [(0, 1), (1, 1), (40, 1), (40, 2), (40, 3), (88, 1), (89, 1)])
def test_median_removes_spikes_and_leaves_their_surroundings(start: int, length: int, degrees: float) -> None:
    clean = path(np.arange(90) / 30.0, seed=9, spread=0.2)
    spiked = clean.copy()
    part = slice(start, start + length)
    flip = Rotation.from_rotvec(np.deg2rad(degrees) * np.array([0.6, 0.0, 0.8]))
    spiked[part, 0] = (rotation(clean[part, 0]) * flip).as_quat(scalar_first=True)
    smooth = smooth_rotations(spiked, 30.0, from_strength("median", 1.0))
    assert degrees_between(smooth, clean)[:, 0].max() < (10.0 if length == 3 else 5.0)
    assert degrees_between(smooth, clean)[:, 1].max() < 2.0


def test_median_has_nearly_the_least_sum_of_distances() -> None:
    """Against a fine grid of turns about the one axis that the samples turn about."""
    random = np.random.default_rng(4)
    angles = np.where(random.random(100) < 0.15, 2.0, 0.0) + 0.02 * random.normal(size=100)
    quats = wxyz(Rotation.from_rotvec(angles[:, None] * [0.0, 1.0, 0.0]), (100, 1))
    found = rotation(smooth_rotations(quats, 30.0, Filter("median", 0.3))).as_rotvec()[:, 1]
    grid = np.linspace(-0.2, 2.2, 2401)
    for frame in range(4, 96):
        window = angles[frame - 4 : frame + 5]
        costs = 4.0 * np.abs(np.sin((np.append(grid, found[frame])[:, None] - window) / 4.0)).sum(axis=1)
        assert costs[-1] < 1.02 * costs[:-1].min() + 0.01


@settings(max_examples=40, deadline=None)
@given(methods, strengths, rates, seeds)
def test_constant_rotations_before_or_after_commute(
    method: str, strength: float, fps: float, seed: int
) -> None:
    """Another choice of the world's axes (left) or of the bone's (right) changes nothing else."""
    quats = noisy(path(np.arange(40) / fps, seed), 20.0, seed)
    left, right = Rotation.random(2, random_state=seed % 1000)
    chosen = from_strength(method, strength)
    turned = wxyz(left * rotation(quats) * right, (40, 2))
    expected = wxyz(left * rotation(smooth_rotations(quats, fps, chosen)) * right, (40, 2))
    assert degrees_between(smooth_rotations(turned, fps, chosen), expected).max() < 1e-5


@settings(max_examples=40, deadline=None)
@given(methods, strengths, rates, seeds)
def test_signs_do_not_matter_and_come_out_continuous(
    method: str, strength: float, fps: float, seed: int
) -> None:
    quats = noisy(path(np.arange(40) / fps, seed), 20.0, seed)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(40, 2, 1))
    chosen = from_strength(method, strength)
    smooth, other = smooth_rotations(quats, fps, chosen), smooth_rotations(signs * quats, fps, chosen)
    assert degrees_between(smooth, other).max() < 1e-5
    np.testing.assert_allclose(np.linalg.norm(other, axis=-1), 1.0, atol=1e-12)
    if not np.array_equal(other, signs * quats):  # a filter that reaches no neighbour returns its input
        assert ((other[1:] * other[:-1]).sum(axis=-1) > 0).all()


@settings(max_examples=40, deadline=None)
@given(methods, strengths, st.integers(1, 40), seeds)
def test_what_stands_still_stays(method: str, strength: float, frames: int, seed: int) -> None:
    quats = np.repeat(wxyz(Rotation.random(3, random_state=seed % 1000), (1, 3)), frames, axis=0)
    chosen = from_strength(method, strength)
    assert degrees_between(smooth_rotations(quats, 30.0, chosen), quats).max() < 1e-5
    places = 1e4 * quats[..., 1:]
    np.testing.assert_allclose(smooth_positions(places, 30.0, chosen), places, atol=1e-8)


@settings(max_examples=40, deadline=None)
@given(methods, st.floats(0.6, 2.0), seeds)
def test_time_may_run_backwards(method: str, strength: float, seed: int) -> None:
    """No filter delays: the reversed clip gives the reversed result, apart from how a recursion is started."""
    quats = noisy(path(np.arange(80) / 30.0, seed), 10.0, seed)
    chosen = from_strength(method, strength)
    there = smooth_rotations(quats, 30.0, chosen)
    back = smooth_rotations(quats[::-1], 30.0, chosen)[::-1]
    difference = degrees_between(there, back)
    assert difference.max() < (3.0 if method == "butterworth" else 1e-5)
    assert difference[25:-25].max() < (0.02 if method == "butterworth" else 1e-5)


@settings(max_examples=40, deadline=None)
@given(methods, strengths, seeds)
def test_positions_may_be_moved_turned_and_scaled(method: str, strength: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    places = random.normal(size=(40, 3, 3)).cumsum(axis=0)
    turn, shift = Rotation.random(random_state=seed % 1000).as_matrix(), 100.0 * random.normal(size=3)
    chosen = from_strength(method, strength)
    expected = 30.0 * smooth_positions(places, 30.0, chosen) @ turn + shift
    np.testing.assert_allclose(
        smooth_positions(30.0 * places @ turn + shift, 30.0, chosen), expected, atol=1e-6
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_frame_rate_does_not_matter(method: str) -> None:
    """Common times of one path at 30 and 120 fps, smoothed alike; the fits and medians to their window's rounding."""
    fast = path(np.arange(480) / 120.0, seed=3)
    chosen = from_strength(method, 2.0)
    slow_result = smooth_rotations(fast[::4], 30.0, chosen)
    fast_result = smooth_rotations(fast, 120.0, chosen)[::4]
    change = degrees_between(slow_result, fast[::4])
    assert change.max() > 0.3, "the filter does something"
    tolerance = 0.15 if method in ("butterworth", "gaussian") else 0.5
    assert degrees_between(slow_result, fast_result)[8:-8].max() < tolerance * change.max()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5])
def test_the_shortest_clips_work(method: str, frames: int) -> None:
    quats = path(np.arange(5) / 30.0, seed=2)[:frames]
    for strength in (0.5, 1.0, 2.0):
        chosen = from_strength(method, strength)
        smooth = smooth_rotations(quats, 30.0, chosen)
        assert smooth.shape == quats.shape and degrees_between(smooth, quats).max() < 20.0
        assert np.isfinite(smooth_positions(quats[..., 1:], 30.0, chosen)).all()
    assert smooth_rotations(quats[:, :0], 30.0, chosen).shape == (frames, 0, 4)


@pytest.mark.parametrize("method", METHODS)
def test_strength_zero_is_bit_equal_and_inputs_are_never_written(method: str) -> None:
    quats = noisy(path(np.arange(50) / 30.0, seed=7), 10.0, seed=8)
    quats[20:30] *= -1.0
    kept = quats.copy()
    nothing = smooth_rotations(quats, 30.0, from_strength(method, 0.0))
    np.testing.assert_array_equal(nothing, quats)
    np.testing.assert_array_equal(
        smooth_positions(quats[..., 1:], 30.0, from_strength(method, 0.0)), quats[..., 1:]
    )
    smooth_rotations(quats, 30.0, from_strength(method, 2.0))[:] = 0.0
    nothing[:] = 0.0
    np.testing.assert_array_equal(quats, kept)


@pytest.mark.parametrize("method", METHODS)
def test_joints_do_not_touch_each_other(method: str) -> None:
    quats = noisy(path(np.arange(50) / 30.0, seed=7), 10.0, seed=8)
    chosen = from_strength(method, 1.5)
    alone = smooth_rotations(quats[:, 1:], 30.0, chosen)
    np.testing.assert_allclose(smooth_rotations(quats, 30.0, chosen)[:, 1:], alone, atol=1e-14)


def test_more_strength_means_smoother() -> None:
    quats = noisy(path(np.arange(200) / 30.0, seed=11), 8.0, seed=12)
    for method in METHODS:
        results = [smooth_rotations(quats, 30.0, from_strength(method, s)) for s in (0.0, 0.5, 1.0, 2.0)]
        roughness = [np.square(np.diff(result, n=2, axis=0)).sum() for result in results[1:]]
        assert roughness == sorted(roughness, reverse=True) and roughness[0] > 1.5 * roughness[-1]


@pytest.mark.parametrize(
    ("method", "parameter"),
    [
        ("kalman", 1.0),
        ("gaussian", -0.1),
        ("gaussian", math.nan),
        ("gaussian", math.inf),
        ("butterworth", 0.0),
    ],
)
def test_filters_that_mean_nothing_are_refused(method: str, parameter: float) -> None:
    with pytest.raises(ValueError, match=method):
        Filter(method, parameter)


@pytest.mark.parametrize("strength", [-0.1, math.nan, math.inf])
def test_strengths_that_mean_nothing_are_refused(strength: float) -> None:
    with pytest.raises(ValueError, match="strength"):
        from_strength("gaussian", strength)
    with pytest.raises(ValueError, match="kalman"):
        from_strength("kalman", 1.0)


def test_filters_need_no_torch() -> None:
    check = (
        "import sys, engine.motion.filters; raise SystemExit('torch' in sys.modules or 'roma' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", check], cwd=Path(__file__).resolve().parents[3]).returncode == 0
    )
