# SPDX-License-Identifier: GPL-3.0-or-later
"""Feet on the floor: how far they skate before and after cleaning, and which frames they rest in."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from engine.body import bundled
from engine.evaluation.corruption import white
from engine.evaluation.foot_metrics import contact_scores
from engine.evaluation.metrics import mpjpe
from engine.evaluation.motion_clips import (
    FPS,
    MotionClip,
    Weighed,
    feet_of,
    joints_of,
    mean,
    minutes,
    motion_clips,
    skated,
)
from engine.evaluation.tables.table import Context, Table
from engine.motion.contacts import resting
from engine.motion.motion import BodyMotion
from engine.motion.windows import continuous, multiply, quat_to_rotvec, rotvec_to_quat
from engine.tasks.clean_body import clean_poses
from engine.tasks.foot_lock import lock_feet

SHORTEST = 60  # frames
BODY_DEGREES, ROOT_DEGREES = 2.0, 1.0  # white, per axis
PATH_METRES = 0.01  # white, per axis
DRIFT_METRES, DRIFT_SECONDS = 0.02, 1.0  # of the path over the floor: deviation per axis, and smoothness
CONTACT = 0.5  # probability from which a foot is said to rest

SKATE, ERROR = "skate mm", "joints mm"
FIGURES = ("contact precision", "contact recall", "contact F1")
COLUMNS = (SKATE, ERROR, *FIGURES)


def noisy(clip: MotionClip, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (T, 22, 4) and path (T, 3) with white noise on both, and a path that drifts over the floor."""
    rng = np.random.default_rng([seed, clip.number])
    quat = white(BODY_DEGREES)(clip.quat, FPS, rng)
    quat[:, 0] = multiply(
        quat[:, 0], rotvec_to_quat(np.deg2rad(ROOT_DEGREES) * rng.normal(size=(len(clip), 3)))
    )
    sigma = DRIFT_SECONDS * FPS
    margin = round(4 * sigma)  # beyond which a filtered noise does not feel the ends
    drift = gaussian_filter1d(rng.normal(size=(len(clip) + 2 * margin, 2)), sigma, axis=0)[margin:-margin]
    # Of a white noise's variance, the filter leaves one over 2 sqrt(pi) sigma.
    drift *= DRIFT_METRES * np.sqrt(2.0 * np.sqrt(np.pi) * sigma)
    path = clip.path + PATH_METRES * rng.normal(size=clip.path.shape)
    path[:, [0, 2]] += drift
    return continuous(quat), path


@dataclass(frozen=True)
class Found:
    """A body and when its feet are said to rest.

    Attributes:
        quat: (T, 22, 4) unit quaternions WXYZ.
        path: (T, 3) metres.
        contact: (T, 4) bool; None where that is not the method's own.
    """

    quat: np.ndarray
    path: np.ndarray
    contact: np.ndarray | None = None

    def ruled(self) -> Found:
        """With contacts by the rule that those of the truth are found by."""
        return replace(self, contact=resting(feet_of(self.quat, self.path), FPS))


def bodies(quat: np.ndarray, path: np.ndarray, seed: int, device: str) -> dict[str, Found]:
    """What the methods make of noisy rotations (T, 22, 4) and a path (T, 3)."""
    smooth = clean_poses(quat, path, FPS, 1.0, seed, device, None, prior="none")
    learned = clean_poses(quat, path, FPS, 1.0, seed, device, None, prior="motion")
    assert learned.contact is not None, "the motion prior says when feet rest"
    body = BodyMotion(quat_to_rotvec(learned.quat), learned.transl, FPS, np.asarray(bundled().offsets))
    locked = lock_feet(body, learned.contact)
    cleaned = Found(learned.quat, learned.transl)
    return {
        "noisy input": Found(quat, path).ruled(),
        "wiener": Found(smooth.quat, smooth.transl).ruled(),
        "motion prior": replace(cleaned, contact=learned.contact > CONTACT),
        "motion prior, contacts by the rule": cleaned.ruled(),
        "motion prior + foot lock": Found(continuous(rotvec_to_quat(locked.poses)), locked.transl),
    }


def feet(context: Context) -> Table:
    """Skate, joint error and contacts of noisy clips before and after."""
    clips = motion_clips(context.data / "test", SHORTEST, every=context.scale)
    rests = [resting(feet_of(clip.quat, clip.path), FPS) for clip in clips]
    skates = [skated(clip.quat, clip.path, rest) for clip, rest in zip(clips, rests, strict=True)]
    rows: dict[str, dict[str, list[float]]] = {"truth": {SKATE: [mean(skates)]}}
    for seed in range(context.seeds):
        found = [bodies(*noisy(clip, seed), seed, context.device) for clip in clips]
        for name in found[0]:
            for column, value in figures([f[name] for f in found], clips, rests).items():
                rows.setdefault(name, {}).setdefault(column, []).append(value)
        print(f"  feet: seed {seed + 1} of {context.seeds}", file=sys.stderr)
    return Table(
        "feet",
        "Feet on the floor",
        f"{len(clips)} clips of at least {SHORTEST / FPS:g} s of the test split (subjects 5, 8, 9, 13; {FPS:g} fps; "
        f"{minutes(clips):.1f} minutes) on the bundled mannequin (SMPL-X mean shape). Noise: white, {BODY_DEGREES:g} "
        f"degrees per axis on the body joints, {ROOT_DEGREES:g} on the root, {1000 * PATH_METRES:g} mm on the path, "
        f"and a drift of the path over the floor of {1000 * DRIFT_METRES:g} mm per axis that changes in "
        f"{DRIFT_SECONDS:g} s. Skate: mm per frame that ankles and balls travel over the floor in frames in which they "
        "rest in the truth, that is, are near the floor and slow. Joints: mean error of all joints with root and path. "
        f"Contacts: of the motion prior, probability over {CONTACT:g}; else the truth's rule, on the row's own motion. "
        "Spread over seeds.",
        COLUMNS,
        rows,
    )


def figures(found: list[Found], clips: list[MotionClip], rests: list[np.ndarray]) -> dict[str, float]:
    """Figures of one method over all clips, of which ``rests`` are the true contacts, by column."""
    skates, errors = [], []
    for body, clip, rest in zip(found, clips, rests, strict=True):
        skates.append(skated(body.quat, body.path, rest))
        error = mpjpe(joints_of(body.quat, body.path), joints_of(clip.quat, clip.path))
        errors.append(Weighed(error, len(clip)))
    row = {SKATE: mean(skates), ERROR: mean(errors)}
    given = [body.contact for body in found if body.contact is not None]
    if given:
        scores = contact_scores(np.concatenate(given), np.concatenate(rests))
        row |= dict(zip(FIGURES, (scores.precision, scores.recall, scores.f1), strict=True))
    return row
