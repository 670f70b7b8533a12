# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulator of what motion capture does to a motion, to train on: every clip is damaged in another way.

Two kinds of harm are told apart. Noise lies on every sample and is to be smoothed away. Damage is a sample that is no
measurement of the joint at all; it is to be found and filled. The faults that Clean Motion is measured on
(`engine.evaluation.corruption`) are special cases; here all strengths, lengths and mixtures are drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from engine.motion.joints import JOINTS, LIMBS, MIRROR
from engine.motion.windows import log_around, multiply, rotvec_to_quat

Rng = np.random.Generator

LEAST_DAMAGE = np.deg2rad(4.0)  # a sample nearer than this to the truth does no harm, whatever made it
LEAST_SHIFT = 0.02  # metres, for the path

WHITE_DEGREES = (0.2, 14.0)
CORRELATED_DEGREES = (0.5, 10.0)
CORRELATION_SECONDS = (0.06, 0.4)
PATH_METRES = (0.001, 0.05)
JOINT_SPREAD = 0.4  # of the logarithm of the noise from joint to joint
ROOT_SHARE = 0.5  # of the body's noise that the root has, typically
SPIKE_RATE = (0.002, 0.04)
SPIKE_DEGREES = (12.0, 120.0)
SPIKE_FRAMES = (1, 6)
LOSS_SECONDS = (0.2, 2.0)
DRIFT_DEGREES_PER_SECOND = (3.0, 40.0)
WANDER_DEGREES = (8.0, 40.0)
QUANTUM_DEGREES = (0.5, 4.0)
SLIDE_METRES = (0.01, 0.1)
SLIDE_SECONDS = (0.3, 2.0)


@dataclass(frozen=True)
class Damaged:
    """A damaged clip.

    Attributes:
        quat: (T, 22, 4) unit quaternions WXYZ; index 0 is the root.
        path: (T, 3) metres.
        damage: (T, 23) bool, samples that are no measurements: 22 joints and the path.
    """

    quat: np.ndarray
    path: np.ndarray
    damage: np.ndarray


def _log_uniform(bounds: tuple[float, float], rng: Rng) -> float:
    return float(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]))))


