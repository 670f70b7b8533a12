# SPDX-License-Identifier: GPL-3.0-or-later
"""An animation refined to what cameras saw of it, in the axes that it is in, or several of one person to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from scipy.spatial.transform import Rotation

from engine.diffusion.guidance import Guidance
from engine.errors import MotionError
from engine.motion.motion import BodyMotion
from engine.priors.rotation_prior import RotationPrior
from engine.tasks.fit.camera import Camera
from engine.tasks.lift.camera_space import Sight
from engine.tasks.lift.pixel_error import pixel_error
from engine.tasks.refine.refine import RefinedPoses, RefinedView, RefineSettings, View, preset, refine
from engine.tasks.steps import OnStep

LEAST_CERTAIN = 1e-9
"""Weight of a camera that saw nothing, beside others that did: where none did, all count alike."""


@dataclass(frozen=True)
class Shot:
    """A camera before an animation, and the keypoints it saw.

    Attributes:
        turn: T rotations of the camera's axes (it looks along -Z, up is Y) in the animation's, or one for all frames.
        place: (T, 3) metres, where it is, or (3,).
        camera: focal length and centre; None, like the keypoints, where there are none.
        pixels: (T, 17, 2) in the order of `engine.motion.h36m.JOINTS`.
        confidence: (T, 17) from 0, not seen, to 1.
        sigma: (T, 17) standard deviations in pixels, NaN where unknown; or None.
        features: (T, F) of the pictures, see `View`.
    """

    turn: Rotation
    place: np.ndarray
    camera: Camera | None = None
    pixels: np.ndarray | None = None
    confidence: np.ndarray | None = None
    sigma: np.ndarray | None = None
    features: np.ndarray | None = None


@dataclass(frozen=True)
class RefinedMotion:
    """What came of it.

    Attributes:
        motion: the animation, its offsets those of the shape found where that was asked for.
        betas: (10,) added to the shape.
        before, after: for each camera, mean distance in pixels of the animation as it was and as it is from the
            keypoints; NaN where it saw none.
        rounds, evaluations: means over the frames, of the loop and of the network for each camera.
    """

    motion: BodyMotion
    betas: np.ndarray
    before: tuple[float, ...]
    after: tuple[float, ...]
    rounds: float
    evaluations: float


@dataclass(frozen=True)
class _Stand:
    """Where a camera is: T rotations of its axes in the animation's, and places (T, 3)."""

    turn: Rotation
    place: np.ndarray

    @classmethod
    def of(cls, shot: Shot, frames: int) -> _Stand:
        quat = np.atleast_2d(shot.turn.as_quat())
        if len(quat) not in (1, frames) or np.shape(shot.place) not in ((3,), (frames, 3)):
            raise MotionError("A camera needs one orientation and place, or as many as the animation has frames.")
        turn = Rotation.from_quat(np.broadcast_to(quat, (frames, 4)))
        return cls(turn, np.broadcast_to(shot.place, (frames, 3)))

    def sees(self, motion: BodyMotion) -> BodyMotion:
        """An animation in the camera's axes."""
        poses = motion.poses.copy()
        poses[:, 0] = (self.turn.inv() * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
        return replace(motion, poses=poses, transl=self.turn.inv().apply(motion.transl - self.place))


def refine_motion(
    motion: BodyMotion,
    shots: Sequence[Shot] = (),
    settings: RefineSettings | None = None,
    prior: RotationPrior | None = None,
    extra: Guidance | None = None,
    on_step: OnStep | None = None,
    held: np.ndarray | None = None,
) -> RefinedMotion:
    """Refine an animation until it agrees with keypoints, or just until it is smooth.

    Several cameras may be as they are, placed or not quite: each refines the person in its own axes, they agree on the
    body's pose (eq. 13), and the root is where they have it on average, each as far as it can tell. A frame that
    nothing guides stays as it is; where frames hang together, one that no camera saw goes along with those around.

    Args:
        motion: the animation.
        shots: cameras, all of whose frames are the animation's; without any, one stands level before it, and sees
            nothing.
        settings: by default the best for so many cameras.
        prior, extra, on_step: see `engine.tasks.refine.refine.refine`.
        held: (22,) bool, joints that stay as they are; with the root, the path does.

    Raises:
        MotionError: shapes do not fit, a number is not finite, or nothing guides. WeightsError, DeviceError: as named.
    """
    chosen = settings or preset("best", max(1, len(shots)))
    shots = shots or [Shot(Rotation.identity(), np.zeros(3))]
    stands = [_Stand.of(shot, len(motion)) for shot in shots]
    views = [
        replace(_view(stand.sees(motion), shot), turn=stand.turn.as_matrix(), place=stand.place)
        for stand, shot in zip(stands, shots, strict=True)
    ]
    found = refine(views, motion.offsets, motion.fps, chosen, prior, extra, on_step, held)
    made = together(motion, found, [(stand.turn, stand.place) for stand in stands])
    if not (extra or (chosen.smooth and len(motion) > 1)):
        seen = np.any([view.sight.confidence > 0 for view in views if view.sight is not None], axis=(0, 2))
        made = replace(
            made,
            poses=np.where(seen[:, None, None], made.poses, motion.poses),
            transl=np.where(seen[:, None], made.transl, motion.transl),
        )
    if held is not None:
        poses = np.where(held[:, None], motion.poses, made.poses)
        made = replace(made, poses=poses, transl=motion.transl if held[0] else made.transl)
    made = replace(made, offsets=_offsets(motion, found))
    before, after = ([pixels_off(which, shot) for shot in shots] for which in (motion, made))
    return _told(made, found, before, after)


def pixels_off(motion: BodyMotion, shot: Shot) -> float:
    """Mean distance in pixels of an animation from what a camera saw of it; NaN where it saw nothing."""
    return _error(_Stand.of(shot, len(motion)).sees(motion), shot)


def refine_views(
    motions: Sequence[BodyMotion],
    shots: Sequence[Shot],
    settings: RefineSettings | None = None,
    prior: RotationPrior | None = None,
    extra: Guidance | None = None,
    on_step: OnStep | None = None,
) -> RefinedMotion:
    """Refine one person's animation in several views until they agree on the body's pose (eq. 13), and with keypoints.

    Nobody knows where the cameras are to each other: each animation is in axes of its own.

    Args:
        motions: of the same frames; their shape is the first's.
        shots: the camera of each, in that animation's axes; it may have seen nothing.
        settings: by default the best for so many views.
        prior, extra, on_step: see `engine.tasks.refine.refine.refine`.

    Returns:
        The first animation: its own root before its own camera, with the pose that all views have on average.

    Raises:
        MotionError: shapes do not fit, a number is not finite, or nothing guides. WeightsError, DeviceError: as named.
    """
    if not motions or len(motions) != len(shots):
        raise MotionError(f"{len(motions)} animations of one person need as many cameras, not {len(shots)}.")
    first = motions[0]
    if any(len(motion) != len(first) or motion.fps != first.fps for motion in motions):
        raise MotionError("The animations of one person must have the same frames; cut them to what all cameras saw.")
    stands = [_Stand.of(shot, len(motion)) for shot, motion in zip(shots, motions, strict=True)]
    own = [stand.sees(motion) for stand, motion in zip(stands, motions, strict=True)]
    views = [_view(motion, shot) for motion, shot in zip(own, shots, strict=True)]
    chosen = settings or preset("best", len(views))
    found = refine(views, first.offsets, first.fps, chosen, prior, extra, on_step)
    offsets = _offsets(first, found)
    mean = _mean([_matrices(view.poses[:, 1:]) for view in found.views], _certainties(found.views))
    body = Rotation.from_matrix(mean.reshape(-1, 3, 3)).as_rotvec().reshape(len(first), -1, 3)
    agreed = [
        replace(motion, poses=np.concatenate([view.poses[:, :1], body], axis=1), transl=view.transl, offsets=offsets)
        for motion, view in zip(own, found.views, strict=True)
    ]
    before, after = ([_error(m, shot) for m, shot in zip(which, shots, strict=True)] for which in (own, agreed))
    turn, place = stands[0].turn, stands[0].place
    poses = agreed[0].poses.copy()
    poses[:, 0] = (turn * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    placed = np.where(_certain(found.views[0])[:, None], turn.apply(agreed[0].transl) + place, first.transl)
    made = replace(agreed[0], poses=poses, transl=placed)
    return _told(made, found, before, after)


def together(
    motion: BodyMotion, found: RefinedPoses, cameras: Sequence[tuple[Rotation, np.ndarray]]
) -> BodyMotion:
    """One animation of what cameras, T rotations and places (T, 3) each, made of it; those count that saw most."""
    frames = len(motion)
    turns = [_matrices(view.poses) for view in found.views]
    sure, places = np.zeros((frames, 3, 3)), np.zeros((frames, 3))
    for (turn, place), view, local in zip(cameras, found.views, turns, strict=True):
        axes = turn.as_matrix()
        local[:, 0] = axes @ local[:, 0]
        certainty = axes @ view.certainty @ np.swapaxes(axes, 1, 2)
        sure += certainty
        places += np.einsum("txy,ty->tx", certainty, turn.apply(view.transl) + place)
    mean = _mean(turns, _certainties(found.views))
    known = np.any([_certain(view) for view in found.views], axis=0)
    transl = motion.transl.copy()
    transl[known] = np.linalg.solve(sure[known], places[known][..., None])[..., 0]
    poses = Rotation.from_matrix(mean.reshape(-1, 3, 3)).as_rotvec().reshape(motion.poses.shape)
    return replace(motion, poses=poses, transl=transl)


def _certain(view: RefinedView) -> np.ndarray:
    """(T,) bool, whether a view has moved the pelvis."""
    return np.linalg.eigvalsh(view.certainty)[:, 0] > 0


def _certainties(views: Sequence[RefinedView]) -> np.ndarray:
    """(V, T) how much each view counts."""
    return LEAST_CERTAIN + np.stack([np.trace(view.certainty, axis1=1, axis2=2) for view in views])


def _matrices(poses: np.ndarray) -> np.ndarray:
    """(T, J, 3, 3) of rotation vectors (T, J, 3)."""
    return Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(*poses.shape, 3)


def _mean(turns: Sequence[np.ndarray], weight: np.ndarray) -> np.ndarray:
    """The rotations (T, J, 3, 3) nearest to the mean of V matrices each, by weights (V, T).

    The chordal mean (Hartley et al. 2013, sec. 5.3).
    """
    mean = sum(w[:, None, None, None] * turn for w, turn in zip(weight / weight.sum(axis=0), turns, strict=True))
    return roma.special_procrustes(torch.from_numpy(np.asarray(mean))).numpy()


def _view(motion: BodyMotion, shot: Shot) -> View:
    """An animation in a camera's axes, with what it saw."""
    sight = None
    if shot.camera is not None and shot.pixels is not None and shot.confidence is not None:
        sight = Sight.of(shot.pixels, shot.confidence, shot.sigma, shot.camera, motion.fps)
    return View(motion.poses, motion.transl, sight, shot.features)


def _offsets(motion: BodyMotion, found: RefinedPoses) -> np.ndarray:
    """Rest offsets (22, 3) of the shape that was found."""
    if not found.betas.any():
        return motion.offsets
    from engine.tasks.fit.state import shape_basis

    return motion.offsets + shape_basis() @ found.betas


def _error(motion: BodyMotion, shot: Shot) -> float:
    """Mean distance in pixels of an animation in a camera's axes from what it saw; NaN where it saw nothing."""
    if shot.camera is None or shot.pixels is None or shot.confidence is None:
        return float("nan")
    return pixel_error(motion, shot.pixels, shot.confidence, shot.camera)


def _told(motion: BodyMotion, found: RefinedPoses, before: Sequence[float], after: Sequence[float]) -> RefinedMotion:
    rounds, evaluations = float(found.rounds.mean()), float(found.evaluations.mean())
    return RefinedMotion(motion, found.betas, tuple(before), tuple(after), rounds, evaluations)
