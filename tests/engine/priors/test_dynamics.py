# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion spectra against dense Gaussian-process algebra and against samples drawn from the model itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dct, idct

from engine.priors.dynamics import Dynamics, Noise, WienerSmoother, ar1_spectrum, estimate_noise, fill

WINDOW, FPS = 60, 30.0


@pytest.fixture
def dynamics() -> Dynamics:
    """Six coordinates with correlated spectra that fall with frequency, as motion's do."""
    rng = np.random.default_rng(0)
    frequencies = np.linspace(0.0, 15.0, 31)
    mix = rng.normal(size=(6, 6)) / np.sqrt(6.0)
    covariance = mix @ mix.T + 0.1 * np.eye(6)
    density = 0.03 * covariance / (1.0 + (frequencies[:, None, None] / 1.5) ** 4)
    return Dynamics(frequencies, density, np.zeros(6))


def draw(dynamics: Dynamics, windows: int, rng: np.random.Generator) -> np.ndarray:
    """Motion (B, WINDOW, 6) of the model, its mean set to zero as `vectors` does."""
    root = np.linalg.cholesky(dynamics.covariance(WINDOW, FPS))
    coefficients = np.einsum("kij,bkj->bki", root, rng.normal(size=(windows, WINDOW, 6)))
    coefficients[:, 0] = 0.0
    return idct(coefficients, axis=1, norm="ortho")


def dense_prior(dynamics: Dynamics, mean_variance: float) -> np.ndarray:
    """(6 WINDOW, 6 WINDOW) covariance of a window, coordinate fastest; the mean as free as stated."""
    basis = dct(np.eye(WINDOW), axis=0, norm="ortho")
    covariance = dynamics.covariance(WINDOW, FPS).copy()
    covariance[0] = mean_variance * np.eye(6)
    full = np.einsum("ks,kij,kt->sitj", basis, covariance, basis)
    return full.reshape(6 * WINDOW, 6 * WINDOW)


def test_smoothing_is_the_posterior_mean_of_a_gaussian_process(dynamics: Dynamics) -> None:
    rng = np.random.default_rng(1)
    noise = Noise(np.full(6, 0.05**2), np.full(6, 0.1**2), 0.17)
    x = rng.normal(size=(1, WINDOW, 6))
    lag = np.abs(np.subtract.outer(np.arange(WINDOW), np.arange(WINDOW))) / (FPS * 0.17)
    # AR(1) noise is taken as independent between frequencies: its DCT's diagonal, written out densely.
    basis = dct(np.eye(WINDOW), axis=0, norm="ortho")
    correlated = basis.T @ np.diag(np.diag(basis @ np.exp(-lag) @ basis.T)) @ basis
    total_noise = np.kron(0.05**2 * np.eye(WINDOW) + 0.1**2 * correlated, np.eye(6))
    prior = dense_prior(dynamics, 1e6)
    expected = prior @ np.linalg.solve(prior + total_noise, x.reshape(-1))
    smooth = WienerSmoother(dynamics, noise, WINDOW, FPS).smooth(x)
    np.testing.assert_allclose(smooth.reshape(-1), expected, atol=1e-5)


def test_the_error_is_what_the_model_says_and_the_least_possible(dynamics: Dynamics) -> None:
    rng = np.random.default_rng(2)
    truth = draw(dynamics, 400, rng)
    noise = Noise(np.full(6, 0.1**2), np.zeros(6), 0.0)
    noisy = truth + 0.1 * rng.normal(size=truth.shape)
    smoother = WienerSmoother(dynamics, noise, WINDOW, FPS)
    error = np.mean((smoother.smooth(noisy) - truth) ** 2, axis=(0, 1))
    mean_of_noise = 0.1**2 / WINDOW  # the window mean is kept as observed
    np.testing.assert_allclose(error, smoother.posterior_variance + mean_of_noise, rtol=0.06)
    for factor in (0.5, 2.0):  # told a wrong noise level, it does worse
        other = WienerSmoother(dynamics, Noise(noise.white * factor**2, noise.correlated, 0.0), WINDOW, FPS)
        assert np.mean((other.smooth(noisy) - truth) ** 2) > error.mean()


