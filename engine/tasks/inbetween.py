# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames between keys: the keys and what lies outside them stay bit-equal, the gaps are filled.

Two estimates are joined, as measured on the validation split: a spline in tension, which knows how the body moved on
either side of a gap, and the most probable motion under the learned dynamics (as in Clean Motion), which knows how
joints move together. The default goes on from there with the motion prior, which knows how motions go on; its samples
are the variations. The pose prior's pull made the error larger at every length of gap and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import idct

from engine.errors import MotionError
from engine.memory import within_memory
from engine.motion.motion import BodyMotion
from engine.motion.tension_spline import fill_curves, fill_rotations
from engine.motion.windows import (
    continuous,
    exp_around,
    log_around,
    quat_to_rotvec,
    rotvec_to_quat,
)
from engine.packages import need_torch
from engine.priors.dynamics import Dynamics
from engine.priors.spectra_file import load as load_spectra
from engine.tasks.steps import OnStep, Stage
from engine.tasks.temporal import CONTEXT_SECONDS, fill_gaps

if TYPE_CHECKING:
    from engine.priors.pose_prior import PosePrior

METHODS = ("prior", "motion", "latent", "linear")
LEARNED = ("prior", "latent")
"""Methods that need PyTorch."""
TRUST_SECONDS = 0.25  # length of a gap over which prior and spline are trusted alike; on the validation split
REACH_SECONDS = 1.0
"""Of what lies around a gap, so much is looked at: the spline's tension forgets sooner."""

MOST_VARIATION = 3.0


@dataclass(frozen=True)
class InbetweenSettings:
    """How gaps between keys are filled.

    Attributes:
        method: ``prior`` is the motion prior; ``motion`` joins a spline with the learned dynamics; ``latent`` goes
            through the pose prior's latents (DPoser eq. 22) with the root on an arc; ``linear`` is spherical linear
            interpolation of every joint.
        rotation_scale, path_scale: seconds over which the spline keeps the velocity of rotations and of the root's
            path; see `engine.motion.tension_spline`.
        dynamics_share: weight of the learned dynamics against the spline, 0 to 1.
        variation: 0 for the most likely motion; 1 varies it as much as captured motion varies. It vanishes at keys.
        seed: of the variation.
        device: of the priors: auto, cpu, cuda or mps.
    """

    method: str = "prior"
    rotation_scale: float = 0.1
    path_scale: float = 0.4
    dynamics_share: float = 0.4
    variation: float = 0.0
    seed: int = 0
    device: str = "auto"


PRESETS: dict[str, InbetweenSettings] = {
    "paper": InbetweenSettings("latent"),
    "best": InbetweenSettings(),
}
"""``paper``: latent slerp (sec. C.3), which the paper shows for single poses. ``best``: least error on the validation
split."""


@dataclass(frozen=True)
class _Gap:
    """A gap: the known frames ``left`` and ``right`` that bound it, and the part of the clip that it looks at."""

    left: int
    right: int
    around: slice = field(repr=False)


def inbetween(
    motion: BodyMotion,
    keys: Sequence[int] | np.ndarray,
    settings: InbetweenSettings | None = None,
    prior: PosePrior | None = None,
    on_step: OnStep | None = None,
) -> BodyMotion:
    """Fill the frames between keys.

    Args:
        motion: the clip; what its frames between keys hold does not matter. Frames before the first key and after the
            last are kept and tell how the body moves there.
        keys: frame indices, two at least, in any order.
        settings: see `InbetweenSettings`; the default is the preset "best".
        prior: for ``latent``; the bundled one by default.
        on_step: told (done, total, stage); stops the work by raising.

    Returns:
        The clip with root, body and path filled; keys and frames outside them are bit-equal.

    Raises:
        MotionError: fewer than two keys, a key outside the clip, or a setting out of range.
        PackageError, WeightsError, DeviceError: as named.
    """
    chosen = settings or PRESETS["best"]
    _check(chosen)
    if chosen.method in LEARNED:
        need_torch("The Motion Prior", "the method Spline, which needs none")
    known = _known(keys, len(motion))
    if known.all():
        return motion
    quat = continuous(rotvec_to_quat(motion.poses))
    gaps = _gaps(known, motion.fps)
    stage = Stage(on_step, len(motion), 0.0, 1.0, "Filling the gaps")
    stage(0.0)
    if chosen.method in ("motion", "prior"):
        filled, path = _splined(quat, motion, known, gaps, chosen, stage)
    else:
        filled, path = _arcs(quat, motion, gaps)
    poses = np.where(known[:, None, None], motion.poses, quat_to_rotvec(filled))
    if chosen.method == "latent":
        poses[:, 1:] = _through_latents(motion.poses[:, 1:], known, gaps, chosen, prior, on_step)
    if chosen.method == "prior":
        trust = _trust(gaps, len(motion), motion.fps)
        found, path = _by_prior(quat, filled, motion.transl, path, motion.fps, known, trust, chosen, stage)
        poses = np.where(known[:, None, None], motion.poses, found)
    elif chosen.variation > 0.0:
        poses, path = _varied(poses, path, motion.fps, known, gaps, chosen)
    return replace(motion, poses=poses, transl=np.where(known[:, None], motion.transl, path))


