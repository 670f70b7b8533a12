# SPDX-License-Identifier: GPL-3.0-or-later
"""Missing joints over a clip: hypotheses that move as one, join what is known, and stay plausible in between.

All frames share each candidate's latent, and deterministic DDIM is continuous in what is known, so a candidate is a
motion, not a heap of poses. Next to known frames the most probable motion under the learned dynamics (as in Clean
Motion) knows best; far from them, or where a joint is never known, the candidate does. The two are blended by the
time to the nearest known frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from engine.device import pick_device
from engine.errors import MotionError
from engine.memory import at_once, within_memory
from engine.motion.motion import BodyMotion
from engine.motion.windows import (
    continuous,
    exp_around,
    log_around,
    quat_to_rotvec,
    rotvec_to_quat,
)
from engine.priors.conditional_prior import ConditionalPrior
from engine.priors.conditional_weights import load_conditional_prior
from engine.priors.motion_weights import load_motion_prior
from engine.priors.pose_gaussian import PoseGaussian
from engine.priors.spectra_file import load as load_spectra
from engine.tasks.complete import (
    MOST_HYPOTHESES,
    PRESETS,
    ROWS_AT_ONCE,
    Conditional,
    complete_poses,
    differences,
    draw_candidates,
)
from engine.tasks.completion_reference import completion_reference
from engine.tasks.evidence import CHANNELS, has_place
from engine.tasks.hypotheses import cluster
from engine.tasks.motion_estimate import estimate_motion, sample_motion
from engine.tasks.steps import OnStep, Stage
from engine.tasks.temporal import fill_gaps, gap_seconds

CLIP_PRIORS = ("motion", "pose")
KEY_RATE = (
    15.0  # candidates are drawn at so many frames per second and interpolated: limbs move slower than that
)
CALM_SECONDS = 0.15
"""Standard deviation of the Gaussian by which what a sample of the motion prior adds to the mean is smoothed: samples
tremble, as the prior learned its noise from captures."""
EDGE_SECONDS = 0.25  # over which it sets in beside a known frame
SMOOTH_SECONDS = 0.1  # standard deviation of the Gaussian that a candidate is smoothed by


@dataclass(frozen=True)
class CompleteClipSettings:
    """How to complete a clip.

    Attributes:
        hypotheses: how many, S.
        solver: candidates per clip, DDIM steps and doubt.
        reach: seconds from a known frame at which the candidate weighs as much as the dynamics.
        seed: of all randomness.
        device: auto, cpu, cuda or mps.
        prior: ``motion``, the motion prior: the first hypothesis is the mean of all motions that agree with what is
            known, the others are some of them; or ``pose``, candidates of the conditional pose prior.
    """

    hypotheses: int = 4
    solver: Conditional = field(default_factory=lambda: Conditional(candidates=24))
    reach: float = 1.0
    seed: int = 0
    device: str = "auto"
    prior: str = "motion"


@dataclass(frozen=True)
class ClipCompletion:
    """Completed clips, the likeliest first.

    Attributes:
        motions: S clips; known joints, the root and its path are bit-equal to the input.
        share: (S,) part of the candidates that each stands for.
    """

    motions: tuple[BodyMotion, ...]
    share: np.ndarray


@within_memory
def complete_clip(
    motion: BodyMotion,
    known: np.ndarray,
    settings: CompleteClipSettings | None = None,
    conditional: ConditionalPrior | None = None,
    on_step: OnStep | None = None,
) -> ClipCompletion:
    """Complete the missing joints of a clip.

    Args:
        motion: the clip; what is in unknown joints does not matter.
        known: (21,) or (T, 21) bool.
        settings: see `CompleteClipSettings`.
        conditional: the prior; the bundled one by default.
        on_step: told (done, total, stage); stops the work by raising.

    Raises:
        MotionError: no joint is missing, or no hypothesis is asked for. WeightsError, DeviceError: as named.
    """
    chosen = settings or CompleteClipSettings()
    known = np.array(np.broadcast_to(known, (len(motion), motion.poses.shape[1] - 1)))
    if known.all():
        raise MotionError("No joint is missing; name the joints or limbs to complete.")
    if not 1 <= chosen.hypotheses <= MOST_HYPOTHESES:
        raise MotionError(f"Ask for at least one hypothesis and at most {MOST_HYPOTHESES}.")
    if chosen.prior not in CLIP_PRIORS:
        raise MotionError(f"There is no prior called {chosen.prior!r}; choose {' or '.join(CLIP_PRIORS)}.")
    if chosen.prior == "motion":
        return _by_motion(motion, known, chosen, on_step)
    prior = (conditional or load_conditional_prior()).to(pick_device(chosen.device))
    quat = continuous(rotvec_to_quat(motion.poses[:, 1:]))
    tracks = _candidates(motion.poses[:, 1:], known, motion.fps, chosen, prior, on_step)
    picked, share = _choose(tracks, known, chosen)
    filled = _fill(quat, known, motion.fps)
    results = []
    for track in tracks[picked]:
        solved = _joined(rotvec_to_quat(track), filled, quat, known, motion.fps, chosen.reach)
        poses = motion.poses.copy()
        poses[:, 1:] = np.where(known[..., None], motion.poses[:, 1:], quat_to_rotvec(solved))
        results.append(replace(motion, poses=poses))
    return ClipCompletion(tuple(results), share)


def _by_motion(
    motion: BodyMotion, known: np.ndarray, settings: CompleteClipSettings, on_step: OnStep | None
) -> ClipCompletion:
    """The motion prior's mean, and samples of it."""
    count = settings.hypotheses
    stage = Stage(on_step, len(motion), 0.0, 1.0, "Completing the motion")
    stage(0.0)
    prior, frames = load_motion_prior(), len(motion)
    quat = continuous(rotvec_to_quat(motion.poses))
    given = np.concatenate([np.ones((frames, 1), bool), known, np.ones((frames, 1), bool)], axis=1)
    evidence = completion_reference(
        quat,
        motion.transl,
        given,
        motion.fps,
        PoseGaussian.load(),
        np.zeros(CHANNELS),
        has_place(quat, motion.transl),
    )
    found = estimate_motion(evidence, motion.fps, prior, settings.device, lambda s: stage(s / count))
    tracks = [found.quat]
    for number in range(1, count):

        def tell(share: float, done: int = number) -> None:
            stage((done + share) / count)

        seed = settings.seed + number
        sample, _ = sample_motion(evidence, motion.fps, prior, seed, device=settings.device, advance=tell)
        tracks.append(_calmed(sample, found.quat, known, motion.fps))
    results = []
    for track in tracks:
        poses = motion.poses.copy()
        poses[:, 1:] = np.where(known[..., None], motion.poses[:, 1:], quat_to_rotvec(track[:, 1:]))
        results.append(replace(motion, poses=poses))
    return ClipCompletion(tuple(results), np.full(count, 1.0 / count))


