# SPDX-License-Identifier: GPL-3.0-or-later
"""What every reader of this package gives: one take of one person seen by one camera, in the joints of Human3.6M."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from engine.errors import FileError
from engine.motion.h36m import JOINTS
from engine.motion.intrinsics import FARTHEST_PIXEL
from engine.training.joint_sets.lens import Lens

FARTHEST = 1000.0
"""Metres from the camera; what is farther is damaged, or in other units."""

_PER_FRAME = ("joints", "pixels", "confidence", "valid", "activity")
_TO_Y_UP = np.array([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class Recording:
    """One take of one person by one camera, of T frames.

    Attributes:
        subject: as the data set names people, such as "S9" or "TS1".
        action: what the tables of papers are split by, such as "Walking"; empty where frames differ in it.
        take: the data set's name of it, such as "Walking 1" or "Seq2".
        camera: the data set's name of it.
        scene: where it is, for MPI-INF-3DHP's tables: "GS", "noGS" or "outdoor"; otherwise empty.
        fps: frames per second; None where it is not known, or frames are not equally far apart.
        joints: (T, 17, 3) float32 metres in the camera's frame, which is at the origin, Y up, looking along -Z.
        pixels: (T, 17, 2) float32, u to the right and v down; zero where not seen.
        confidence: (T, 17) float32 from 0, not seen, to 1.
        valid: (T,) bool: frames that count in an evaluation; the others may be used as context.
        activity: (T,) int64 MPI-INF-3DHP's number of what is done, from 1; 0 where it is not told.
        size: width and height of the image, pixels.
        lens: of the camera; None where the file's 3D joints do not project to its pixels by any.
    """

    subject: str
    action: str
    take: str
    camera: str
    scene: str
    fps: float | None
    joints: np.ndarray
    pixels: np.ndarray
    confidence: np.ndarray
    valid: np.ndarray
    activity: np.ndarray
    size: tuple[int, int]
    lens: Lens | None

    def __len__(self) -> int:
        return len(self.joints)


@dataclass(frozen=True)
class JointSet:
    """Recordings in a row, N frames together.

    Attributes:
        recordings: the R recordings; their arrays are parts of those below.
        starts: (R + 1,) int64: recording r has the frames from starts[r] up to, but not including, starts[r + 1].
        joints: (N, 17, 3), and the others as in `Recording`.
    """

    recordings: tuple[Recording, ...]
    starts: np.ndarray
    joints: np.ndarray
    pixels: np.ndarray
    confidence: np.ndarray
    valid: np.ndarray
    activity: np.ndarray


def recording(
    name: str,
    joints: np.ndarray,
    pixels: np.ndarray,
    *,
    subject: str,
    take: str,
    camera: str,
    size: tuple[int, int],
    lens: Lens | None,
    action: str = "",
    scene: str = "",
    fps: float | None = None,
    confidence: np.ndarray | None = None,
    valid: np.ndarray | None = None,
    activity: np.ndarray | None = None,
) -> Recording:
    """A recording of what a file holds.

    Args:
        name: of the file, for errors.
        joints: (T, 17, 3) metres from the camera, X to the right, Y down and Z forward, as the data sets have them.
        pixels: (T, 17, 2).
        confidence: (T, 17) from 0 to 1; None is 1 everywhere.
        valid: (T,) bool; None is all. Frames that are not may hold anything: what is not finite in them becomes zero.

    Raises:
        FileError: shapes do not agree, there is no frame, or a number that counts is not finite or out of bounds.
    """
    count = len(joints)
    of = f"{name}: {subject} {take}, camera {camera},"
    confidence = np.ones((count, len(JOINTS))) if confidence is None else confidence
    valid = np.ones(count, dtype=bool) if valid is None else valid
    activity = np.zeros(count, dtype=np.int64) if activity is None else activity
    shapes = (joints.shape, pixels.shape, confidence.shape, valid.shape, activity.shape)
    rows = (count, len(JOINTS))
    if shapes != ((*rows, 3), (*rows, 2), rows, (count,), (count,)) or not count:
        raise FileError(
            f"{of} has no frames of {len(JOINTS)} joints in 3D with as many in 2D; download it again."
        )
    parts = [np.array(part, dtype=np.float32) for part in (joints * _TO_Y_UP, pixels, confidence)]
    for part, bound in zip(parts, (FARTHEST, FARTHEST_PIXEL, 1.0), strict=True):
        part[~valid] = np.where(np.abs(part[~valid]) <= bound, part[~valid], 0.0)  # NaN is not, either
        if not (np.abs(part) <= bound).all():
            raise FileError(f"{of} holds a number that is not finite or beyond {bound:g}; download it again.")
    if (parts[2] < 0).any():
        raise FileError(f"{of} holds a negative confidence; download it again.")
    parts[1][parts[2] == 0] = 0.0
    marks = valid.astype(bool), activity.astype(np.int64)
    return Recording(
        subject, action, take, camera, scene, fps, parts[0], parts[1], parts[2], *marks, size, lens
    )


def joined(recordings: Iterable[Recording], every: int = 1) -> JointSet:
    """Recordings in a row; of each, the first frame and every so manieth after it are kept.

    Raises:
        ValueError: there are none.
    """
    kept = [thinned(one, every) for one in recordings]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in kept])])
    arrays = {name: np.concatenate([getattr(one, name) for one in kept]) for name in _PER_FRAME}
    parts = zip(kept, starts[:-1], starts[1:], strict=True)
    # The recordings share the arrays' memory, so that nothing is kept twice.
    rows = [replace(one, **{key: arrays[key][a:b] for key in _PER_FRAME}) for one, a, b in parts]
    return JointSet(tuple(rows), starts, **arrays)


def thinned(one: Recording, every: int) -> Recording:
    """A recording's first frame and every so manieth after it, copied, so that the whole can be forgotten."""
    if every == 1:
        return one
    arrays = {name: getattr(one, name)[::every].copy() for name in _PER_FRAME}
    return replace(one, fps=None if one.fps is None else one.fps / every, **arrays)
