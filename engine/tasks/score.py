# SPDX-License-Identifier: GPL-3.0-or-later
"""How plausible poses are: of the whole body, of every joint, and over time.

A pose is denoised as if it held a little noise: what the prior would move is what it finds odd. The distance is
compared with those of the prior's own samples, so that a score is a chance: 0.5 is as usual, 0.01 rarer than 99 in 100
samples. Collars are put where the arms' swing puts them in the training data, in poses and samples alike: those of a
rig's own would all be odd. Rare motion is odd without being wrong: 1 in 40 of the test split's poses scores below
0.01, and of those with one joint turned by 20 degrees, half.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from scipy.special import ndtr

from engine.device import pick_device
from engine.diffusion.ode import LikelihoodSettings, log_likelihood
from engine.errors import MotionError
from engine.memory import at_once, within_memory
from engine.motion.collars import ARM_OF, with_derived_collars
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion
from engine.priors.pose_prior import BODY_JOINTS, PosePrior
from engine.priors.weights import load_pose_prior
from engine.tasks.generate import GenerateSettings, generate
from engine.tasks.steps import OnStep, beyond, within

METHODS = ("denoising", "likelihood")
ROWS_AT_ONCE = 1024
LEAST_DISTANCE = 1e-12  # of joints that never move
LEAST_SPREAD = 1e-6
KEPT = 4  # sets of poses to compare with
COUNTED = np.array([joint not in ARM_OF for joint in JOINTS[1:]])
"""(21,) joints that count: the prior knows collars as a function of the arms, of which they tell nothing new."""
EULER_GAMMA = 0.5772156649015329
APART_SECONDS = 0.5
"""Least time between two moments that are told as the worst."""
FILL_TIMES = (0.5,) * 4 + (0.3,) * 4 + (0.1,) * 8 + (0.05,) * 8
"""Diffusion times at which joints that a rig lacks are estimated from the others, in turn. Of 1500 of the test split's
poses without two spine joints, or without hands and toes, the others then score as before: median 0.27 and 0.26 in
place of 0.26, 1 and 5 in 100 below 0.01 in place of 3; at zero those joints make half of all poses odd."""
PREPARE_SHARE = 0.8  # of the time, where poses to compare with are yet to be made
FILL_SHARE = 0.95  # of the time, where there is something to fill in


@dataclass(frozen=True)
class ScoreSettings:
    """How poses are scored.

    Attributes:
        method: of the whole pose: ``denoising``, from its joints' distances; or ``likelihood``, the exact one of the
            probability flow, some fifty times as slow. Joints are always scored by denoising.
        times: diffusion times whose distances are averaged. On validation poses 0.05 alone separates faults as well as
            any set of times from 0.02 to 0.2, and better without noise than with any number of draws.
        samples: of the prior, to compare with; a fourth of them for the likelihood.
        sample_steps: of the sampler that draws them.
        likelihood: see `LikelihoodSettings`.
        seed: of the samples, and of the likelihood's probes.
        device: auto, cpu, cuda or mps.
    """

    method: str = "denoising"
    times: tuple[float, ...] = (0.05,)
    samples: int = 384
    sample_steps: int = 40
    likelihood: LikelihoodSettings = field(default_factory=lambda: LikelihoodSettings(probes=2))
    seed: int = 0
    device: str = "auto"


PRESETS: dict[str, ScoreSettings] = {
    "paper": ScoreSettings("likelihood"),
    "best": ScoreSettings(),
}
"""The paper has no such task; ``paper`` takes the likelihood of its probability flow (eq. 21)."""


@dataclass(frozen=True)
class PoseScores:
    """Plausibility from 0 to 1 per frame: the chance that a sample of the prior is odder.

    Attributes:
        pose: (T,) of the whole body.
        joints: (T, 21) of every joint given the others, in the order of `JOINTS` without the pelvis; 1 where a joint is
            not known, and of collars.
    """

    pose: np.ndarray
    joints: np.ndarray

    def worst(self, count: int, apart: int = 1) -> list[tuple[int, float, str]]:
        """The least plausible frames, worst first: frame, plausibility, and the joint that is oddest there.

        Args:
            count: at most so many.
            apart: least distance in frames between two of them, so that one bad moment is not told many times.
        """
        left = self.pose.copy()
        found: list[tuple[int, float, str]] = []
        while len(found) < count and np.isfinite(left).any():
            frame = int(left.argmin())
            left[max(0, frame - apart + 1) : frame + apart] = np.inf
            found.append((frame, float(self.pose[frame]), JOINTS[1 + int(self.joints[frame].argmin())]))
        return found


@dataclass(frozen=True)
class _Reference:
    """Distances of the prior's samples: normal in the logarithm per joint, and of the oddest joint's, Gumbel.

    Attributes:
        mean, spread: (21,) of the logarithm.
        mode, width: of the Gumbel distribution of the largest standardised distance of a pose.
    """

    mean: np.ndarray
    spread: np.ndarray
    mode: float
    width: float

    @classmethod
    def of(cls, distance: np.ndarray) -> _Reference:
        """Fitted to distances (N, 21) by the moments of those that count."""
        logs = np.log(distance + LEAST_DISTANCE)
        mean, spread = logs.mean(axis=0), np.maximum(logs.std(axis=0), LEAST_SPREAD)
        largest = ((logs - mean) / spread)[:, COUNTED].max(axis=1)
        width = max(float(largest.std()) * np.sqrt(6.0) / np.pi, LEAST_SPREAD)
        return cls(mean, spread, float(largest.mean()) - EULER_GAMMA * width, width)

    def scores(self, distance: np.ndarray, known: np.ndarray) -> PoseScores:
        """Of poses with distances (T, 21), of which those of joints ``known`` (21,) count, but for collars."""
        odd = np.where(known & COUNTED, (np.log(distance + LEAST_DISTANCE) - self.mean) / self.spread, -np.inf)
        chance = -np.expm1(-np.exp(-(odd.max(axis=1) - self.mode) / self.width))
        return PoseScores(chance, ndtr(-odd))


@within_memory
def score(
    motion: BodyMotion | np.ndarray,
    settings: ScoreSettings | None = None,
    prior: PosePrior | None = None,
    on_step: OnStep | None = None,
    known: np.ndarray | None = None,
) -> PoseScores:
    """Score the poses of a clip.

    Args:
        motion: a clip, or poses (T, 22, 3) or (T, 21, 3) axis-angle in radians; the root does not count.
        settings: see `ScoreSettings`; the default is the preset "best".
        prior: the bundled one by default.
        on_step: told (done, total, stage); stops the work by raising.
        known: (22,) or (21,) bool, joints that the poses tell; the others, which a rig may lack, are estimated from
            them and do not count. All by default. Collars are known where their arms are.

    Raises:
        MotionError: no poses, other joints, NaN, or a setting out of range. WeightsError, DeviceError: as named.
    """
    chosen = settings or PRESETS["best"]
    _check(chosen)
    poses = _body(motion.poses if isinstance(motion, BodyMotion) else np.asarray(motion, np.float64))
    device = pick_device(chosen.device)
    prior = (_bundled() if prior is None else prior).to(device)
    if not is_prepared(chosen, prior):
        _samples(prior, chosen, within(on_step, PREPARE_SHARE))
        on_step = beyond(on_step, PREPARE_SHARE)
    reference = _reference(prior, chosen)
    told = np.ones(BODY_JOINTS, bool) if known is None else np.array(known, bool)[-BODY_JOINTS:]
    for collar, arm in ARM_OF.items():
        told[JOINTS.index(collar) - 1] = told[JOINTS.index(arm) - 1]
    if not told.all():
        poses = _filled(poses, told, prior, within(on_step, FILL_SHARE))
        on_step = beyond(on_step, FILL_SHARE)
    found = reference.scores(_distances(poses, prior, chosen, on_step), told)
    if chosen.method == "likelihood":
        mean, spread = _likelihood_reference(prior, chosen)
        nats = _likelihoods(poses, prior, chosen, on_step)
        return PoseScores(ndtr((nats - mean) / spread), found.joints)
    return found


def _check(settings: ScoreSettings) -> None:
    if settings.method not in METHODS:
        raise MotionError(f"There is no method called {settings.method!r}; choose {' or '.join(METHODS)}.")
    if not settings.times or not all(0.0 < t <= 1.0 for t in settings.times):
        raise MotionError("The diffusion times must be above 0 and at most 1.")
    if settings.samples < 8:
        raise MotionError("Ask for at least eight samples to compare with.")


def _body(poses: np.ndarray) -> np.ndarray:
    """(T, 21, 3) without the root, collars where the arms put them."""
    if poses.ndim != 3 or poses.shape[1] not in (BODY_JOINTS, BODY_JOINTS + 1) or poses.shape[2] != 3:
        raise MotionError("Poses need 21 or 22 joints of axis-angle per frame.")
    if len(poses) == 0 or not np.isfinite(poses).all():
        raise MotionError("The poses are empty or hold NaN or infinite values.")
    return with_derived_collars(poses[:, -BODY_JOINTS:])


@lru_cache(maxsize=1)
def _bundled() -> PosePrior:
    return load_pose_prior()


def is_prepared(settings: ScoreSettings, prior: PosePrior | None = None) -> bool:
    """Whether the poses to compare with have been made already: the first score waits for them."""
    return _key(_bundled() if prior is None else prior, settings) in _drawn


_drawn: dict[tuple[PosePrior, int, int, int, str], np.ndarray] = {}


def _key(prior: PosePrior, settings: ScoreSettings) -> tuple[PosePrior, int, int, int, str]:
    return prior, settings.samples, settings.sample_steps, settings.seed, settings.device


def _samples(prior: PosePrior, settings: ScoreSettings, on_step: OnStep | None = None) -> np.ndarray:
    """Poses (N, 21, 3) that the prior makes, kept for the next time."""
    key = _key(prior, settings)
    if key not in _drawn:
        made = GenerateSettings(steps=settings.sample_steps, seed=settings.seed, device=settings.device)
        poses = with_derived_collars(generate(settings.samples, made, prior, _preparing(on_step)))
        while len(_drawn) >= KEPT:
            del _drawn[next(iter(_drawn))]
        _drawn[key] = poses
    return _drawn[key]


def _preparing(on_step: OnStep | None) -> OnStep | None:
    """Someone told of this work by a name that says what it is for."""
    if on_step is None:
        return None
    return lambda done, total, stage: on_step(done, total, "Preparing to compare")


@lru_cache(maxsize=KEPT)
def _reference(prior: PosePrior, settings: ScoreSettings) -> _Reference:
    poses = _samples(prior, settings)
    return _Reference.of(_distances(poses, prior, settings))


@lru_cache(maxsize=KEPT)
def _likelihood_reference(prior: PosePrior, settings: ScoreSettings) -> tuple[float, float]:
    poses = _samples(prior, settings)
    nats = _likelihoods(poses[: settings.samples // 4], prior, settings)
    return float(nats.mean()), max(float(nats.std()), LEAST_SPREAD)


@torch.no_grad()
def _filled(
    poses: np.ndarray, known: np.ndarray, prior: PosePrior, on_step: OnStep | None
) -> np.ndarray:
    """Poses (T, 21, 3) with joints other than ``known`` (21,) as the prior expects them beside the others."""
    device = prior.mean.device
    missing = prior.coordinates_of(torch.from_numpy(~known).to(device))
    filled = poses.copy()
    size = at_once(ROWS_AT_ONCE)
    for begin in range(0, len(poses), size):
        rows = slice(begin, begin + size)
        event = prior.normalise(torch.from_numpy(poses[rows]).float().to(device))
        event = torch.where(missing, 0.0, event)
        for time in FILL_TIMES:
            t = torch.full((1,), time, device=device)
            alpha, _ = prior.sde.marginal(t)
            event = torch.where(missing, prior.estimate(alpha * event, t).x0, event)
        filled[rows] = np.where(known[:, None], poses[rows], prior.denormalise(event).double().cpu().numpy())
        if on_step:
            on_step(begin + len(event), len(poses), "Filling in missing joints")
    return filled


@torch.no_grad()
def _distances(
    poses: np.ndarray, prior: PosePrior, settings: ScoreSettings, on_step: OnStep | None = None
) -> np.ndarray:
    """(T, 21) mean over times of |x0_hat(alpha x0) - x0|^2, of each joint's coordinates."""
    device = prior.mean.device
    total = np.zeros((len(poses), BODY_JOINTS))
    size = at_once(ROWS_AT_ONCE)
    for begin in range(0, len(poses), size):
        rows = slice(begin, begin + size)
        event = prior.normalise(torch.from_numpy(poses[rows]).float().to(device))
        for time in settings.times:
            t = torch.full((1,), time, device=device)
            alpha, _ = prior.sde.marginal(t)
            miss = prior.estimate(alpha * event, t).x0 - event
            total[rows] += (miss**2).unflatten(1, (BODY_JOINTS, -1)).sum(dim=2).double().cpu().numpy()
        if on_step:
            on_step(begin + len(event), len(poses), "Denoising poses")
    return total / len(settings.times)


def _likelihoods(
    poses: np.ndarray, prior: PosePrior, settings: ScoreSettings, on_step: OnStep | None = None
) -> np.ndarray:
    """(T,) nats."""
    nats = np.empty(len(poses))
    size = at_once(ROWS_AT_ONCE)
    for begin in range(0, len(poses), size):
        rows = slice(begin, begin + size)
        event = prior.normalise(torch.from_numpy(poses[rows]).float().to(prior.mean.device))

        def tell(done: int, total: int, first: int = begin, count: int = len(event)) -> None:
            if on_step:
                on_step(first + count * done // total, len(poses), "Measuring likelihoods")

        seeds = np.full(len(event), settings.seed)
        found = log_likelihood(
            prior.estimate, prior.sde, event, seeds, settings.likelihood, on_iteration=tell
        )
        nats[rows] = found.cpu().numpy()
    return nats
