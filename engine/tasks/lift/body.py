# SPDX-License-Identifier: GPL-3.0-or-later
"""From the 17 lifted joints to rotations of the body, and how far each of them is to be trusted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from engine.body.mean_shape import mean_offsets
from engine.motion.h36m import JOINTS, body_weights, head_places
from engine.motion.joints import JOINTS as BODY_JOINTS
from engine.motion.joints import PARENTS as BODY_PARENTS
from engine.motion.motion import BodyMotion
from engine.motion.windows import continuous, quat_to_rotvec, rotvec_to_quat
from engine.priors.pose_prior import PosePrior
from engine.priors.spectra_file import load as load_spectra
from engine.tasks.fit.points import PRESETS, fit_points
from engine.tasks.lift.proportions import stature
from engine.tasks.steps import OnStep
from engine.tasks.temporal import fill_gaps

FOLLOWED = 0.4
"""Of what hypotheses differ by, what the body may be off the one it is put on."""
LEAST_DEVIATION, MOST_DEVIATION = 0.008, 0.06  # metres
HALF_TRUSTED = 0.10
"""Metres by which hypotheses of a joint differ (standard deviation) where confidence is a half."""

_POINTS = [row for row, name in enumerate(JOINTS) if name != "pelvis"]
"""Joints that lie on the body: the pelvis is between two of them."""

_TOLD_BY: dict[str, tuple[str, ...]] = {
    "pelvis": ("left_hip", "right_hip", "spine"), "spine1": ("spine",), "spine2": ("thorax",), "spine3": ("thorax",),
    "neck": ("nose", "head_top"), "head": ("nose", "head_top"),
    **{
        f"{side}_{joint}": (f"{side}_{end}",)
        for side in ("left", "right")
        for joint, end in (
            ("hip", "knee"), ("knee", "ankle"), ("ankle", "ankle"), ("foot", "ankle"), ("collar", "shoulder"),
            ("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "wrist"),
        )
    },
}  # fmt: skip
"""Joint of the body -> the lifted joints whose places tell its rotation."""


def fit_body(
    joints: np.ndarray,
    spread: np.ndarray,
    shown: np.ndarray,
    turns: np.ndarray,
    offsets: np.ndarray,
    fps: float,
    prior: PosePrior,
    seed: int = 0,
    device: str = "auto",
    on_step: OnStep | None = None,
) -> BodyMotion:
    """The body in the camera's axes whose joints are the lifted ones; the prior of poses has the rest.

    Args:
        joints: (T, 17, 3) metres, the camera at 0, in axes of which the last is along the sight.
        spread: (T, 17, 3) standard deviations of the hypotheses along those axes.
        shown: (T,) bool; the body goes on by the spectra of motion through frames that show nobody.
        turns: (T, 3, 3) rotations from the camera's axes to those.
        offsets: (22, 3) rest offsets of the person in metres.
        fps: frames per second.
        prior: the prior of poses.
        seed, device: of the fit.
        on_step: told (done, total, stage); stops by raising.
    """
    body, places = body_weights().argmax(axis=1)[_POINTS], head_places()[_POINTS]
    places = places * (stature(offsets) / stature(mean_offsets()))
    settings = PRESETS["best"]
    deviation = np.clip(np.hypot(FOLLOWED * spread, LEAST_DEVIATION), None, MOST_DEVIATION)
    fit = fit_points(
        joints[:, _POINTS],
        body,
        prior,
        np.square(settings.noise / deviation[:, _POINTS]),
        places,
        offsets,
        replace(settings, seed=seed, device=device),
        on_step,
    )
    back = Rotation.from_matrix(turns).inv()
    poses = fit.poses.copy()
    poses[:, 0] = (back * Rotation.from_rotvec(fit.poses[:, 0])).as_rotvec()
    if not shown.all():
        poses = _bridged(poses, shown, fps)
    return BodyMotion(poses, back.apply(fit.transl), fps, offsets)


def confidences(spread: np.ndarray) -> np.ndarray:
    """(T, 22) from 0 to 1: how far each joint's rotation is told by what was seen, from spreads (T, 17, 3) in metres.

    Hands, feet and toes are as sure as the limbs that end there: of themselves nothing was seen.
    """
    size = np.linalg.norm(spread, axis=-1)
    told = np.stack(
        [np.mean([size[:, JOINTS.index(name)] for name in _TOLD_BY[joint]], axis=0) for joint in BODY_JOINTS], axis=1
    )
    # A joint's rotation is no surer than where it is itself.
    for joint, parent in enumerate(BODY_PARENTS):
        if parent > 0 and joint not in (13, 14):
            told[:, joint] = np.hypot(told[:, joint], 0.5 * told[:, parent])
    return 1.0 / (1.0 + np.square(told / HALF_TRUSTED))


def _bridged(poses: np.ndarray, shown: np.ndarray, fps: float) -> np.ndarray:
    """Poses (T, 22, 3) with those of frames that are not shown made by the spectra of motion."""
    quat, spectra = continuous(rotvec_to_quat(poses)), load_spectra()
    known = np.repeat(shown[:, None], quat.shape[1], axis=1)
    root = fill_gaps(quat[:, :1], known[:, :1], spectra["root"], fps)
    rest = fill_gaps(quat[:, 1:], known[:, 1:], spectra["body"], fps)
    return quat_to_rotvec(np.concatenate([root, rest], axis=1))
