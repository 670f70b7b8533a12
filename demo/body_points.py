# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the points that 2D detectors know are on the body: its joints, and what lies around them."""

from __future__ import annotations

import numpy as np

from engine.motion import h36m
from engine.motion.joints import JOINTS
from engine.motion.keypoints.layouts import H36M_17

MID_SHOULDERS = "mid_shoulders"
"""OpenPose's neck, which is the middle of both shoulders."""

_LEFT: dict[str, tuple[str, tuple[float, float, float]]] = {
    "eye_inner": ("head", (0.018, 0.085, 0.095)),
    "eye": ("head", (0.031, 0.085, 0.093)),
    "eye_outer": ("head", (0.043, 0.085, 0.085)),
    "ear": ("head", (0.072, 0.06, 0.0)),
    "mouth": ("head", (0.024, 0.008, 0.095)),
    "pinky": ("wrist", (0.085, -0.01, -0.035)),
    "index": ("wrist", (0.095, -0.01, 0.02)),
    "thumb": ("wrist", (0.05, -0.01, 0.05)),
    "heel": ("ankle", (0.0, -0.06, -0.05)),
    "foot_index": ("foot", (0.0, -0.005, 0.07)),
    "big_toe": ("foot", (-0.02, -0.005, 0.075)),
    "small_toe": ("foot", (0.035, -0.005, 0.05)),
}
"""Points of the left side: the joint that carries them, and the way there in T-pose in metres, +X to the left, Y up, Z
ahead. The mannequin has no face, and its hands no fingers that move."""
_FOUND_LIKE = {"head": "nose", "foot": "{}_ankle"}
"""What a detector finds points as well as, that hang on a joint which is none of Human3.6M's."""


def _hung() -> dict[str, tuple[str, np.ndarray]]:
    found = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for name, (joint, way) in _LEFT.items():
            carrier = joint if joint == "head" else f"{side}_{joint}"
            found[f"{side}_{name}"] = carrier, np.array(way) * (sign, 1.0, 1.0)
    return found


_HUNG = _hung()
NAMES: tuple[str, ...] = (*H36M_17, MID_SHOULDERS, *_HUNG)
"""P of them, the seventeen of Human3.6M first."""


def points(joints: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """(T, P, 3) places of `NAMES` in the space of the joints.

    Args:
        joints: (T, 22, 3) of the body, metres.
        turns: (T, 22, 3, 3) from the T-pose in SMPL's axes to the space of the joints.
    """
    head = turns[:, JOINTS.index("head")]
    seventeen = h36m.body_weights() @ joints + np.einsum("tab,jb->tja", head, h36m.head_places())
    shoulders = [H36M_17.index(f"{side}_shoulder") for side in ("left", "right")]
    hung = [
        joints[:, JOINTS.index(joint)] + np.einsum("tab,b->ta", turns[:, JOINTS.index(joint)], way)
        for joint, way in _HUNG.values()
    ]
    return np.concatenate(
        [seventeen, seventeen[:, shoulders].mean(axis=1, keepdims=True), np.stack(hung, axis=1)], axis=1
    )


def likeness() -> np.ndarray:
    """(P, 17) whose error a detector makes at each of `NAMES`: rows sum to 1."""
    weights = np.zeros((len(NAMES), len(H36M_17)))
    weights[: len(H36M_17)] = np.eye(len(H36M_17))
    for side in ("left", "right"):
        weights[NAMES.index(MID_SHOULDERS), H36M_17.index(f"{side}_shoulder")] = 0.5
    for name, (joint, _) in _HUNG.items():
        side, _, kind = joint.rpartition("_")
        weights[NAMES.index(name), H36M_17.index(_FOUND_LIKE.get(kind, joint).format(side))] = 1.0
    return weights
