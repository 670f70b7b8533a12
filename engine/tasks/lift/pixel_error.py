# SPDX-License-Identifier: GPL-3.0-or-later
"""How far an animation is from the keypoints that a camera saw of it."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from engine.body.h36m_joints import h36m_joints
from engine.motion.motion import BodyMotion
from engine.tasks.fit.camera import Camera


def pixel_error(motion: BodyMotion, pixels: np.ndarray, confidence: np.ndarray, camera: Camera) -> float:
    """Mean distance in pixels of the body's joints from keypoints, weighted by confidence; NaN where there are none.

    Args:
        motion: in the camera's axes (the camera at 0, Y up, looking along -Z).
        pixels: (T, 17, 2) in the order of `engine.motion.h36m.JOINTS`.
        confidence: (T, 17) from 0, not seen, to 1.
        camera: what saw them.
    """
    if not confidence.any():
        return float("nan")
    local = torch.from_numpy(Rotation.from_rotvec(motion.poses.reshape(-1, 3)).as_matrix()).unflatten(0, (-1, 22))
    joints = h36m_joints(local, torch.tensor(motion.offsets)) + torch.from_numpy(motion.transl)[:, None]
    away = np.linalg.norm(camera.project(joints).numpy() - pixels, axis=-1)
    return float(np.average(np.where(confidence > 0, away, 0.0), weights=confidence))