def test_ar1_has_the_spectrum_of_its_samples() -> None:
    rng = np.random.default_rng(3)
    keep = np.exp(-1.0 / (FPS * 0.17))
    samples = np.empty((4000, WINDOW))
    samples[:, 0] = rng.normal(size=4000)
    for t in range(1, WINDOW):
        samples[:, t] = keep * samples[:, t - 1] + np.sqrt(1.0 - keep**2) * rng.normal(size=4000)
    measured = np.mean(dct(samples, axis=1, norm="ortho") ** 2, axis=0)
    spectrum = ar1_spectrum(WINDOW, FPS, 0.17)
    np.testing.assert_allclose(measured, spectrum, rtol=0.15)
    assert spectrum.sum() == pytest.approx(WINDOW)  # Parseval: unit variance per sample


def test_filled_gaps_are_the_posterior_mean_of_a_gaussian_process(dynamics: Dynamics) -> None:
    rng = np.random.default_rng(4)
    x = draw(dynamics, 1, rng)
    variance = np.full(6, 0.02**2)
    weight = np.ones((1, WINDOW, 6))
    weight[:, 20:35, :3] = 0.0
    weight[:, 50:, 4] = 0.0
    garbage = np.where(weight > 0, x, 1e3)
    at = np.flatnonzero(weight.reshape(-1))
    prior = dense_prior(dynamics, 0.02**2 * 1e3)
    observed = prior[np.ix_(at, at)] + 0.02**2 * np.eye(len(at))
    expected = prior[:, at] @ np.linalg.solve(observed, x.reshape(-1)[at])
    result = fill(garbage, weight, dynamics, variance, FPS, iterations=400)
    np.testing.assert_allclose(result.reshape(-1), expected, atol=2e-3)
    # Few iterations are enough for what is asked of them: well within the noise.
    usual = fill(garbage, weight, dynamics, variance, FPS)
    assert np.abs(usual - result).max() < 0.01


@pytest.mark.parametrize("deviation", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("activity", [0.3, 1.0, 3.0])
def test_noise_and_liveliness_are_recovered(dynamics: Dynamics, deviation: float, activity: float) -> None:
    rng = np.random.default_rng(5)
    x = draw(dynamics.scaled(activity), 60, rng)
    x = x + deviation * rng.normal(size=x.shape)
    power = np.mean(dct(x, axis=1, norm="ortho") ** 2, axis=0)
    levels = np.concatenate([[0.0], np.geomspace(0.003, 0.5, 30)])
    activities = np.geomspace(0.1, 10.0, 17)
    noise, found, _ = estimate_noise(power, 60, dynamics, WINDOW, FPS, 0.0, levels, activities)
    np.testing.assert_allclose(np.sqrt(noise.white), deviation, rtol=0.12, atol=0.004)
    assert found == pytest.approx(activity, rel=0.35)


def test_correlated_noise_is_told_from_white(dynamics: Dynamics) -> None:
    rng = np.random.default_rng(6)
    levels = np.concatenate([[0.0], np.geomspace(0.003, 0.5, 30)])
    keep = np.exp(-1.0 / (FPS * 0.17))
    drive = rng.normal(size=(60, WINDOW + 50, 6))
    for t in range(1, WINDOW + 50):
        drive[:, t] = keep * drive[:, t - 1] + np.sqrt(1.0 - keep**2) * drive[:, t]
    faults = {"white": rng.normal(size=(60, WINDOW, 6)), "correlated": drive[:, 50:]}
    gains = {}
    for name, fault in faults.items():
        x = draw(dynamics, 60, rng) + 0.15 * fault
        power = np.mean(dct(x - x.mean(axis=1, keepdims=True), axis=1, norm="ortho") ** 2, axis=0)
        noise, _, gains[name] = estimate_noise(
            power, 60, dynamics, WINDOW, FPS, 0.17, levels, np.array([1.0])
        )
        larger = noise.correlated if name == "correlated" else noise.white
        np.testing.assert_allclose(np.sqrt(larger), 0.15, rtol=0.25)
    assert gains["correlated"].min() > 10 * max(1.0, gains["white"].max())


def test_covariance_interpolates_and_falls_beyond_what_was_learned(dynamics: Dynamics) -> None:
    """Twice the frame rate: same density at the same frequency, and f^-4 above the training's Nyquist."""
    slow, fast = dynamics.covariance(60, 30.0), dynamics.covariance(240, 120.0)
    np.testing.assert_allclose(fast[:60], 4.0 * slow, rtol=1e-9)
    np.testing.assert_allclose(fast[120], 4.0 * dynamics.density[-1] * 30.0 / 16.0, rtol=1e-9)
    assert dynamics.scaled(2.0).covariance(60, 30.0) == pytest.approx(2.0 * slow)