def _stretch(frames: int, seconds: tuple[float, float], fps: float, rng: Rng) -> slice:
    length = max(1, round(_log_uniform(seconds, rng) * fps))
    begin = int(rng.integers(-length // 2, max(1, frames - length // 2)))
    return slice(max(0, begin), min(frames, begin + length))


def coloured(shape: tuple[int, ...], seconds: float, fps: float, rng: Rng) -> np.ndarray:
    """AR(1) noise of unit variance along axis 0 that forgets with the time constant ``seconds``; 0 is white."""
    drive = rng.normal(size=shape)
    if seconds <= 0.0:
        return drive
    keep = np.exp(-1.0 / (fps * seconds))
    drive[1:] *= np.sqrt(1.0 - keep**2)
    return lfilter([1.0], [1.0, -keep], drive, axis=0)


def add_noise(quat: np.ndarray, path: np.ndarray, fps: float, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """White or correlated noise of unknown strength, alike on all joints or not, on rotations and path."""
    colour = _log_uniform(CORRELATION_SECONDS, rng) if rng.random() < 0.35 else 0.0
    degrees = _log_uniform(CORRELATED_DEGREES if colour else WHITE_DEGREES, rng)
    spread = JOINT_SPREAD * rng.normal(size=len(JOINTS)) * (rng.random() < 0.5)
    level = np.deg2rad(degrees) * np.exp(spread)
    level[0] *= ROOT_SHARE
    turn = level[:, None] * coloured((*quat.shape[:2], 3), colour, fps, rng)
    if colour and rng.random() < 0.4:
        turn += 0.5 * level[:, None] * rng.normal(size=turn.shape)
    shift = _log_uniform(PATH_METRES, rng) * coloured(path.shape, colour, fps, rng)
    return multiply(quat, rotvec_to_quat(turn)), path + shift


def spikes(quat: np.ndarray, path: np.ndarray, fps: float, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """Joints jump away for 1 to 6 frames, and so does the path."""
    out, moved = quat.copy(), path.copy()
    begins = rng.random(quat.shape[:2]) < _log_uniform(SPIKE_RATE, rng)
    begins[:, 0] &= rng.random(len(quat)) < 0.2
    for frame, joint in np.argwhere(begins):
        axis = rng.normal(size=3)
        angle = np.deg2rad(_log_uniform(SPIKE_DEGREES, rng))
        rows = slice(frame, frame + rng.integers(SPIKE_FRAMES[0], SPIKE_FRAMES[1] + 1))
        out[rows, joint] = multiply(quat[rows, joint], rotvec_to_quat(angle * axis / np.linalg.norm(axis)))
    for frame in np.flatnonzero(rng.random(len(path)) < 0.003):
        moved[frame : frame + rng.integers(1, 5)] += rng.normal(size=3) * _log_uniform((0.05, 0.5), rng)
    return out, moved


def losses(quat: np.ndarray, path: np.ndarray, fps: float, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """Limbs, or single joints, freeze, drift or wander off for a while."""
    out = quat.copy()
    for _ in range(1 + rng.poisson(len(quat) / fps / 5.0)):
        here = _stretch(len(quat), LOSS_SECONDS, fps, rng)
        frames = here.stop - here.start
        joints = LIMBS[rng.integers(4)] if rng.random() < 0.8 else (int(rng.integers(1, len(JOINTS))),)
        held, seconds = max(0, here.start - 1), np.arange(frames)[:, None] / fps
        kind = rng.choice(["freeze", "drift", "wander"])
        for joint in joints:
            if kind == "wander":
                away = np.deg2rad(_log_uniform(WANDER_DEGREES, rng)) * rng.normal(size=(1, 3))
                ramp = np.sin(np.pi * (np.arange(frames)[:, None] + 0.5) / frames) ** 0.5
                out[here, joint] = multiply(quat[here, joint], rotvec_to_quat(ramp * away))
                continue
            axis = rng.normal(size=3)
            rate = np.deg2rad(rng.uniform(*DRIFT_DEGREES_PER_SECOND)) * (kind == "drift")
            turn = seconds * rate * axis / np.linalg.norm(axis)
            out[here, joint] = multiply(quat[held, joint], rotvec_to_quat(turn))
    return out, path


def swaps(quat: np.ndarray, path: np.ndarray, fps: float, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """Left and right of a limb are taken for each other, or a limb bends the wrong way."""
    out = quat.copy()
    reflect = np.array([1.0, 1.0, -1.0, -1.0])
    for _ in range(1 + rng.poisson(len(quat) / fps / 10.0)):
        here = _stretch(len(quat), (0.07, 1.5), fps, rng)
        if rng.random() < 0.6:
            joints = np.array(LIMBS[0] + LIMBS[1] if rng.random() < 0.5 else LIMBS[2] + LIMBS[3])
            out[here, joints] = quat[here][:, np.asarray(MIRROR)[joints]] * reflect
        else:
            joint = int(
                rng.choice(
                    [JOINTS.index(n) for n in ("left_elbow", "right_elbow", "left_knee", "right_knee")]
                )
            )
            out[here, joint] = quat[here, joint] * np.array([1.0, -1.0, -1.0, -1.0])
    return out, path


def dropped_frames(quat: np.ndarray, path: np.ndarray, fps: float, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """The whole body holds still for a few frames."""
    source = np.arange(len(quat))
    for begin in np.flatnonzero(rng.random(len(quat)) < _log_uniform((0.003, 0.03), rng)):
        source[begin : begin + rng.integers(1, 7)] = max(0, begin - 1)
    return quat[source], path[source]


def quantised(quat: np.ndarray, path: np.ndarray, fps: float, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """Rotations rounded to steps around the clip's first pose."""
    step = np.deg2rad(_log_uniform(QUANTUM_DEGREES, rng))
    turn = log_around(quat[:1], quat)
    return multiply(quat[:1], rotvec_to_quat(np.round(turn / step) * step)), path


def slides(quat: np.ndarray, path: np.ndarray, fps: float, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """The root drifts and the feet slide: a slow error of the path, and of the root's orientation."""
    seconds = _log_uniform(SLIDE_SECONDS, rng)
    drive = rng.normal(size=(len(path), 6))
    slow = gaussian_filter1d(drive, seconds * fps, axis=0, mode="nearest")
    slow /= max(float(slow.std()), 1e-9)
    metres = _log_uniform(SLIDE_METRES, rng)
    shift = metres * slow[:, :3] * np.array([1.0, 0.4, 1.0])
    out = quat.copy()
    out[:, 0] = multiply(quat[:, 0], rotvec_to_quat(np.deg2rad(100.0 * metres) * 0.5 * slow[:, 3:]))
    return out, path + shift


DAMAGES = {
    spikes: 0.45,
    losses: 0.35,
    swaps: 0.15,
    dropped_frames: 0.12,
}
"""What makes samples that are no measurements, and how often a damaged clip has it."""


def damage(
    quat: np.ndarray, path: np.ndarray, fps: float, rng: Rng, noisy: float = 0.75, damaged: float = 0.55
) -> Damaged:
    """Damage a clip at random.

    Args:
        quat: (T, 22, 4) unit quaternions WXYZ, index 0 the root.
        path: (T, 3) metres.
        fps: frame rate.
        rng: decides everything.
        noisy, damaged: how likely the clip is to have noise and to have damage.
    """
    out, moved = quat, path
    if rng.random() < damaged:
        for kind, share in DAMAGES.items():
            if rng.random() < share:
                out, moved = kind(out, moved, fps, rng)
    wrong = np.concatenate(
        [
            np.linalg.norm(log_around(quat, out), axis=-1) > LEAST_DAMAGE,
            (np.linalg.norm(moved - path, axis=-1) > LEAST_SHIFT)[:, None],
        ],
        axis=1,
    )
    if rng.random() < 0.15:
        out, moved = slides(out, moved, fps, rng)
    if rng.random() < noisy:
        out, moved = add_noise(out, moved, fps, rng)
    if rng.random() < 0.06:
        out, moved = quantised(out, moved, fps, rng)
    return Damaged(out, moved, wrong)

