# SPDX-License-Identifier: GPL-3.0-or-later
"""Human3.6M (Ionescu et al. 2014) as most lifters' code has it: ``data_3d_h36m.npz`` and ``data_2d_h36m_*.npz``.

These are the files of VideoPose3D (Pavllo et al. 2019), used by DiffPose and many others. The first has every take's
joints in the room, in metres; the second, by take and camera, where a detector (or the truth) has them in the image:
``gt``, ``cpn_ft_h36m_dbb``, ``sh_ft_h36m`` and others of the same joints.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import FileError
from engine.motion import npz
from engine.motion.h36m import JOINTS
from engine.training.joint_sets import human36m_cameras, pickled
from engine.training.joint_sets.human36m_cameras import SIZES
from engine.training.joint_sets.recording import Recording, recording
from engine.wording import few, fit

TRAINING: tuple[str, ...] = ("S1", "S5", "S6", "S7", "S8")
TEST: tuple[str, ...] = ("S9", "S11")
"""Subjects of either part, as GFPose and DiffPose have them (protocols 1 and 2)."""

ACTIONS: tuple[str, ...] = (
    "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases", "Sitting",
    "SittingDown", "Smoking", "Waiting", "WalkDog", "Walking", "WalkTogether",
)  # fmt: skip
"""In the order of the papers' tables, but that those have Walking between WalkDog and WalkTogether."""

FPS = 50.0

KEPT: tuple[int, ...] = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
"""Of the 32 joints of the capture, those of `JOINTS`, in that order; the others repeat these, or do not move."""

DAMAGED = ("S11", "Directions")
"""Subject and take whose video is damaged; every one leaves it out."""

_OTHER_NAMES = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog"}
_ADVICE = "download or prepare it again"

_HOURGLASS: tuple[str, ...] = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "spine", "thorax",
    "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip
"""What the stacked hourglass network finds; no nose (Newell et al. 2016, fine-tuned by Martinez et al. 2017)."""

_LAYOUTS: tuple[tuple[str, ...], ...] = (JOINTS, _HOURGLASS)


def read(
    joints: Path, cameras: Path, pixels: Path | None = None, subjects: Collection[str] = TRAINING + TEST
) -> Iterator[Recording]:
    """Takes one after the other, each by its cameras in the order of `human36m_cameras.SIZES`.

    Args:
        joints: ``data_3d_h36m.npz``.
        cameras: see `human36m_cameras.read`.
        pixels: a ``data_2d_h36m_*.npz``; None for the true ones, projected through the lens.
        subjects: whom to read, in this order.

    Raises:
        FileError: a file is missing, damaged, of another layout, or lacks a subject, a take or a camera.
    """
    takes = _table(joints, npz.read(joints, keys=("positions_3d",)), "positions_3d")
    known = human36m_cameras.read(cameras)
    detected = None if pixels is None else _Detected(pixels)
    takes_of = {subject: _of_subject(joints, takes, subject) for subject in subjects}  # all, before the first is used
    for subject in subjects:
        for take, points in takes_of[subject].items():
            if (subject, take) == DAMAGED:
                continue
            room = _joints(joints, subject, take, points)
            for number, name in enumerate(SIZES):
                if (subject, name) not in known:
                    raise FileError(f"{cameras.name} does not have {subject}'s camera {name}; choose a whole file.")
                camera = known[subject, name]
                seen = camera.sees(room)
                if detected is None:
                    image, confidence = camera.lens.project(seen * (1.0, -1.0, -1.0)), None
                else:
                    image, confidence = detected.keypoints(subject, take, number, len(seen))
                yield recording(
                    (pixels or joints).name, seen, image, subject=subject, action=action_of(take), take=take,
                    camera=name, size=SIZES[name], lens=camera.lens, fps=FPS, confidence=confidence,
                )  # fmt: skip


def action_of(take: str) -> str:
    """The one of `ACTIONS` that a take's name tells, or the name without its number."""
    name = re.sub(r"[ _-]\d+$", "", take)
    return _OTHER_NAMES.get(name, name)


def _table(path: Path, members: Mapping[str, bytes], key: str) -> dict[str, Any]:
    """Takes by subject."""
    found = pickled.read(path.name, members, key)
    if not isinstance(found, dict) or not all(isinstance(part, dict) for part in found.values()):
        raise FileError(f"{path.name} holds no takes by subject in {key}; {_ADVICE}.")
    return found


def _of_subject(path: Path, table: dict[str, Any], subject: str) -> dict[str, Any]:
    if subject not in table:
        raise FileError(f"{path.name} does not have {subject}, but {few(map(str, table), 9)}; {_ADVICE}.")
    return {str(take): content for take, content in table[subject].items()}


def _joints(path: Path, subject: str, take: str, points: Any) -> np.ndarray:
    """(T, 17, 3) in the room."""
    if not isinstance(points, np.ndarray) or points.ndim != 3 or points.shape[1:] not in ((32, 3), (len(JOINTS), 3)):
        raise FileError(f"{path.name} does not have 32 or 17 joints in 3D for {subject} {fit(take)}; {_ADVICE}.")
    kept = points[:, KEPT] if points.shape[1] == 32 else points
    return kept.astype(np.float64)


class _Detected:
    """The 2D keypoints of a file."""

    def __init__(self, path: Path) -> None:
        members = npz.read(path, keys=("positions_2d", "metadata"))
        self._path = path
        self._takes = _table(path, members, "positions_2d")
        self._layout = _layout(path, members) if "metadata" in members else None

    def keypoints(self, subject: str, take: str, camera: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """(count, 17, 2) pixels and (count, 17) confidences, zero for joints that the detector does not find."""
        of = f"{subject} {fit(take)}"
        views = _of_subject(self._path, self._takes, subject).get(take)
        if not isinstance(views, list | tuple) or len(views) != len(SIZES):
            raise FileError(f"{self._path.name} does not have {of} by {len(SIZES)} cameras; {_ADVICE}.")
        view = views[camera]
        shape = view.shape if isinstance(view, np.ndarray) else ()
        layout = self._layout or next((known for known in _LAYOUTS if shape[1:2] == (len(known),)), ())
        if len(shape) != 3 or shape[1] != len(layout) or shape[2] not in (2, 3):
            raise FileError(f"{self._path.name} does not have keypoints of Human3.6M for {of}; {_ADVICE}.")
        if len(view) < count:
            raise FileError(f"{self._path.name} has fewer frames of {of} than there are in 3D; {_ADVICE}.")
        view = view[:count]  # some videos go on after the capture
        image, confidence = np.zeros((count, len(JOINTS), 2)), np.zeros((count, len(JOINTS)))
        places = [JOINTS.index(joint) for joint in layout]
        image[:, places] = view[..., :2]
        confidence[:, places] = view[..., 2].clip(None, 1.0) if shape[2] == 3 else 1.0
        return image, confidence


def _layout(path: Path, members: Mapping[str, bytes]) -> tuple[str, ...]:
    """What the columns of keypoints are: the file tells which are left and which right."""
    told = pickled.read(path.name, members, "metadata")
    sides = told.get("keypoints_symmetry") if isinstance(told, dict) else None
    if isinstance(sides, list | tuple) and all(isinstance(side, list | tuple) for side in sides):
        for layout in _LAYOUTS:
            known = [[n for n, joint in enumerate(layout) if joint.startswith(side)] for side in ("left", "right")]
            if [list(side) for side in sides] == known:
                return layout
    raise FileError(f"{path.name} has keypoints of other joints than Human3.6M's; choose a file made on Human3.6M.")
