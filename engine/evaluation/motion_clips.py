# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole clips of a split with root and path, on the bundled body: what the motion prior is measured on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import roma
import torch

from engine.body import bundled, forward_kinematics
from engine.evaluation.foot_metrics import skate
from engine.motion.windows import continuous, rotvec_to_quat
from engine.priors.motion_prior import FEET
from engine.training.dynamics import clips

FPS = 30.0


@dataclass(frozen=True)
class MotionClip:
    """A clip of the truth at 30 fps.

    Attributes:
        quat: (T, 22, 4) unit quaternions WXYZ, sign-continuous; index 0 is the root orientation.
        path: (T, 3) pelvis positions in metres.
        number: of the clip among all that were read, to seed its noise by.
    """

    quat: np.ndarray
    path: np.ndarray
    number: int

    def __len__(self) -> int:
        return len(self.quat)


def motion_clips(folder: Path, shortest: int, longest: int | None = None, every: int = 1) -> list[MotionClip]:
    """Every n-th clip of a split with at least ``shortest`` frames, of longer ones the middle ``longest``.

    Raises:
        FileError: the split is not there.
    """
    found = [
        (poses, path)
        for poses, path, fps in clips(folder, share_alike=True)
        if fps == FPS and len(poses) >= shortest
    ]
    kept = []
    for number, (poses, path) in list(enumerate(found))[::every]:
        begin = 0 if longest is None else max(0, (len(poses) - longest) // 2)
        rows = slice(begin, None if longest is None else begin + longest)
        kept.append(MotionClip(continuous(rotvec_to_quat(poses[rows])), path[rows], number))
    return kept


def joints_of(quat: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Joints (T, 22, 3) in metres of the bundled body for rotations (T, 22, 4) and a path (T, 3)."""
    rotations = roma.unitquat_to_rotmat(torch.from_numpy(np.roll(quat, -1, axis=-1)))
    offsets = torch.as_tensor(bundled().offsets, dtype=torch.float64)
    return forward_kinematics(rotations, offsets, torch.from_numpy(path))[0].numpy()


def feet_of(quat: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Ankles and balls of the feet (T, 4, 3) in metres: left, right, left, right."""
    return joints_of(quat, path)[:, list(FEET)]


def minutes(taken: list[MotionClip]) -> float:
    """Length of all clips together."""
    return sum(len(clip) for clip in taken) / FPS / 60.0


class Weighed(NamedTuple):
    """A figure of one clip, and how many frames it is about."""

    value: float
    frames: int


def skated(quat: np.ndarray, path: np.ndarray, contact: np.ndarray) -> Weighed:
    """Skate of a body, mm per contact frame, where its feet should rest.

    Args:
        quat: (T, 22, 4) unit quaternions WXYZ.
        path: (T, 3) metres.
        contact: (T, 4) bool, of `feet_of`.
    """
    steps = int((contact[1:] & contact[:-1]).sum())
    return Weighed(skate(feet_of(quat, path), contact, FPS) if steps else 0.0, steps)


def mean(figures: Iterable[Weighed]) -> float:
    """The mean over all frames; NaN where there are none."""
    value, frames = np.array(list(figures), float).T
    return float((value * frames).sum() / frames.sum()) if frames.any() else float("nan")
