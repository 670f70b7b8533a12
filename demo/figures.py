# SPDX-License-Identifier: GPL-3.0-or-later
"""What cleaning did, in numbers: how smooth the motion is, and how far from the truth where that is known."""

from __future__ import annotations

import numpy as np

from engine.body import forward_kinematics
from engine.motion.motion import BodyMotion


def joints(motion: BodyMotion) -> np.ndarray:
    """(T, 22, 3) joint positions in metres."""
    import roma
    import torch

    rotations = roma.rotvec_to_rotmat(torch.from_numpy(motion.poses))
    places, _ = forward_kinematics(
        rotations, torch.from_numpy(motion.offsets), torch.from_numpy(motion.transl)
    )
    return places.numpy()


def acceleration(places: np.ndarray, fps: float) -> np.ndarray:
    """(T - 2,) root mean square over the joints of the acceleration in m/s^2, by second differences."""
    second = np.diff(places, n=2, axis=0) * fps**2
    return np.sqrt((second**2).sum(axis=-1).mean(axis=-1))


def summary(motion: BodyMotion, truth: BodyMotion | None) -> dict[str, float]:
    """Smoothness of a motion, and its distance to the truth.

    Args:
        motion: the clip.
        truth: the same performance without flaws, or None where it is not known.

    Returns:
        ``acceleration_m_s2`` and ``jerk_m_s3``, root mean squares over joints and frames; with a truth
        also ``joint_error_mm`` and ``worst_joint_error_mm``, mean (MPJPE) and greatest distance of a joint
        with the pelvis at the origin, and ``root_error_mm``.
    """
    places = joints(motion)
    third = np.diff(places, n=3, axis=0) * motion.fps**3
    figures = {
        "acceleration_m_s2": float(np.sqrt(np.mean(acceleration(places, motion.fps) ** 2))),
        "jerk_m_s3": float(np.sqrt((third**2).sum(axis=-1).mean())),
    }
    if truth is not None:
        original = joints(truth)
        apart = (places - places[:, :1]) - (original - original[:, :1])
        errors = 1000.0 * np.linalg.norm(apart, axis=-1)
        figures["joint_error_mm"] = float(errors.mean())
        figures["worst_joint_error_mm"] = float(errors.max())
        figures["root_error_mm"] = float(
            1000.0 * np.linalg.norm(motion.transl - truth.transl, axis=-1).mean()
        )
    return {name: round(value, 2) for name, value in figures.items()}
