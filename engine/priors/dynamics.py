# SPDX-License-Identifier: GPL-3.0-or-later
"""Second-order statistics of human motion in time: which wiggles are motion and which are noise.

Over a window the log-rotations of all joints around their window means are modelled as a stationary Gaussian
process. A cosine transform makes its frequencies independent, so the process is one covariance matrix between
coordinates per frequency, learned from motion capture; sharing it across joints is what a filter per curve lacks.
The estimate under Gaussian noise is Wiener's: gain = P (P + N)^-1 at every frequency.

NumPy and SciPy only, so that it runs wherever Blender does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.fft import dct, idct

# Above the training Nyquist frequency, motion power is taken to go on falling as f^-4, as it does from 4 to 12 Hz.
TAIL_EXPONENT = 4.0
COARSE = 3  # levels of noise from one that is tried to the next, at first


@dataclass(frozen=True, eq=False)
class Dynamics:
    """Cross-spectral density of D coordinates; the same only as itself, so that what is computed of it can be kept.

    Attributes:
        frequencies: (K,) ascending band centres in Hz; the first is 0 (the window mean).
        density: (K, D, D) covariance density per Hz of two-sided bandwidth: the variance of an orthonormal DCT
            coefficient at rate fps is ``fps * density``.
        floor: (D,) variance of the white noise that clean captures carry, so that it is not mistaken for a fault.
    """

    frequencies: np.ndarray
    density: np.ndarray
    floor: np.ndarray

    @property
    def size(self) -> int:
        """Number of coordinates D."""
        return self.density.shape[1]

    def covariance(self, window: int, fps: float) -> np.ndarray:
        """(window, D, D) covariances of the DCT-II coefficients of a window of frames at a frame rate; read only."""
        return _covariance(self, window, fps)

    def _covariance(self, window: int, fps: float) -> np.ndarray:
        return fps * self.density_at(np.arange(window) * fps / (2.0 * window))

    def density_at(self, hertz: np.ndarray) -> np.ndarray:
        """(K, D, D) covariance densities at frequencies (K,); beyond the highest known one see `TAIL_EXPONENT`."""
        clipped = np.clip(hertz, self.frequencies[0], self.frequencies[-1])
        upper = np.clip(np.searchsorted(self.frequencies, clipped), 1, len(self.frequencies) - 1)
        low, high = self.frequencies[upper - 1], self.frequencies[upper]
        share = ((clipped - low) / (high - low))[:, None, None]
        tail = np.where(hertz > clipped, (clipped / np.maximum(hertz, 1e-9)) ** TAIL_EXPONENT, 1.0)
        density = (1.0 - share) * self.density[upper - 1] + share * self.density[upper]
        return tail[:, None, None] * density

    def scaled(self, activity: float) -> Dynamics:
        """The same process for someone ``activity`` times as lively, in variance."""
        return Dynamics(self.frequencies, activity * self.density, self.floor)


@lru_cache(maxsize=6)
def _covariance(dynamics: Dynamics, window: int, fps: float) -> np.ndarray:
    found = dynamics._covariance(window, fps)
    found.flags.writeable = False
    return found


def ar1_spectrum(window: int, fps: float, seconds: float) -> np.ndarray:
    """(window,) variances of the DCT coefficients of unit-variance AR(1) noise with correlation exp(-t / seconds)."""
    lag = np.arange(window) / (fps * seconds)
    basis = dct(np.eye(window), axis=0, norm="ortho")
    return np.einsum("ks,st,kt->k", basis, np.exp(-np.abs(lag[:, None] - lag)), basis)


@dataclass(frozen=True)
class Noise:
    """Stationary measurement noise per coordinate: white and exponentially correlated, both in variance.

    Attributes:
        white: (D,) variance of the white part.
        correlated: (D,) variance of the AR(1) part.
        seconds: correlation time of the AR(1) part.
    """

    white: np.ndarray
    correlated: np.ndarray
    seconds: float

    def spectrum(self, window: int, fps: float) -> np.ndarray:
        """(window, D) variances of its DCT coefficients."""
        flat = np.broadcast_to(self.white, (window, len(self.white)))
        if not self.correlated.any():
            return flat
        return flat + ar1_spectrum(window, fps, self.seconds)[:, None] * self.correlated

    @property
    def total(self) -> np.ndarray:
        """(D,) variance of one sample."""
        return self.white + self.correlated


class WienerSmoother:
    """Minimum mean square error smoothing of windows under a `Dynamics` and a `Noise`.

    Args:
        dynamics: the motion's spectra.
        noise: the measurement's.
        window, fps: frames per window and frame rate.
    """

    def __init__(self, dynamics: Dynamics, noise: Noise, window: int, fps: float) -> None:
        self._signal = dynamics.covariance(window, fps)
        self._noise = noise.spectrum(window, fps)

    @cached_property
    def gain(self) -> np.ndarray:
        """(window, D, D) gains; row 0 keeps the window mean, about which a window says nothing."""
        total = self._signal.copy()
        size = total.shape[1]
        total[:, np.arange(size), np.arange(size)] += self._noise + 1e-12
        gain = np.swapaxes(np.linalg.solve(total, self._signal), 1, 2)
        gain[0] = np.eye(size)
        return gain

    def smooth(self, x: np.ndarray) -> np.ndarray:
        """Estimate the motion in windows (B, window, D), all coordinates observed."""
        coefficients = dct(x, axis=1, norm="ortho")
        return idct(_per_frequency(self.gain, coefficients), axis=1, norm="ortho")

    @cached_property
    def posterior_variance(self) -> np.ndarray:
        """(D,) mean over the window of the estimate's variance, all observed."""
        left = self._signal[1:] - self.gain[1:] @ self._signal[1:]
        return np.maximum(np.einsum("kdd->d", left) / len(self._signal), 0.0)


