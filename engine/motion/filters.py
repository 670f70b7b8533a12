# SPDX-License-Identifier: GPL-3.0-or-later
"""Classical smoothing of rotations and positions of any rig: no body, no weights, no torch.

Rotations are filtered as points of the unit sphere of quaternions: the signs are made continuous, the four
components filtered and the result scaled back to unit length. These filters commute with rotations of the
space of quaternions, and that is what multiplying by a constant rotation from either side is: neither the
choice of the world's axes nor that of a bone's changes the result. A rotation at a constant rate about a
fixed axis passes a symmetric filter unchanged. For noise of 10 degrees a Gaussian's result is within 0.3
degrees of the mean of rotations of Markley et al. 2007. Steps between frames are taken to be of less than 180 degrees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, savgol_filter, sosfiltfilt, zpk2sos

from engine.motion.geometric_median import geometric_median
from engine.motion.windows import continuous

METHODS = ("butterworth", "gaussian", "savgol", "median")

# At strength 1 the low-pass filters have their -3 dB point near 6 Hz, the usual choice for human motion
# (Winter, Biomechanics and Motor Control of Human Movement, 2009, section 3.4): that of a Gaussian is at
# sqrt(ln 2) / (2 pi sigma), that of a long cubic fit at 1.064 periods per window. The median then spans 7 frames
# at 30 fps.
_CUTOFF = 6.0
_SECONDS = {
    "gaussian": math.sqrt(math.log(2.0)) / (2.0 * math.pi * _CUTOFF),
    "savgol": 1.064 / _CUTOFF,
    "median": 0.2,
}

_POLYNOMIAL = 3


@dataclass(frozen=True)
class Filter:
    """A smoothing filter; its parameter is in units of time, whatever the frame rate.

    Attributes:
        method: one of `METHODS`.
        parameter: butterworth: frequency in hertz where half the power is left (-3 dB, both passes together);
            gaussian: standard deviation in seconds; savgol, median: length of the window in seconds.

    Raises:
        ValueError: an unknown method, or a parameter that is negative or not a number.
    """

    method: str
    parameter: float

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"There is no filter {self.method!r}; choose one of {', '.join(METHODS)}.")
        low_pass = self.method == "butterworth"  # for which infinity, for the others zero, changes nothing
        if not self.parameter >= 0.0 or self.parameter == (0.0 if low_pass else math.inf):
            raise ValueError(f"The parameter of {self.method} must be positive, not {self.parameter}.")


def from_strength(method: str, strength: float) -> Filter:
    """The filter of a strength: 0 changes nothing, 1 suits motion capture, 2 averages over twice the time.

    Butterworth has 6 Hz / strength; gaussian 0.022 s, savgol 0.18 s and median 0.2 s times the strength.

    Raises:
        ValueError: an unknown method, or a strength that is negative or not finite.
    """
    if not (math.isfinite(strength) and strength >= 0.0):
        raise ValueError(f"The strength must be zero or a positive number, not {strength}.")
    if method == "butterworth":
        return Filter(method, _CUTOFF / strength if strength > 0.0 else math.inf)
    return Filter(method, _SECONDS.get(method, 0.0) * strength)


def smooth_rotations(quats: np.ndarray, fps: float, chosen: Filter) -> np.ndarray:
    """Smoothed rotations (T, J, 4), unit quaternions WXYZ with continuous signs.

    Bit-equal to the input where the filter reaches no other frame: at strength 0, windows too short for the
    frame rate, a cut-off above half the frame rate, or clips of one frame.

    Args:
        quats: (T, J, 4) unit quaternions WXYZ, of any sign.
        fps: frames per second.
        chosen: the filter.
    """
    if _is_identity(len(quats), fps, chosen):
        return quats.copy()
    if chosen.method == "median":
        smooth = continuous(geometric_median(quats, _window(chosen.parameter, fps) // 2, antipodal=True))
    else:
        smooth = _low_pass(continuous(quats), fps, chosen)
    norm = np.linalg.norm(smooth, axis=-1, keepdims=True)
    # Rotations that fill the sphere evenly have no mean; the frame then stays.
    return np.where(norm > 1e-9, smooth / np.maximum(norm, 1e-9), quats)


def smooth_positions(positions: np.ndarray, fps: float, chosen: Filter) -> np.ndarray:
    """Smoothed positions (T, J, 3) in the units of the input; otherwise as `smooth_rotations`."""
    if _is_identity(len(positions), fps, chosen):
        return positions.copy()
    if chosen.method == "median":
        return geometric_median(positions, _window(chosen.parameter, fps) // 2)
    return _low_pass(positions, fps, chosen)


def _is_identity(frames: int, fps: float, chosen: Filter) -> bool:
    match chosen.method:
        case "butterworth":
            return frames < 2 or chosen.parameter >= 0.5 * fps
        case "gaussian":
            return frames < 2 or chosen.parameter == 0.0
        case "savgol":
            return _savgol_window(frames, fps, chosen.parameter) <= _POLYNOMIAL
        case _:
            return min(_window(chosen.parameter, fps), frames) < 3


def _window(seconds: float, fps: float) -> int:
    """Odd number of frames nearest to a time."""
    return 2 * math.floor(seconds * fps / 2.0) + 1


def _savgol_window(frames: int, fps: float, seconds: float) -> int:
    """Odd number of frames, not more than there are."""
    return min(_window(seconds, fps), frames - 1 + frames % 2)


def _pass_cutoff(hertz: float, fps: float) -> float:
    """Cut-off of each of two passes of order 2 that leave -3 dB together (Winter 2009, eq. 3.8 and 3.9)."""
    warped = math.tan(math.pi * hertz / fps) / (math.sqrt(2.0) - 1.0) ** 0.25
    return fps * math.atan(warped) / math.pi


def _low_pass(values: np.ndarray, fps: float, chosen: Filter) -> np.ndarray:
    """Filter (T, ...) along time."""
    frames = len(values)
    match chosen.method:
        case "butterworth":
            cutoff = _pass_cutoff(chosen.parameter, fps)
            zeros, poles, gain = butter(2, cutoff, fs=fps, output="zpk")
            # The padding outlasts the start: long for low cut-offs, and near half the frame rate, where it rings.
            settled = math.ceil(math.log(1e-3) / math.log(np.abs(poles).max()))
            return sosfiltfilt(zpk2sos(zeros, poles, gain), values, axis=0, padlen=min(frames - 1, settled))
        case "gaussian":
            sigma = min(chosen.parameter * fps, float(frames))
            pad = min(frames - 1, math.ceil(4.0 * sigma))
            before, after = 2.0 * values[0] - values[pad:0:-1], 2.0 * values[-1] - values[-2 : -pad - 2 : -1]
            extended = np.concatenate([before, values, after])
            return gaussian_filter1d(extended, sigma, axis=0)[pad : pad + frames]
        case _:
            window = _savgol_window(frames, fps, chosen.parameter)
            return savgol_filter(values, window, _POLYNOMIAL, axis=0, mode="interp")
