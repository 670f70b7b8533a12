# SPDX-License-Identifier: GPL-3.0-or-later
"""What requests tell of cameras before a rig, and of the keypoints that they saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from engine.errors import MotionError
from engine.motion.intrinsics import FARTHEST_PIXEL
from engine.motion.motion import Motion
from engine.motion.retarget import Alignment
from engine.motion.rigs import RigMap
from engine.protocol import Header
from engine.requests.parameters import number
from engine.requests.rig import FARTHEST

if TYPE_CHECKING:
    from engine.tasks.fit.camera import Camera

LEAST_AXIS = 1e-6  # of a matrix's columns, which are no axes if they are shorter


def lens_of(params: Header) -> Camera:
    """The camera of ``focal``, ``centre_u`` and ``centre_v`` in pixels.

    Raises:
        ProtocolError: one is missing. MotionError: they are no camera's.
    """
    from engine.tasks.fit.camera import Camera

    focal, centre = number(params, "focal"), (number(params, "centre_u"), number(params, "centre_v"))
    if not (0.0 < focal <= FARTHEST_PIXEL and max(map(abs, centre)) <= FARTHEST_PIXEL):
        raise MotionError("The camera's focal length must be positive and its numbers in pixels.")
    return Camera(focal, centre)


def check_pixels(pixels: np.ndarray) -> None:
    """Raise MotionError where keypoints cannot be an image's."""
    if np.nanmax(np.abs(pixels), initial=0.0) > FARTHEST_PIXEL:
        raise MotionError("A keypoint lies outside of any image; run the detector again.")


def stand_of(matrices: np.ndarray, frames: int, motion: Motion, rig_map: RigMap) -> tuple[Rotation, np.ndarray]:
    """Where a camera stands before a rig as `to_body` has it: T rotations of its axes, and places (T, 3) in metres.

    Args:
        matrices: (4, 4) or, where it moves, (T, 4, 4), the camera's axes (it looks along -Z, up is Y) in the rig's
            space, whose scale they may hold.
        frames: T.
        motion, rig_map: of the rig.

    Raises:
        MotionError: they are no camera's.
    """
    if matrices.shape not in ((4, 4), (frames, 4, 4)) or matrices.dtype.kind != "f":
        raise MotionError("The camera needs one place, or one for each frame.")
    if not np.isfinite(matrices).all() or np.abs(matrices).max() > FARTHEST:
        raise MotionError("The camera has no place that can be computed with; choose another camera.")
    matrices = np.broadcast_to(matrices.astype(np.float64), (frames, 4, 4))
    size = np.linalg.norm(matrices[:, :3, :3], axis=1, keepdims=True)
    if size.min() < LEAST_AXIS or np.linalg.det(matrices[:, :3, :3] / size).min() < 0.5:
        raise MotionError("The camera is mirrored or has no size; apply its scale.")
    axes = Alignment(motion, rig_map).axes
    turn = Rotation.from_matrix(axes @ (matrices[:, :3, :3] / size))
    return turn, matrices[:, :3, 3] @ axes.T * motion.skeleton.scale
