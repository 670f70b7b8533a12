# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of motion capture, put into clean clips: what Clean Motion is measured on.

Rotations are faulted in the 21 body joints, each in its own axes; the root is left alone, as in the paper's protocol.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.motion.joints import LIMBS
from engine.motion.windows import multiply, rotvec_to_quat
from engine.training.damage import coloured

CORRELATION_SECONDS = 0.17
SPIKE_RATE = 0.02  # of joint-frames, where one begins
SPIKE_DEGREES = (30.0, 90.0)
SPIKE_FRAMES = (1, 6)
DROPOUT_SECONDS = (0.5, 1.5)
DROPOUT_PAUSE_SECONDS = (0.5, 2.0)  # between one drop-out and the next
DRIFT_DEGREES_PER_SECOND = (5.0, 30.0)
Corrupt = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def _unit(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    vector = rng.normal(size=(*shape, 3))
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def white(degrees: float) -> Corrupt:
    """Independent Gaussian rotation noise of that standard deviation per axis."""

    def corrupt(quat: np.ndarray, fps: float, rng: np.random.Generator) -> np.ndarray:
        noise = np.deg2rad(degrees) * rng.normal(size=(*quat.shape[:2], 3))
        noise[:, 0] = 0.0
        return multiply(quat, rotvec_to_quat(noise))

    return corrupt


def correlated(degrees: float) -> Corrupt:
    """AR(1) rotation noise of that standard deviation per axis, forgetting with a time constant of 0.17 s."""

    def corrupt(quat: np.ndarray, fps: float, rng: np.random.Generator) -> np.ndarray:
        noise = coloured((*quat.shape[:2], 3), CORRELATION_SECONDS, fps, rng)
        noise[:, 0] = 0.0
        return multiply(quat, rotvec_to_quat(np.deg2rad(degrees) * noise))

    return corrupt


def spikes(quat: np.ndarray, fps: float, rng: np.random.Generator) -> np.ndarray:
    """On 2 % of joint-frames a flip by 30 to 90 degrees about a random axis begins, lasting 1 to 6 frames."""
    begins = rng.random(quat.shape[:2]) < SPIKE_RATE
    begins[:, 0] = False
    out = quat.copy()
    for frame, joint in np.argwhere(begins):
        length = rng.integers(SPIKE_FRAMES[0], SPIKE_FRAMES[1] + 1)
        flip = rotvec_to_quat(_unit((), rng) * np.deg2rad(rng.uniform(*SPIKE_DEGREES)))
        rows = slice(frame, frame + length)
        out[rows, joint] = multiply(quat[rows, joint], flip)
    return out


def dropouts(quat: np.ndarray, fps: float, rng: np.random.Generator) -> np.ndarray:
    """Now and then a limb freezes, or drifts off at 5 to 30 degrees per second and joint, for 0.5 to 1.5 s."""
    out = quat.copy()
    begin = round(rng.uniform(0.3, 1.5) * fps)
    while begin < len(quat) - 3:
        end = min(len(quat), begin + round(rng.uniform(*DROPOUT_SECONDS) * fps))
        drifts = rng.random() < 0.5
        seconds = np.arange(end - begin)[:, None] / fps
        for joint in LIMBS[rng.integers(len(LIMBS))]:
            rate = _unit((), rng) * np.deg2rad(rng.uniform(*DRIFT_DEGREES_PER_SECOND)) * drifts
            out[begin:end, joint] = multiply(quat[begin - 1, joint], rotvec_to_quat(seconds * rate))
        begin = end + round(rng.uniform(*DROPOUT_PAUSE_SECONDS) * fps)
    return out


def clean(quat: np.ndarray, fps: float, rng: np.random.Generator) -> np.ndarray:
    """No fault: what does cleaning cost?"""
    return quat


KINDS: dict[str, Corrupt] = {
    "white 2 deg": white(2.0),
    "white 5 deg": white(5.0),
    "white 10 deg": white(10.0),
    "correlated 5 deg": correlated(5.0),
    "spikes": spikes,
    "drop-outs": dropouts,
    "clean": clean,
}
"""Rows (b) to (f) of the evaluation."""

POSITION_KINDS: dict[str, float] = {"joints 20 mm": 0.02, "joints 40 mm": 0.04, "joints 100 mm": 0.1}
"""Row (a): standard deviation in metres of Gaussian noise on all 22 joint positions (DPoser Tab. 4 and S-2)."""
