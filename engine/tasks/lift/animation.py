# SPDX-License-Identifier: GPL-3.0-or-later
"""2D keypoints of one person in, animations of the body out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from engine.body.shapes import offsets_of
from engine.errors import MotionError
from engine.memory import within_memory
from engine.motion.motion import BodyMotion, check_rate
from engine.motion.windows import continuous, quat_to_rotvec, rotvec_to_quat
from engine.priors.weights import load_pose_prior
from engine.tasks.fit.camera import Camera
from engine.tasks.lift import clip
from engine.tasks.lift.body import confidences, fit_body
from engine.tasks.lift.camera_space import Sight
from engine.tasks.lift.distance import bone_lengths, find_distance
from engine.tasks.lift.lifters import Lifter, load_lifter
from engine.tasks.lift.pixel_error import pixel_error
from engine.tasks.lift.proportions import rest_lengths, shape_of
from engine.tasks.lift.upright import upright
from engine.tasks.steps import OnStep, Stage
from engine.tasks.wiener import smooth_body

FEWEST = 4
"""Joints that a frame must show to have a say of its own."""
MOST_HYPOTHESES = 1000


@dataclass(frozen=True)
class LiftSettings:
    """How keypoints become an animation.

    Attributes:
        prior: one of `engine.tasks.lift.lifters.PRIORS`.
        hypotheses: drawn of every frame.
        keep: animations to make of them, distinct and the best first.
        steps: of the sampler; None for what the prior usually takes.
        height: of the person in metres; None for an adult's. What the person is larger, they are farther away.
        world: turn the world upright and put a floor under the feet, instead of leaving the camera's axes.
        seed: of the draws.
        device: auto, cpu, cuda or mps.
    """

    prior: str = "gfpose"
    hypotheses: int = 20
    keep: int = 1
    steps: int | None = None
    height: float | None = None
    world: bool = False
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if not 1 <= self.hypotheses <= MOST_HYPOTHESES:
            raise MotionError(f"Draw from 1 to {MOST_HYPOTHESES} hypotheses, not {self.hypotheses}.")
        if not 1 <= self.keep <= self.hypotheses:
            raise MotionError(f"Of {self.hypotheses} hypotheses, {self.keep} animations cannot be made; ask for fewer.")
        if self.steps is not None and self.steps < 1:
            raise MotionError(f"A sampler takes at least one step, not {self.steps}.")


@dataclass(frozen=True)
class Lifted:
    """Animations, and what is known of them.

    Attributes:
        motions: N, the best first; in the camera's axes (the camera at 0, Y up, looking along -Z) or, where asked for,
            the world's.
        betas: (10,) shape of the bundled body, which the motions' offsets are; None where the offsets were given.
        confidence: (T, 22) from 0 to 1, how far each joint's rotation is told by what was seen.
        distance: (T,) metres from the camera to the pelvis.
        spread: (T,) metres, standard deviation of the hypotheses, mean over the joints.
        error: (N,) mean distance in pixels of the bodies' joints from the keypoints, weighted by confidence.
        shown: (T,) bool, frames that show the person.
        pitch: of the camera in radians, where the world was asked for.
    """

    motions: tuple[BodyMotion, ...]
    betas: np.ndarray | None
    confidence: np.ndarray
    distance: np.ndarray
    spread: np.ndarray
    error: np.ndarray
    shown: np.ndarray
    pitch: float | None


@within_memory
def lift(
    pixels: np.ndarray,
    confidence: np.ndarray,
    sigma: np.ndarray | None,
    camera: Camera,
    fps: float,
    settings: LiftSettings | None = None,
    offsets: np.ndarray | None = None,
    on_step: OnStep | None = None,
    lifter: Lifter | None = None,
    draws: np.ndarray | None = None,
) -> Lifted:
    """Animate the body from 2D keypoints.

    Args:
        pixels: (T, 17, 2) in the order of `engine.motion.h36m.JOINTS`.
        confidence: (T, 17) from 0, not seen, to 1.
        sigma: (T, 17) standard deviations in pixels, NaN where unknown; or None.
        camera: what saw them.
        fps: frames per second.
        settings: see `LiftSettings`.
        offsets: (22, 3) rest offsets in metres of the body to animate; by default the bundled body of the person's
            proportions, as far as they show.
        on_step: told (done, total, stage); stops by raising.
        lifter: in place of the one that the settings name.
        draws: (T, N, 17, 2) places in pixels drawn from a detector's heatmaps, for DiffPose's start; or None.

    Raises:
        MotionError: the keypoints cannot be used, or nobody is seen. WeightsError, DeviceError: as named.
    """
    chosen = settings or LiftSettings()
    check_rate(fps)
    sight = Sight.of(pixels, confidence, sigma, camera, fps, draws)
    shown = (sight.confidence > 0).sum(axis=1) >= FEWEST
    if not shown.any():
        raise MotionError(f"No frame shows {FEWEST} joints of the person; choose another person.")
    rows = np.flatnonzero(shown)
    within = slice(rows[0], rows[-1] + 1)
    total = len(sight)
    draw = lifter or load_lifter(chosen.prior, chosen.steps, chosen.seed, chosen.device)
    part = sight.rows(within)

    Stage(on_step, total, 0.0, 0.0, "Finding the distance")(0.0)
    body = rest_lengths(offsets_of(shape_of(height=chosen.height)[None])[0] if offsets is None else offsets)
    metres = find_distance(part, draw, body, fps)
    stage = Stage(on_step, total, 0.1, 0.8, "Lifting")
    hypotheses = draw(part.seen(metres), chosen.hypotheses, lambda done, of: stage(done / of)).double()

    betas = None
    if offsets is None:
        measured = bone_lengths(part, part.ahead(hypotheses, metres), metres, body, fps)
        betas = shape_of(measured, chosen.height)
        offsets = offsets_of(betas[None])[0]
    paths = _animations(part, hypotheses.numpy(), metres, shown[within], fps, chosen.keep)
    spread = np.where(shown[within, None, None], clip.spread(hypotheses.numpy()), np.inf)

    prior, motions, errors = load_pose_prior(), [], []
    for place, joints in enumerate(paths):
        first, last = (0.8 + 0.2 * n / len(paths) for n in (place, place + 1))
        stage = Stage(on_step, total, first, last, "Fitting the body")

        def fitted(done: int, of: int, _: str, stage: Stage = stage) -> None:
            stage(done / of)

        motion = fit_body(
            part.ahead(torch.from_numpy(joints)[:, None], metres)[:, 0],
            np.minimum(spread, clip.APART),
            shown[within],
            part.turns,
            offsets,
            fps,
            prior,
            chosen.seed,
            chosen.device,
            fitted,
        )
        motion = _held(_calmed(motion), rows[0], total)
        errors.append(pixel_error(motion, pixels, sight.confidence, camera))
        motions.append(motion)
    pitch = None
    if chosen.world:
        standing, pitch = upright(motions[0])
        motions = [standing, *(_as(motion, motions[0], standing) for motion in motions[1:])]
    before, after = rows[0], total - rows[-1] - 1

    def everywhere(values: np.ndarray) -> np.ndarray:
        return np.pad(values, [(before, after), *[(0, 0)] * (values.ndim - 1)], mode="edge")

    trust = np.where(shown[:, None], everywhere(confidences(np.where(np.isfinite(spread), spread, 1e3))), 0.0)
    size = np.linalg.norm(clip.spread(hypotheses.numpy()), axis=-1).mean(axis=1)
    return Lifted(tuple(motions), betas, trust, everywhere(metres), everywhere(size), np.array(errors), shown, pitch)


def _animations(
    sight: Sight, hypotheses: np.ndarray, metres: np.ndarray, shown: np.ndarray, fps: float, keep: int
) -> list[np.ndarray]:
    """Of hypotheses (T, S, 17, 3) in the image frame, ``keep`` animations (T, 17, 3) in it, smooth in time."""
    pelvis = hypotheses[:, :, :1]
    seen = sight.tangents * metres[:, None, None] - pelvis[..., :2].mean(axis=1)
    paths = clip.choose_paths(hypotheses - pelvis, fps, keep, seen, sight.doubt(metres))
    doubt = np.where(shown[:, None, None], clip.spread(hypotheses), np.inf)
    return [clip.smoothed(clip.settled(hypotheses, path), doubt, fps) for path in paths]


def _calmed(motion: BodyMotion) -> BodyMotion:
    """Without the jitter of frames that were fitted each by itself."""
    found = smooth_body(continuous(rotvec_to_quat(motion.poses)), motion.transl, motion.fps)
    return replace(motion, poses=quat_to_rotvec(found.quat), transl=found.transl)


def _held(motion: BodyMotion, first: int, total: int) -> BodyMotion:
    """The motion from frame ``first`` of ``total``, its ends held before and after."""
    index = np.clip(np.arange(total) - first, 0, len(motion) - 1)
    return replace(motion, poses=motion.poses[index], transl=motion.transl[index])


def _as(motion: BodyMotion, before: BodyMotion, after: BodyMotion) -> BodyMotion:
    """A motion turned and moved as ``before`` was to be ``after``."""
    turn = Rotation.from_rotvec(after.poses[0, 0]) * Rotation.from_rotvec(before.poses[0, 0]).inv()
    poses = motion.poses.copy()
    poses[:, 0] = (turn * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    return replace(motion, poses=poses, transl=turn.apply(motion.transl - before.transl[0]) + after.transl[0])