def fill(
    x: np.ndarray,
    weight: np.ndarray,
    dynamics: Dynamics,
    variance: np.ndarray,
    fps: float,
    iterations: int = 60,
) -> np.ndarray:
    """Most probable motion given weighted samples, by conjugate gradients.

    Minimises sum(weight (x - y)^2 / variance) + sum over frequencies of c' P^-1 c, with the preconditioner that is
    exact where everything is observed; the window mean is free.

    Args:
        x: (B, W, D) samples; those of weight 0 are ignored.
        weight: (B, W, D) in [0, 1].
        dynamics: the motion's spectra.
        variance: (D,) white noise variance of a sample of weight 1, > 0.
        fps: frame rate.
        iterations: at most this many.

    Returns:
        (B, W, D) the motion, in the gaps too.
    """
    inverse, precondition = _fill_operators(dynamics, x.shape[1], fps, tuple(variance.tolist()))

    def apply(v: np.ndarray) -> np.ndarray:
        prior = idct(_per_frequency(inverse, dct(v, axis=1, norm="ortho")), axis=1, norm="ortho")
        return weight * v / variance + prior

    def solve(v: np.ndarray) -> np.ndarray:
        return idct(_per_frequency(precondition, dct(v, axis=1, norm="ortho")), axis=1, norm="ortho")

    target = weight * x / variance
    y = solve(target)
    residual = target - apply(y)
    z = solve(residual)
    direction = z
    power = np.einsum("bwd,bwd->b", residual, z)
    first = np.maximum(power, 1e-30)
    for _ in range(iterations):
        image = apply(direction)
        step = power / np.maximum(np.einsum("bwd,bwd->b", direction, image), 1e-30)
        y = y + step[:, None, None] * direction
        residual = residual - step[:, None, None] * image
        z = solve(residual)
        renewed = np.einsum("bwd,bwd->b", residual, z)
        if (renewed < 1e-8 * first).all():
            break
        direction = z + (renewed / np.maximum(power, 1e-30))[:, None, None] * direction
        power = renewed
    return y


