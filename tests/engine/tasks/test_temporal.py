# SPDX-License-Identifier: GPL-3.0-or-later
"""Noise measured and taken out, gaps filled: with the shipped spectra, on motions whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from scipy.fft import idct

from engine.motion.windows import continuous, exp_around, multiply, rotvec_to_quat
from engine.priors.dynamics import Dynamics, Noise
from engine.priors.spectra_file import load
from engine.tasks.confidence import angle
from engine.tasks.temporal import (
    GAP_LIMIT,
    ROTATION_LEVELS,
    SMOOTHED_SHARE,
    fill_gaps,
    find_gaps,
    gap_seconds,
    measure_noise,
    pose_variance,
    smooth,
    smoothed_deviation,
)
from engine.tasks.wiener import smooth_body


@pytest.fixture(scope="module")
def spectra() -> Dynamics:
    return load()["body"]


def drawn(spectra: Dynamics, seconds: float, fps: float, seed: int = 0) -> np.ndarray:
    """A motion (T, 21, 4) drawn from the spectra themselves, around the T-pose."""
    frames = round(seconds * fps)
    covariance = spectra.covariance(frames, fps).copy()
    covariance[0] = 0.0
    values, axes = np.linalg.eigh(covariance)
    z = np.random.default_rng(seed).normal(size=(frames, spectra.size))
    coefficients = np.einsum("kij,kj->ki", axes * np.sqrt(np.maximum(values, 0.0))[:, None], z)
    x = idct(coefficients, axis=0, norm="ortho").reshape(frames, -1, 3)
    return continuous(rotvec_to_quat(x))


def shaken(quat: np.ndarray, degrees: float, seed: int = 1) -> np.ndarray:
    noise = np.deg2rad(degrees) * np.random.default_rng(seed).normal(size=(*quat.shape[:2], 3))
    return continuous(exp_around(quat, noise))


def deviation(degrees: float, size: int = 63) -> Noise:
    return Noise(np.full(size, np.deg2rad(degrees) ** 2), np.zeros(size), 0.0)


def error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.rad2deg(angle(a, b)).mean())


@pytest.mark.parametrize("fps", [30.0, 120.0])
@pytest.mark.parametrize("degrees", [2.0, 5.0, 10.0])
def test_white_noise_is_measured(spectra: Dynamics, fps: float, degrees: float) -> None:
    noise, _ = measure_noise(shaken(drawn(spectra, 12.0, fps), degrees), spectra, fps, ROTATION_LEVELS)
    assert not noise.correlated.any()
    measured = np.rad2deg(np.sqrt(noise.total))
    assert np.median(measured) == pytest.approx(degrees, rel=0.15)
    assert measured.min() > 0.7 * degrees and measured.max() < 1.35 * degrees


def test_a_motion_without_noise_comes_back(spectra: Dynamics) -> None:
    quat = drawn(spectra, 8.0, 30.0)
    assert smooth(quat, spectra, deviation(0.0), 30.0) is quat
    assert fill_gaps(quat, np.ones(quat.shape[:2], bool), spectra, 30.0) is quat
    noise, lively = measure_noise(quat, spectra, 30.0, ROTATION_LEVELS)
    assert np.rad2deg(np.sqrt(np.median(noise.total))) < 0.3
    assert error(smooth(quat, lively, noise, 30.0), quat) < 0.1


def test_turning_the_frame_of_a_joint_turns_the_result(spectra: Dynamics) -> None:
    """Left multiplication by constants: rotations of the parent's axes are no part of the motion."""
    rng = np.random.default_rng(2)
    quat = shaken(drawn(spectra, 6.0, 30.0), 5.0)
    turn = rng.normal(size=(21, 4))
    turn /= np.linalg.norm(turn, axis=-1, keepdims=True)
    result = smooth(quat, spectra, deviation(5.0), 30.0)
    again = smooth(continuous(multiply(turn, quat)), spectra, deviation(5.0), 30.0)
    np.testing.assert_allclose(np.abs(np.sum(again * multiply(turn, result), axis=-1)), 1.0, atol=1e-12)


def test_the_frame_rate_does_not_matter(spectra: Dynamics) -> None:
    """One motion at 30 and 120 fps, with as much noise per second: four times the variance per sample."""
    fine = drawn(spectra, 12.0, 120.0)
    errors = []
    for step in (1, 4):
        fps = 120.0 / step
        noisy = shaken(fine[::step], 4.0 * np.sqrt(4.0 / step))
        noise, lively = measure_noise(noisy, spectra, fps, ROTATION_LEVELS)
        result = smooth(noisy, lively, noise, fps)
        errors.append(error(result, fine[::step]))
    assert errors[0] == pytest.approx(errors[1], rel=0.15)
    assert max(errors) < 0.5 * error(shaken(fine, 4.0), fine)