def _calmed(sample: np.ndarray, mean: np.ndarray, known: np.ndarray, fps: float) -> np.ndarray:
    """A sample (T, 22, 4) without its tremble: its slow way around the mean (T, 22, 4), nought beside known frames."""
    away = gap_seconds(np.pad(known, ((0, 0), (1, 0)), constant_values=True), fps)
    share = np.minimum(away / EDGE_SECONDS, 1.0)
    ease = (share * share * (3.0 - 2.0 * share))[..., None]
    slow = gaussian_filter1d(ease * log_around(mean, sample), CALM_SECONDS * fps, axis=0, mode="nearest")
    return exp_around(mean, ease * slow)


def complete_frames(
    motion: BodyMotion,
    known: np.ndarray,
    preset: str,
    hypotheses: int,
    seed: int,
    device: str = "auto",
    on_step: OnStep | None = None,
) -> ClipCompletion:
    """Complete every frame by itself, as the paper does; hypotheses have nothing to do with their neighbours in time.

    Args:
        motion, known, on_step: as for `complete_clip`.
        preset: a key of `engine.tasks.complete.PRESETS`.
        hypotheses, seed, device: as in `CompleteSettings`.

    Raises:
        As `complete_clip`.
    """
    known = np.broadcast_to(known, (len(motion), motion.poses.shape[1] - 1))
    rows = ~known.all(axis=1)
    if not rows.any():
        raise MotionError("No joint is missing; name the joints or limbs to complete.")
    settings = replace(PRESETS[preset], hypotheses=hypotheses, seed=seed, device=device)
    found = complete_poses(motion.poses[rows, 1:], known[rows], settings, on_step=on_step)
    motions = []
    for solved in found.poses:
        poses = motion.poses.copy()
        poses[rows, 1:] = solved
        motions.append(replace(motion, poses=poses))
    return ClipCompletion(tuple(motions), found.share.mean(axis=1))