@lru_cache(maxsize=4)
def _fill_operators(
    dynamics: Dynamics, window: int, fps: float, variance: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """(window, D, D) inverse covariances of the motion, and the inverses of their sums with the measurements'."""
    signal = dynamics.covariance(window, fps)
    eye, weight = np.eye(dynamics.size), np.diag(1.0 / np.array(variance))
    inverse = np.linalg.inv(signal + 1e-9 * np.einsum("kdd->k", signal)[:, None, None] * eye + 1e-14 * eye)
    inverse[0] = 1e-3 * weight
    return inverse, np.linalg.inv(inverse + weight)


def _per_frequency(matrices: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Apply (K, D, D) matrices to (B, K, D) coefficients, one matrix per frequency."""
    return np.swapaxes(np.swapaxes(coefficients, 0, 1) @ np.swapaxes(matrices, 1, 2), 0, 1)


def _bands(window: int) -> tuple[np.ndarray, np.ndarray]:
    """First bins and sizes of frequency bands, single bins at first and then a twelfth wide, without the mean."""
    edges = [0]
    while edges[-1] < window - 1:
        edges.append(edges[-1] + max(1, edges[-1] // 12))
    starts = np.array(edges[:-1])
    return starts, np.diff(np.append(starts, window - 1)).astype(float)


def estimate_noise(
    power: np.ndarray,
    samples: float,
    dynamics: Dynamics,
    window: int,
    fps: float,
    seconds: float,
    levels: np.ndarray,
    activities: np.ndarray,
) -> tuple[Noise, float, np.ndarray]:
    """Noise per joint, and how lively the motion is, by maximum likelihood.

    The three coordinates of a joint share one white and one correlated variance; the whole clip shares one factor
    on the motion's spectra.

    Args:
        power: (window, D) mean squared DCT coefficients over the clip's windows.
        samples: number of independent windows the mean was taken over.
        dynamics, window, fps: as for the smoother.
        seconds: correlation time to try; 0 for white noise only.
        levels: (L,) standard deviations to choose from, ascending from 0.
        activities: factors on the motion's variance to choose from.

    Returns:
        The noise, the activity, and per joint (D / 3,) the log-likelihood gained by its correlated part.
    """
    starts, counts = _bands(window)
    bands = [
        np.add.reduceat(spectrum[1:], starts, axis=0) / counts[:, None]
        for spectrum in (np.einsum("kdd->kd", dynamics.covariance(window, fps)), power)
    ]
    signal, observed = bands
    white, none = levels**2, np.zeros(1)
    size, joints = power.shape[1], power.shape[1] // 3
    colour = np.zeros(len(starts))
    if seconds:
        colour = np.add.reduceat(ar1_spectrum(window, fps, seconds)[1:], starts) / counts
    motion, seen = (a.reshape(-1, joints, 3).transpose(1, 0, 2) for a in (signal, observed))  # (J, K, 3)

    def likelihoods(activity: float, flat: np.ndarray, coloured: np.ndarray) -> np.ndarray:
        """(J, L, C) log-likelihood of every pair of variances (L,) and (C,), or (J, L) and (J, C)."""
        noise = flat[..., :, None, None] + coloured[..., None, :, None] * colour + 1e-12  # (..., L, C, K)
        total = np.zeros((joints, flat.shape[-1], coloured.shape[-1]))
        for axis in range(3):
            variance = activity * motion[:, None, None, :, axis] + noise
            total += (np.log(variance) + seen[:, None, None, :, axis] / variance) @ counts
        return -0.5 * samples * total

    def score(table: np.ndarray, activity: float) -> float:
        return float(table.max(axis=(1, 2)).sum() - 0.5 * np.log(activity) ** 2)

    # Pairs of levels are many: every third is tried, then all around the best.
    coarse = white[::COARSE] if seconds else white
    candidates = [(likelihoods(a, coarse, coarse if seconds else none), float(a)) for a in activities]
    table, activity = max(candidates, key=lambda pair: score(*pair))
    i, k = np.unravel_index(table.reshape(joints, -1).argmax(axis=1), table.shape[1:])
    if not seconds:
        return Noise(np.repeat(white[i], 3), np.zeros(size), seconds), activity, np.zeros(joints)
    around = np.arange(1 - COARSE, COARSE)
    i, k = (np.clip(COARSE * n[:, None] + around, 0, len(white) - 1) for n in (i, k))
    table = likelihoods(activity, white[i], white[k])
    best = table.reshape(joints, -1).argmax(axis=1)
    rows = np.arange(joints)
    i, k = i[rows, best // table.shape[2]], k[rows, best % table.shape[2]]
    found = table.max(axis=(1, 2))
    plain, only = likelihoods(activity, white, none)[:, :, 0], likelihoods(activity, none, white)[:, 0]
    # One of the two may not be there at all, which steps of a few levels might not find.
    for edge, (own, other) in ((plain, (i, k)), (only, (k, i))):
        better = edge.max(axis=1) > found
        own[better], other[better] = edge.argmax(axis=1)[better], 0
        found = np.maximum(found, edge.max(axis=1))
    gained = found - plain.max(axis=1)
    return Noise(np.repeat(white[i], 3), np.repeat(white[k], 3), seconds), activity, gained