@pytest.mark.parametrize("degrees", [2.0, 5.0, 10.0])
def test_smoothing_leaves_what_the_posterior_says(spectra: Dynamics, degrees: float) -> None:
    quat = drawn(spectra, 20.0, 30.0)
    noisy = shaken(quat, degrees)
    result = smooth(noisy, spectra, deviation(degrees), 30.0)
    promised = smoothed_deviation(len(quat), spectra, deviation(degrees), 30.0) ** 2
    left = np.mean(angle(result, quat) ** 2, axis=0) / 3.0
    assert np.sqrt(left.mean()) == pytest.approx(np.sqrt(promised.mean()), rel=0.2)


@pytest.mark.parametrize("fps", [30.0, 120.0])
def test_gaps_are_filled_near_the_truth_and_what_is_known_stays(spectra: Dynamics, fps: float) -> None:
    quat = drawn(spectra, 8.0, fps)
    rng = np.random.default_rng(4)
    known = np.ones(quat.shape[:2], bool)
    for joint in range(21):
        begin = int(rng.uniform(1.0, 6.0) * fps)
        known[begin : begin + round(0.2 * fps), joint] = False
    known[: round(0.1 * fps), 3] = known[-round(0.1 * fps) :, 4] = False  # at the ends too
    garbage = quat.copy()
    garbage[~known] = [0.5, 0.5, -0.5, 0.5]
    filled = fill_gaps(garbage, known, spectra, fps)
    same = (filled == quat).all(axis=-1) | (filled == -quat).all(axis=-1)
    assert same[known].all()
    assert (np.sum(filled[1:] * filled[:-1], axis=-1) > 0).all()
    held = np.where(known[..., None], quat, quat[np.zeros(len(quat), int)])
    assert error(filled[~known], quat[~known]) < 0.35 * error(held[~known], quat[~known])
    # No step at the ends of a gap: neighbours differ no more than the motion does.
    steps = np.rad2deg(angle(filled[1:], filled[:-1]))
    assert steps.max() < 1.5 * np.rad2deg(angle(quat[1:], quat[:-1])).max()


def test_uncertainty_grows_into_a_gap(spectra: Dynamics) -> None:
    quat = drawn(spectra, 4.0, 30.0)
    faulty = quat.copy()
    faulty[50:54, 2] = multiply(quat[50:54, 2], rotvec_to_quat(np.array([1.2, 0.0, 0.0])))
    gaps = find_gaps(continuous(faulty), spectra, 30.0)
    variance = pose_variance(gaps.known, np.zeros(21), 30.0)
    assert (variance[gaps.known] == 0).all()
    assert (variance[50:54, 2] > 0).all() and variance[51, 2] > variance[50, 2]
    noisy = pose_variance(gaps.known, np.full(21, 0.1), 30.0)
    np.testing.assert_allclose(noisy[0], SMOOTHED_SHARE * 0.01)


@given(arrays(bool, (12, 3)))
def test_time_to_what_is_known(known: np.ndarray) -> None:
    seconds = gap_seconds(known, 10.0)
    for t, j in np.ndindex(known.shape):
        nearest = [abs(t - s) for s in np.flatnonzero(known[:, j])]
        assert seconds[t, j] == (pytest.approx(min(nearest) / 10.0) if nearest else np.inf)
    assert (pose_variance(known, np.zeros(3), 10.0) <= GAP_LIMIT**2).all()


def test_memory_of_the_search_is_per_minute_and_so_is_its_result(spectra: Dynamics) -> None:
    """A clip longer than one chunk is searched as its parts are."""
    quat = drawn(spectra, 10.0, 10.0)
    long = continuous(np.concatenate([quat, quat[::-1]] * 4))  # 80 s, continuous in position
    faulty = long.copy()
    planted = np.zeros(long.shape[:2], bool)
    for frame in (30, 598, 602, 770):  # around the border of two minutes' chunks, too
        planted[frame, 5] = True
    faulty[planted] = multiply(long[planted], rotvec_to_quat(np.array([0.0, 1.4, 0.0])))
    found = find_gaps(continuous(faulty), spectra, 10.0)
    assert found.spikes[planted].all() and found.spikes.sum() == planted.sum()


def test_the_path_loses_jumps_and_noise_but_not_steps_of_a_walk() -> None:
    rng = np.random.default_rng(5)
    seconds = np.arange(240) / 30.0
    truth = np.stack(
        [0.05 * np.sin(2 * np.pi * seconds), 0.9 + 0.02 * np.sin(4 * np.pi * seconds), 1.3 * seconds], axis=1
    )
    noisy = truth + 0.01 * rng.normal(size=truth.shape)
    noisy[100:102] += [0.0, 0.5, 0.0]
    still = np.tile([1.0, 0.0, 0.0, 0.0], (len(truth), 22, 1))
    result = smooth_body(still, noisy, 30.0).transl
    assert np.linalg.norm(result - truth, axis=1).max() < 0.03
    assert (
        np.linalg.norm(result - truth, axis=1).mean()
        < 0.6 * np.linalg.norm(np.delete(noisy - truth, [100, 101], axis=0), axis=1).mean()
    )
    assert np.linalg.norm(smooth_body(still, truth, 30.0).transl - truth, axis=1).max() < 0.003
