# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows with a gap, as in-betweening is measured on (Harvey et al. 2020, sec. 5.3 and 6.1): context, gap, target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import roma
import torch

from engine.body import bundled, forward_kinematics
from engine.motion.windows import conjugate, multiply, quat_to_rotvec, rotvec_to_quat
from engine.training.dynamics import clips

FPS = 30.0
CONTEXT = 10  # known frames before the gap
FORWARD = np.array([0.0, 0.0, 0.0, 1.0])  # +Z as a quaternion without scalar part


@dataclass(frozen=True)
class GapWindows:
    """Windows of `CONTEXT` frames, a gap, and one target frame.

    Attributes:
        poses: (N, W, 22, 3) axis-angle in radians.
        transl: (N, W, 3) metres; the window's mean is over the origin and the body faces +Z where the gap begins.
    """

    poses: np.ndarray
    transl: np.ndarray

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def keys(self) -> np.ndarray:
        """Indices of the known frames."""
        return np.append(np.arange(CONTEXT), self.poses.shape[1] - 1)

    def thinned(self, every: int) -> GapWindows:
        """Every n-th window."""
        return GapWindows(self.poses[::every], self.transl[::every])


def cut_windows(folder: Path, gap: int, stride: int) -> GapWindows:
    """Windows of a split's clips at 30 fps with a gap of so many frames, one every ``stride`` frames of a clip.

    Raises:
        FileError: the split is not there.
    """
    length = CONTEXT + gap + 1
    poses, paths = [], []
    for pose, path, fps in clips(folder):
        if fps == FPS and len(pose) >= length:
            starts = np.arange(0, len(pose) - length + 1, stride)
            frames = starts[:, None] + np.arange(length)
            poses.append(pose[frames])
            paths.append(path[frames])
    return _facing_forward(np.concatenate(poses), np.concatenate(paths))


def _facing_forward(poses: np.ndarray, path: np.ndarray) -> GapWindows:
    root = rotvec_to_quat(poses[:, :, 0])
    last = root[:, CONTEXT - 1]
    ahead = multiply(multiply(last, FORWARD), conjugate(last))
    half = -0.5 * np.arctan2(ahead[:, 1], ahead[:, 3])
    turn = np.stack([np.cos(half), 0.0 * half, np.sin(half), 0.0 * half], axis=1)[:, None]
    centred = path - path.mean(axis=1, keepdims=True) * np.array([1.0, 0.0, 1.0])
    padded = np.concatenate([np.zeros_like(centred[..., :1]), centred], axis=-1)
    turned = poses.copy()
    turned[:, :, 0] = quat_to_rotvec(multiply(turn, root))
    return GapWindows(turned, multiply(multiply(turn, padded), conjugate(turn))[..., 1:])


def placed(windows: GapWindows) -> tuple[np.ndarray, np.ndarray]:
    """Global positions (N, W, 22, 3) in metres and unit quaternions (N, W, 22, 4) of the joints, bundled body."""
    local = roma.rotvec_to_rotmat(torch.from_numpy(windows.poses))
    offsets = torch.from_numpy(bundled().offsets).to(local)
    joints, turned = forward_kinematics(local, offsets, torch.from_numpy(windows.transl))
    return joints.numpy(), roma.rotmat_to_unitquat(turned).numpy()