def _check(settings: InbetweenSettings) -> None:
    if settings.method not in METHODS:
        raise MotionError(f"There is no method called {settings.method!r}; choose {', '.join(METHODS)}.")
    if not (settings.rotation_scale > 0.0 and settings.path_scale > 0.0):
        raise MotionError("The scales of the spline must be positive numbers of seconds.")
    if not 0.0 <= settings.dynamics_share <= 1.0:
        raise MotionError("The share of the dynamics must be from 0 to 1.")
    if not 0.0 <= settings.variation <= MOST_VARIATION:
        raise MotionError(
            f"The variation must be from 0 to {MOST_VARIATION}; 1 is as much as captured motion varies."
        )


def _known(keys: Sequence[int] | np.ndarray, frames: int) -> np.ndarray:
    """(T,) bool: keys, and frames that are not between two keys."""
    chosen = np.unique(np.asarray(keys, dtype=np.int64))
    if len(chosen) < 2:
        raise MotionError("Name at least two key frames to fill what lies between them.")
    if chosen[0] < 0 or chosen[-1] >= frames:
        raise MotionError(f"A key is not in the clip, whose frames are 0 to {frames - 1}; correct the keys.")
    known = np.ones(frames, bool)
    known[chosen[0] : chosen[-1]] = False
    known[chosen] = True
    return known


def _gaps(known: np.ndarray, fps: float) -> list[_Gap]:
    edges = np.flatnonzero(known)
    starts = np.flatnonzero(np.diff(edges) > 1)
    reach = max(2, round(REACH_SECONDS * fps))
    return [
        _Gap(int(a), int(b), slice(max(0, int(a) - reach), min(len(known), int(b) + reach + 1)))
        for a, b in zip(edges[starts], edges[starts + 1], strict=True)
    ]


def _trust(gaps: list[_Gap], frames: int, fps: float) -> np.ndarray:
    """(T,) how far the motion prior is followed in each gap: over short ones a spline knows as much."""
    trust = np.ones(frames)
    for gap in gaps:
        seconds = (gap.right - gap.left) / fps
        trust[gap.left : gap.right + 1] = seconds**2 / (seconds**2 + TRUST_SECONDS**2)
    return trust


def _splined(
    quat: np.ndarray,
    motion: BodyMotion,
    known: np.ndarray,
    gaps: list[_Gap],
    settings: InbetweenSettings,
    stage: Stage,
) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (T, 22, 4) and path (T, 3) by spline and dynamics."""
    filled, path, fps = quat.copy(), motion.transl.copy(), motion.fps
    for number, gap in enumerate(gaps):
        here, inner = gap.around, slice(gap.left + 1, gap.right)
        offset = slice(inner.start - here.start, inner.stop - here.start)
        given = known[here]
        rotations = fill_rotations(quat[here], given, gap.left - here.start, fps, settings.rotation_scale)
        filled[inner] = rotations[offset]
        path[inner] = fill_curves(motion.transl[here], given, fps, settings.path_scale)[offset]
        stage(0.5 * (number + 1) / len(gaps))
    if settings.dynamics_share > 0.0:
        reach = round(CONTEXT_SECONDS * fps)
        here = slice(max(0, gaps[0].left - reach), gaps[-1].right + reach)
        every = np.repeat(known[here, None], quat.shape[1] - 1, axis=1)
        probable = fill_gaps(quat[here, 1:], every, load_spectra()["body"], fps)
        spline = filled[here, 1:]
        moved = settings.dynamics_share * log_around(spline, probable)
        filled[here, 1:] = np.where(every[..., None], spline, exp_around(spline, moved))
    return filled, path


def _by_prior(
    quat: np.ndarray,
    filled: np.ndarray,
    transl: np.ndarray,
    path: np.ndarray,
    fps: float,
    known: np.ndarray,
    trust: np.ndarray,
    settings: InbetweenSettings,
    stage: Stage,
) -> tuple[np.ndarray, np.ndarray]:
    """Poses (T, 22, 3) and path (T, 3) by the motion prior, as far as it has ``trust`` (T,), else by the spline.

    The spline's are ``filled`` (T, 22, 4) and ``path`` (T, 3).
    """
    from engine.priors.motion_weights import load_motion_prior
    from engine.tasks.evidence import CHANNELS, gather
    from engine.tasks.motion_estimate import estimate_motion, sample_motion

    prior, device = load_motion_prior(), settings.device
    given = np.repeat(known[:, None], CHANNELS, axis=1)
    reference, none = continuous(filled), np.zeros(CHANNELS)
    evidence = gather(reference, path, quat, transl, given, none, none, fps)
    found = estimate_motion(evidence, fps, prior, device, lambda share: stage(0.5 + 0.25 * share))
    turned = exp_around(reference, trust[:, None, None] * log_around(reference, found.quat))
    moved = path + trust[:, None] * (found.path - path)
    if settings.variation > 0.0:
        other, away = sample_motion(
            evidence, fps, prior, settings.seed, device=device, advance=lambda share: stage(0.75 + 0.25 * share)
        )
        turned = exp_around(turned, settings.variation * log_around(turned, other))
        moved = moved + settings.variation * (away - moved)
    return quat_to_rotvec(turned), moved


def _arcs(quat: np.ndarray, motion: BodyMotion, gaps: list[_Gap]) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (T, 22, 4) on arcs of constant speed between keys, and the path (T, 3) on straight lines."""
    filled, path = quat.copy(), motion.transl.copy()
    for gap in gaps:
        inner = slice(gap.left + 1, gap.right)
        share = (np.arange(gap.left + 1, gap.right) - gap.left)[:, None] / (gap.right - gap.left)
        turn = log_around(quat[gap.left], quat[gap.right])
        filled[inner] = exp_around(quat[gap.left], share[..., None] * turn)
        path[inner] = (1.0 - share) * path[gap.left] + share * path[gap.right]
    return filled, path