def _candidates(
    poses: np.ndarray,
    known: np.ndarray,
    fps: float,
    settings: CompleteClipSettings,
    prior: ConditionalPrior,
    on_step: OnStep | None,
) -> np.ndarray:
    """(C, T, 21, 3) candidate motions, smooth in time; known joints as they are."""
    frames = len(poses)
    count = max(settings.solver.candidates, settings.hypotheses)
    stride = max(1, round(fps / KEY_RATE))
    # Where a joint's status changes there is a key, so that nothing is interpolated across the change.
    changes = np.flatnonzero((known[1:] != known[:-1]).any(axis=1))
    keys = np.unique(np.concatenate([np.arange(0, frames, stride), [frames - 1], changes, changes + 1]))
    given = np.where(known[..., None], poses, 0.0)
    latents = np.random.SeedSequence(settings.seed).generate_state(count, np.uint64)
    stage = Stage(on_step, frames, 0.0, 0.9, "Completing poses")
    size = max(1, at_once(ROWS_AT_ONCE) // count)
    events = []
    for begin in range(0, len(keys), size):
        rows = keys[begin : begin + size]
        seeds = np.repeat(latents, len(rows))
        event = draw_candidates(given[rows], known[rows], seeds, settings.solver, prior)
        events.append(prior.denormalise(event).cpu().numpy())
        stage((begin + len(rows)) / len(keys))
    at_keys = np.concatenate(events, axis=1)
    right = np.clip(np.searchsorted(keys, np.arange(frames)), 1, max(1, len(keys) - 1))
    left = right - 1
    right = np.minimum(right, len(keys) - 1)
    share = ((np.arange(frames) - keys[left]) / np.maximum(keys[right] - keys[left], 1))[:, None, None]
    tracks = (1.0 - share) * at_keys[:, left] + share * at_keys[:, right]
    smooth = gaussian_filter1d(tracks, SMOOTH_SECONDS * fps, axis=1, mode="nearest")
    return np.where(known[None, ..., None], poses[None], smooth)


def _choose(
    tracks: np.ndarray, known: np.ndarray, settings: CompleteClipSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Indices (S,) of the candidates nearest to the middle of each cluster of motions, and the clusters' shares."""
    missing = np.flatnonzero(~known.all(axis=1))
    sampled = missing[np.linspace(0, len(missing) - 1, min(len(missing), 64)).round().astype(int)]
    placed = differences(torch.from_numpy(tracks[:, sampled]).float(), known[sampled]).flatten(1)
    generator = torch.Generator().manual_seed(settings.seed)
    labels = cluster(placed[None], settings.hypotheses, generator)[0]
    picked, share = [], []
    for label in range(settings.hypotheses):
        members = torch.nonzero(labels == label)[:, 0]
        if not len(members):  # fewer distinct motions than hypotheses: repeat the likeliest
            members = torch.nonzero(labels == 0)[:, 0]
            share.append(0.0)
        else:
            share.append(len(members) / len(tracks))
        middle = placed[members].mean(dim=0)
        picked.append(int(members[(placed[members] - middle).norm(dim=1).argmin()]))
    return np.array(picked), np.array(share)


def _fill(quat: np.ndarray, known: np.ndarray, fps: float) -> np.ndarray:
    """(T, 21, 4) with gaps filled by the dynamics; joints that are never known are left to the candidates."""
    ever = known.any(axis=0)
    if not ever.any() or known[:, ever].all():
        return quat
    held = np.where((known | ~ever)[..., None], quat, np.array([1.0, 0.0, 0.0, 0.0]))
    held = np.where(ever[:, None], held, np.array([1.0, 0.0, 0.0, 0.0]))
    return fill_gaps(held, known | ~ever, load_spectra()["body"], fps)


def _joined(
    track: np.ndarray, filled: np.ndarray, quat: np.ndarray, known: np.ndarray, fps: float, reach: float
) -> np.ndarray:
    """Candidate and dynamics blended by the time to the nearest known frame of each joint, (T, 21, 4)."""
    away = gap_seconds(known, fps)
    weight = np.where(np.isinf(away), 1.0, away**2 / (np.where(np.isinf(away), 0.0, away) ** 2 + reach**2))
    between = exp_around(filled, weight[..., None] * log_around(filled, track))
    return np.where(known[..., None], quat, between)

