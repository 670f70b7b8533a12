# SPDX-License-Identifier: GPL-3.0-or-later
"""Lengths of the bones between the 17 joints, and the body that has them."""

from __future__ import annotations

import numpy as np
import torch

from engine.body.h36m_joints import h36m_joints
from engine.body.shapes import BETAS, offsets_of
from engine.errors import MotionError
from engine.motion.h36m import JOINTS, MIRROR, PARENTS
from engine.motion.joints import JOINTS as BODY_JOINTS

BONES = len(JOINTS) - 1
"""Bone b ends in joint b + 1 and begins in that one's parent."""

RIGID: tuple[int, ...] = tuple(
    JOINTS.index(f"{side}_{end}") - 1
    for side in ("left", "right")
    for end in ("hip", "knee", "ankle", "elbow", "wrist")
)
"""Bones that no pose changes: the others span several joints of the body."""

SHORTEST, TALLEST = 0.5, 2.6  # metres, of people
LENGTH_DEVIATION = 0.01  # metres, of a bone's length as it is measured
HEIGHT_DEVIATION = 0.002
_ITERATIONS = 4  # lengths are almost linear in the coefficients
_STEP = 1e-3


def lengths(joints: np.ndarray) -> np.ndarray:
    """(..., 16) metres between joints (..., 17, 3) and their parents."""
    return np.linalg.norm(joints[..., 1:, :] - joints[..., list(PARENTS[1:]), :], axis=-1)


def rest_lengths(offsets: np.ndarray) -> np.ndarray:
    """(..., 16) metres, of bodies of rest offsets (..., 22, 3) in their T-pose."""
    return lengths(_rest(offsets))


def symmetric(values: np.ndarray) -> np.ndarray:
    """Values (16,) of bones, those of left and right each their mean."""
    return 0.5 * (values + values[np.array(MIRROR[1:]) - 1])


def stature(offsets: np.ndarray) -> np.ndarray:
    """(...) metres from the balls of the feet to the crown of bodies of rest offsets (..., 22, 3), in their T-pose."""
    rest, foot = _rest(offsets), offsets[..., BODY_JOINTS.index("left_foot"), 1]
    return rest[..., JOINTS.index("head_top"), 1] - rest[..., JOINTS.index("left_ankle"), 1] - foot


def shape_of(wanted: np.ndarray | None = None, height: float | None = None) -> np.ndarray:
    """The likeliest shape coefficients (10,) of the bundled body, given what is known of its size.

    Args:
        wanted: (16,) metres, lengths of its bones; None where they are not known.
        height: metres; None where it is not known.

    Raises:
        MotionError: nobody is so tall.
    """
    if height is not None and not SHORTEST <= height <= TALLEST:
        raise MotionError(f"People are {SHORTEST:g} to {TALLEST:g} metres tall, not {height:g}; correct the height.")

    def residuals_of(betas: np.ndarray) -> np.ndarray:
        offsets, parts = offsets_of(betas), [betas]
        if wanted is not None:
            parts.append((rest_lengths(offsets) - wanted) / LENGTH_DEVIATION)
        if height is not None:
            parts.append((stature(offsets) - height)[:, None] / HEIGHT_DEVIATION)
        return np.concatenate(parts, axis=1)

    betas = np.zeros(BETAS)
    for _ in range(_ITERATIONS):
        residuals = residuals_of(np.concatenate([betas[None], betas + _STEP * np.eye(BETAS)]))
        slopes = (residuals[1:] - residuals[0]).T / _STEP
        betas = betas - np.linalg.lstsq(slopes, residuals[0], rcond=None)[0]
    return betas


def _rest(offsets: np.ndarray) -> np.ndarray:
    """(..., 17, 3) metres, the joints in the T-pose."""
    turns = torch.eye(3, dtype=torch.float64).expand(*offsets.shape[:-1], 3, 3)
    return h36m_joints(turns, torch.tensor(offsets)).numpy()