@within_memory
def _through_latents(
    poses: np.ndarray,
    known: np.ndarray,
    gaps: list[_Gap],
    settings: InbetweenSettings,
    prior: PosePrior | None,
    on_step: OnStep | None,
) -> np.ndarray:
    """Body poses (T, 21, 3) whose gaps are slerps of the latents of the keys at either side."""
    from engine.device import pick_device
    from engine.priors.weights import load_pose_prior
    from engine.tasks.interpolate import interpolate_pairs

    prior = (prior or load_pose_prior()).to(pick_device(settings.device))
    edges = np.unique([(gap.left, gap.right) for gap in gaps])
    frames = np.flatnonzero(~known)
    right = np.searchsorted(edges, frames)
    left = right - 1
    share = (frames - edges[left]) / (edges[right] - edges[left])
    filled = poses.copy()
    filled[frames] = interpolate_pairs(poses[edges], left, right, share, prior, on_step=on_step)
    return filled


def _varied(
    poses: np.ndarray,
    path: np.ndarray,
    fps: float,
    known: np.ndarray,
    gaps: list[_Gap],
    settings: InbetweenSettings,
) -> tuple[np.ndarray, np.ndarray]:
    """Poses (T, 22, 3) and path (T, 3) plus a random motion of which what the known frames tell was taken away.

    For a Gaussian process that is a sample of what is possible between the known frames (Matheron's rule).
    """
    spectra = load_spectra()
    varied, moved = poses.copy(), path.copy()
    for gap in gaps:
        here, inner = gap.around, slice(gap.left + 1, gap.right)
        offset = slice(inner.start - here.start, inner.stop - here.start)
        given = known[here]
        # Each gap has randomness of its own, whatever other gaps there are.
        rng = np.random.default_rng([settings.seed, gap.left])
        drawn = [_sample(spectra[name], len(given), fps, rng) for name in ("root", "body", "pelvis")]
        scales = (settings.rotation_scale, settings.rotation_scale, settings.path_scale)
        root, body, pelvis = (
            settings.variation * (curves - fill_curves(curves, given, fps, scale))[offset]
            for curves, scale in zip(drawn, scales, strict=True)
        )
        turn = np.concatenate([root, body], axis=1).reshape(len(root), -1, 3)
        varied[inner] = quat_to_rotvec(exp_around(rotvec_to_quat(poses[inner]), turn))
        moved[inner] += pelvis
    return varied, moved


def _sample(dynamics: Dynamics, frames: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """A random motion (T, D) of the process."""
    values, vectors = np.linalg.eigh(dynamics.covariance(frames, fps))
    white = rng.standard_normal((frames, dynamics.size)) * np.sqrt(np.maximum(values, 0.0))
    return idct(np.einsum("kij,kj->ki", vectors, white), axis=0, norm="ortho")
