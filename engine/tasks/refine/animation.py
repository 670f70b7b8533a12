# SPDX-License-Identifier: GPL-3.0-or-later
"""An animation refined to what cameras saw of it, in the axes that it is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from scipy.spatial.transform import Rotation

from engine.diffusion.guidance import Guidance
from engine.motion.motion import BodyMotion
from engine.priors.rotation_prior import RotationPrior
from engine.tasks.fit.camera import Camera
from engine.tasks.lift.camera_space import Sight
from engine.tasks.refine.refine import PRESETS, RefinedPoses, RefineSettings, View, refine
from engine.tasks.steps import OnStep


@dataclass(frozen=True)
class Shot:
    """A camera before an animation, and the keypoints it saw.

    Attributes:
        turn: T rotations of the camera's axes (it looks along -Z, up is Y) in the animation's, or one for all frames.
        place: (T, 3) metres, where it is, or (3,).
        camera: focal length and centre.
        pixels: (T, 17, 2) in the order of `engine.motion.h36m.JOINTS`.
        confidence: (T, 17) from 0, not seen, to 1.
        sigma: (T, 17) standard deviations in pixels, NaN where unknown; or None.
        features: (T, F) of the pictures, see `View`.
    """

    turn: Rotation
    place: np.ndarray
    camera: Camera
    pixels: np.ndarray
    confidence: np.ndarray
    sigma: np.ndarray | None = None
    features: np.ndarray | None = None


@dataclass(frozen=True)
class RefinedMotion:
    """What came of it.

    Attributes:
        motion: the animation, its offsets those of the shape found where that was asked for.
        betas: (10,) added to the shape.
        before, after: for each camera, mean distance from the keypoints in pixels; NaN where it saw none.
        rounds, evaluations: means over the frames, of the loop and of the network for each camera.
    """

    motion: BodyMotion
    betas: np.ndarray
    before: tuple[float, ...]
    after: tuple[float, ...]
    rounds: float
    evaluations: float


def refine_motion(
    motion: BodyMotion,
    shots: Sequence[Shot] = (),
    settings: RefineSettings | None = None,
    prior: RotationPrior | None = None,
    extra: Guidance | None = None,
    on_step: OnStep | None = None,
) -> RefinedMotion:
    """Refine an animation until it agrees with keypoints, or just until it is smooth.

    Several cameras may be as they are, placed or not quite: each refines the person in its own axes, they agree on the
    body's pose (eq. 13), and the root is where they have it on average, each as far as it can tell.

    Args:
        motion: the animation.
        shots: cameras, all of whose frames are the animation's; without any, one stands level before it, and sees
            nothing.
        settings, prior, extra, on_step: see `engine.tasks.refine.refine.refine`.

    Raises:
        MotionError: shapes do not fit, a number is not finite, or nothing guides. WeightsError, DeviceError: as named.
    """
    chosen = settings or PRESETS["best"]
    frames = len(motion)
    cameras = [(_each(shot.turn, frames), np.broadcast_to(shot.place, (frames, 3))) for shot in shots]
    views = [
        _seen_by(motion, turn, place, shot) for (turn, place), shot in zip(cameras, shots, strict=True)
    ] or [View(motion.poses, motion.transl)]
    found = refine(views, motion.offsets, motion.fps, chosen, prior, extra, on_step)
    made = together(motion, found, cameras or [(Rotation.identity(frames), np.zeros((frames, 3)))])
    if chosen.shape:
        from engine.tasks.fit.state import shape_basis

        made = replace(made, offsets=made.offsets + shape_basis() @ found.betas)
    missed = [
        [_pixels(metres, view.transl, shot) for metres in (done.before, done.after)]
        for done, view, shot in zip(found.views, views, shots, strict=False)
    ]
    return RefinedMotion(
        made,
        found.betas,
        tuple(pair[0] for pair in missed),
        tuple(pair[1] for pair in missed),
        float(found.rounds.mean()),
        float(found.evaluations.mean()),
    )


def together(
    motion: BodyMotion, found: RefinedPoses, cameras: Sequence[tuple[Rotation, np.ndarray]]
) -> BodyMotion:
    """One animation of what cameras, T rotations and places (T, 3) each, made of it."""
    frames = len(motion)
    turns = np.stack([Rotation.from_rotvec(v.poses.reshape(-1, 3)).as_matrix() for v in found.views])
    turns = turns.reshape(len(found.views), frames, 22, 3, 3)
    sure, places = np.zeros((frames, 3, 3)), np.zeros((frames, 3))
    for number, ((turn, place), view) in enumerate(zip(cameras, found.views, strict=True)):
        axes = turn.as_matrix()
        turns[number, :, 0] = axes @ turns[number, :, 0]
        certainty = axes @ view.certainty @ np.swapaxes(axes, 1, 2)
        sure += certainty
        places += np.einsum("txy,ty->tx", certainty, turn.apply(view.transl) + place)
    # The rotation nearest to the mean of matrices (chordal mean; Hartley et al. 2013, sec. 5.3).
    mean = roma.special_procrustes(torch.from_numpy(turns.mean(axis=0))).numpy()
    known = np.linalg.eigvalsh(sure)[:, 0] > 0
    transl = motion.transl.copy()
    transl[known] = np.linalg.solve(sure[known], places[known][..., None])[..., 0]
    poses = Rotation.from_matrix(mean.reshape(-1, 3, 3)).as_rotvec().reshape(motion.poses.shape)
    return replace(motion, poses=poses, transl=transl)


def _each(turn: Rotation, frames: int) -> Rotation:
    quat = np.broadcast_to(np.atleast_2d(turn.as_quat()), (frames, 4))
    return Rotation.from_quat(quat)


def _seen_by(motion: BodyMotion, turn: Rotation, place: np.ndarray, shot: Shot) -> View:
    """The animation in a camera's axes, with what it saw."""
    poses = motion.poses.copy()
    poses[:, 0] = (turn.inv() * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    transl = turn.inv().apply(motion.transl - place)
    sight = Sight.of(shot.pixels, shot.confidence, shot.sigma, shot.camera, motion.fps)
    return View(poses, transl, sight, shot.features)


def _pixels(metres: np.ndarray, transl: np.ndarray, shot: Shot) -> float:
    """Mean of distances in metres at a person in a camera's axes, in its pixels."""
    return float(np.nanmean(metres * shot.camera.focal / np.linalg.norm(transl, axis=1)))
