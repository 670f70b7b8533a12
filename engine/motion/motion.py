# SPDX-License-Identifier: GPL-3.0-or-later
"""Animations: of a rig's own bones (`Motion`) and of the 22-joint SMPL body (`BodyMotion`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.errors import MotionError
from engine.motion.skeleton import Skeleton

MAX_FPS = 1000.0


def _finite(array: np.ndarray, what: str) -> None:
    if not np.isfinite(array).all():
        frame = int(np.argwhere(~np.isfinite(array).reshape(len(array), -1).all(axis=1))[0, 0])
        raise MotionError(
            f"The animation holds NaN or infinite {what} (first at frame index {frame}); remove those keys."
        )


def check_rate(fps: float) -> None:
    """Raise MotionError for a number of frames per second that no animation has."""
    if not 1.0 <= fps <= MAX_FPS:
        raise MotionError(f"The frame rate must be between 1 and {MAX_FPS:g} frames per second, not {fps}.")


@dataclass(frozen=True)
class Motion:
    """An animation of a skeleton at a constant frame rate.

    Attributes:
        skeleton: the rig.
        rotations: (T, J, 4) float64 unit quaternions WXYZ, each bone's rotation relative to its rest.
        translations: (T, J, 3) float64, each bone's displacement from rest, in its own rest frame, rig units.
        fps: frames per second.

    Raises:
        MotionError: zero frames, wrong shapes, NaN or infinite values, or a frame rate outside 1 to 1000.
    """

    skeleton: Skeleton
    rotations: np.ndarray
    translations: np.ndarray
    fps: float

    def __post_init__(self) -> None:
        frames, bones = self.rotations.shape[0], len(self.skeleton)
        if self.rotations.shape != (frames, bones, 4) or self.translations.shape != (frames, bones, 3):
            raise MotionError("The animation's arrays do not fit its skeleton.")
        if frames == 0:
            raise MotionError("The animation has no frames.")
        check_rate(self.fps)
        _finite(self.rotations, "rotations")
        _finite(self.translations, "positions")

    def __len__(self) -> int:
        return len(self.rotations)


@dataclass(frozen=True)
class BodyMotion:
    """An animation of the SMPL body: 22 joints, Y up, facing +Z, T-pose = zero.

    Attributes:
        poses: (T, 22, 3) float64 axis-angle in radians, |angle| <= pi; ``poses[:, 0]`` is the root orientation.
        transl: (T, 3) float64, position of the pelvis joint in metres.
        fps: frames per second.
        offsets: (22, 3) float64, rest position of each joint relative to its parent in metres (row 0: zeros).

    Raises:
        MotionError: as for `Motion`.
    """

    poses: np.ndarray
    transl: np.ndarray
    fps: float
    offsets: np.ndarray

    def __post_init__(self) -> None:
        frames = len(self.poses)
        if (
            self.poses.shape != (frames, 22, 3)
            or self.transl.shape != (frames, 3)
            or self.offsets.shape != (22, 3)
        ):
            raise MotionError(
                "A body animation needs 22 joints of axis-angle, a root position per frame and 22 offsets."
            )
        if frames == 0:
            raise MotionError("The animation has no frames.")
        check_rate(self.fps)
        _finite(self.poses, "rotations")
        _finite(self.transl, "positions")

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def root_orient(self) -> np.ndarray:
        """(T, 3) axis-angle."""
        return self.poses[:, 0]

    @property
    def body_pose(self) -> np.ndarray:
        """(T, 21, 3) axis-angle."""
        return self.poses[:, 1:]
