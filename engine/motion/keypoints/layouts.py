# SPDX-License-Identifier: GPL-3.0-or-later
"""Which points detectors give, in which order, and how people write their names."""

from __future__ import annotations

import re
from functools import cache

import numpy as np

from engine.motion import h36m
from engine.motion.joints import JOINTS

MARKS: tuple[str, ...] = (*JOINTS, "nose")
"""What a keypoint can be on the body: its joints, and the nose."""

POINTS: tuple[str, ...] = (*MARKS, "spine", "head_top")
"""What is read of a person: the marks, the trunk's middle (Human3.6M's spine) and the crown; K of them."""

BODY_25: tuple[str, ...] = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe",
    "right_heel",
)  # fmt: skip
"""OpenPose's BODY_25 (Cao et al. 2019)."""

COCO_18: tuple[str, ...] = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear",
)  # fmt: skip
"""OpenPose's COCO model: COCO's points in an order of its own, and a neck."""

COCO_17: tuple[str, ...] = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
"""COCO's person keypoints (Lin et al. 2014)."""

COCO_133: tuple[str | None, ...] = (*COCO_17, *[None] * 116)
"""COCO-WholeBody (Jin et al. 2020): feet, face and hands are no points of the body here."""

HALPE_26: tuple[str, ...] = (
    *COCO_17, "head_top", "neck", "pelvis", "left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe",
    "left_heel", "right_heel",
)  # fmt: skip
"""Halpe's body (Fang et al. 2022), whose head is the crown and whose hip is the middle of both."""

HALPE_136: tuple[str | None, ...] = (*HALPE_26, *[None] * 110)
"""Halpe's whole body: face and hands are no points here."""

MEDIAPIPE_33: tuple[str, ...] = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "left_mouth", "right_mouth", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index", "left_thumb",
    "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel",
    "right_heel", "left_foot_index", "right_foot_index",
)  # fmt: skip
"""MediaPipe Pose (Bazarevsky et al. 2020)."""

H36M_17: tuple[str, ...] = tuple("neck" if joint == "thorax" else joint for joint in h36m.JOINTS)
"""Human3.6M as pose estimation uses it (Ionescu et al. 2014), whose thorax is the base of the neck."""

MPII_16: tuple[str | None, ...] = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "neck", None, "head_top",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip
"""MPII's human pose (Andriluka et al. 2014), whose thorax is the base of the neck; its upper neck is no point here."""

LAYOUTS: dict[str, tuple[str | None, ...]] = {
    "body_25": BODY_25,
    "coco_18": COCO_18,
    "coco_17": COCO_17,
    "coco_133": COCO_133,
    "halpe_26": HALPE_26,
    "halpe_136": HALPE_136,
    "mediapipe_33": MEDIAPIPE_33,
    "h36m_17": H36M_17,
    "mpii_16": MPII_16,
}
"""By the name that a file or a user may give."""

BY_COUNT: dict[int, tuple[str | None, ...]] = {
    len(layout): layout for name, layout in LAYOUTS.items() if name != "h36m_17"
}
"""What so many points are where nothing names their layout; seventeen are COCO's."""

_ALIASES = {"thorax": "neck", "mid_hip": "pelvis", "hip": "pelvis", "top_head": "head_top"}
_KNOWN = frozenset(POINTS) | {name for layout in LAYOUTS.values() for name in layout if name is not None}
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER = re.compile(r"[^a-z0-9]+")


def plain(text: str) -> str:
    """A name in small letters with underscores between its words: ``LeftWrist``, ``LEFT WRIST``: ``left_wrist``."""
    return _OTHER.sub("_", _HUMP.sub("_", text).lower()).strip("_")


def point(text: str) -> str | None:
    """The name of a point as the layouts write it, of ``LWrist``, ``wrist_left``, ``LEFT_WRIST``; None of any other."""
    name = plain(text)
    for short, side in (("l", "left"), ("r", "right")):
        for begin in (f"{short}_", f"{side}_"):
            if name.startswith(begin):
                name = f"{side}_{name.removeprefix(begin)}"
        for end in (f"_{short}", f"_{side}"):
            if name.endswith(end):
                name = f"{side}_{name.removesuffix(end)}"
    name = _ALIASES.get(name, name)
    if name not in _KNOWN and name[:1] in ("l", "r"):  # Rknee
        name = f"{'left' if name[0] == 'l' else 'right'}_{name[1:]}"
    return name if name in _KNOWN else None


@cache
def places(layout: tuple[str | None, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Where in a layout, and where among `POINTS`, the points are that are in both."""
    pairs = [(i, POINTS.index(name)) for i, name in enumerate(layout) if name in POINTS]
    source, target = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    return source, target
