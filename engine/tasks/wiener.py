# SPDX-License-Identifier: GPL-3.0-or-later
"""The learned Wiener smoother on a whole body: gaps found and filled, noise measured and taken out.

Method ``wiener`` of Clean Motion, and what the motion prior starts from. NumPy and SciPy only.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.ndimage import median_filter

from engine.motion.motion import BodyMotion
from engine.motion.tpose import OFFSETS
from engine.motion.windows import (
    conjugate,
    extend,
    multiply,
    quat_to_rotvec,
    smooth_path,
    smooth_reference,
)
from engine.priors.dynamics import Dynamics, Noise
from engine.priors.spectra_file import load as load_spectra
from engine.tasks.confidence import bridge, running_median
from engine.tasks.leg import feet_places
from engine.tasks.steps import OnStep, Stage
from engine.tasks.temporal import (
    POSITION_LEVELS,
    ROTATION_LEVELS,
    Advance,
    Gaps,
    find_gaps,
    measure_noise,
    regapped,
    smooth,
    smoothed_deviation,
)

REFERENCE_SECONDS = 0.5  # as the spectra of root and pelvis were learned
POP_METRES = 0.05  # least deviation of the pelvis from its neighbours that can be a spike
POP_RATIO = 6.0
WORTH = 0.95  # of the feet's roughness must be left at most, for smoothing root or path to be worth it
POP_SECONDS = 0.15  # half a window to compare with


@dataclass(frozen=True)
class Smoothed:
    """A smoothed body and what was found on the way. Channels are the 22 joints and, last, the path.

    Attributes:
        quat: (T, 22, 4) unit quaternions WXYZ.
        transl: (T, 3) metres.
        known: (T, 23) bool, False for spikes and drop-outs.
        spikes, dropouts: (T, 22) bool, the two kinds.
        noise: (23,) standard deviation per axis of the noise that was measured, radians and metres.
        correlated: whether the body's noise was found to be correlated in time.
        left: (23,) standard deviation per axis of what smoothing leaves unknown, radians and metres.
        gaps: of the body joints.
    """

    quat: np.ndarray
    transl: np.ndarray
    known: np.ndarray
    spikes: np.ndarray
    dropouts: np.ndarray
    noise: np.ndarray
    correlated: bool
    left: np.ndarray
    gaps: Gaps = field(repr=False)


def scaled(noise: Noise, strength: float) -> Noise:
    """The noise with its standard deviation multiplied."""
    return replace(noise, white=noise.white * strength**2, correlated=noise.correlated * strength**2)


def smooth_body(
    quat: np.ndarray,
    transl: np.ndarray,
    fps: float,
    strength: float = 1.0,
    on_step: OnStep | None = None,
) -> Smoothed:
    """Find and fill gaps, measure the noise of every joint, and take it out.

    Args:
        quat: (T, 22, 4) unit quaternions WXYZ, sign-continuous; index 0 is the root orientation.
        transl: (T, 3) pelvis positions in metres.
        fps: frame rate.
        strength: factor on the standard deviation of the noise that is taken out.
        on_step: told (done, total, stage); stops by raising.

    Raises:
        WeightsError: the spectra cannot be read.
    """
    frames, spectra = len(quat), load_spectra()
    gaps = find_gaps(
        quat[:, 1:], spectra["body"], fps, Stage(on_step, frames, 0.0, 0.6, "Finding spikes and drop-outs")
    )
    body, noise, left = _denoised(
        gaps.quat,
        spectra["body"],
        ROTATION_LEVELS,
        fps,
        strength,
        Stage(on_step, frames, 0.6, 0.75, "Measuring the noise"),
        Stage(on_step, frames, 0.75, 0.9, "Smoothing"),
    )
    stage = Stage(on_step, frames, 0.9, 1.0, "Smoothing the root")
    stage(0.0)
    root, root_gaps, root_noise, root_left = _smooth_root(quat[:, :1], spectra["root"], fps, strength)
    stage(0.5)
    path, path_known, path_noise, path_left = _smooth_path(transl, spectra["pelvis"], fps, strength)
    # A capture's limbs agree with its root, wiggles and all: smoothing one without the other makes feet shake.
    if root_noise.total.any() and root_gaps.known.all():
        shaky, calm = (_roughness(r, body, transl, fps) for r in (quat[:, :1], root))
        if calm > WORTH * shaky:
            root, root_noise, root_left = quat[:, :1], scaled(root_noise, 0.0), np.zeros(1)
    if path_noise.total.any() and path_known.all():
        shaky, calm = (_roughness(root, body, p, fps) for p in (transl, path))
        if calm > WORTH * shaky:
            path, path_noise, path_left = transl, scaled(path_noise, 0.0), np.zeros(1)
    return Smoothed(
        np.concatenate([root, body], axis=1),
        path,
        np.concatenate([root_gaps.known, gaps.known, path_known[:, None]], axis=1),
        np.concatenate([root_gaps.spikes, gaps.spikes], axis=1),
        np.concatenate([root_gaps.dropouts, gaps.dropouts], axis=1),
        np.sqrt(np.concatenate([root_noise.total[:1], noise.total[::3], path_noise.total[:1]])),
        bool(noise.correlated.any()),
        np.concatenate([root_left, left, path_left]),
        gaps,
    )


def smooth_again(
    first: Smoothed, quat: np.ndarray, damaged: np.ndarray, fps: float, strength: float = 1.0
) -> Smoothed:
    """The body smoothed once more when samples ``damaged`` (T, 22) and no others are known to be no measurements.

    Root and path stay as they were.
    """
    dynamics = load_spectra()["body"]
    gaps = regapped(quat[:, 1:], first.gaps, damaged[:, 1:], dynamics, fps)
    body, noise, left = _denoised(gaps.quat, dynamics, ROTATION_LEVELS, fps, strength)
    return replace(
        first,
        quat=np.concatenate([first.quat[:, :1], body], axis=1),
        known=np.concatenate([first.known[:, :1], gaps.known, first.known[:, 22:]], axis=1),
        spikes=np.concatenate([first.spikes[:, :1], gaps.spikes], axis=1),
        dropouts=np.concatenate([first.dropouts[:, :1], gaps.dropouts], axis=1),
        noise=np.concatenate([first.noise[:1], np.sqrt(noise.total[::3]), first.noise[22:]]),
        correlated=bool(noise.correlated.any()),
        left=np.concatenate([first.left[:1], left, first.left[22:]]),
        gaps=gaps,
    )


def _denoised(
    x: np.ndarray,
    dynamics: Dynamics,
    levels: np.ndarray,
    fps: float,
    strength: float,
    measuring: Advance | None = None,
    smoothing: Advance | None = None,
) -> tuple[np.ndarray, Noise, np.ndarray]:
    """A clip (T, J, 4 or 3) without its noise, the noise, and the deviation (J,) that smoothing leaves."""
    noise, lively = measure_noise(x, dynamics, fps, levels, measuring)
    taken = scaled(noise, strength)
    return smooth(x, lively, taken, fps, smoothing), noise, smoothed_deviation(len(x), lively, taken, fps)


def _roughness(root: np.ndarray, body: np.ndarray, path: np.ndarray, fps: float) -> float:
    """Root mean square second difference, in metres, of ankles and balls of the feet in the world."""
    if len(root) < 3:
        return 0.0
    poses = quat_to_rotvec(np.concatenate([root, body], axis=1))
    feet = feet_places(BodyMotion(poses, path, fps, OFFSETS))
    return float(np.sqrt((np.diff(feet, n=2, axis=0) ** 2).sum(axis=-1).mean()))


def _smooth_root(
    quat: np.ndarray, dynamics: Dynamics, fps: float, strength: float
) -> tuple[np.ndarray, Gaps, Noise, np.ndarray]:
    """Root orientation (T, 1, 4), around a slowly moving reference: a body may turn without end."""
    reference = smooth_reference(running_median(quat, fps), fps, REFERENCE_SECONDS)
    gaps = find_gaps(multiply(conjugate(reference), quat), dynamics, fps)
    smoothed, noise, left = _denoised(gaps.quat, dynamics, ROTATION_LEVELS, fps, strength)
    if smoothed is gaps.quat and gaps.known.all():
        return quat, gaps, noise, left
    return multiply(reference, smoothed), gaps, noise, left


def _smooth_path(
    transl: np.ndarray, dynamics: Dynamics, fps: float, strength: float
) -> tuple[np.ndarray, np.ndarray, Noise, np.ndarray]:
    """Pelvis positions (T, 3): jumps there and back are bridged, the measured noise is taken out.

    Also says which frames (T,) are measurements.
    """
    none = Noise(np.zeros(3), np.zeros(3), 0.0)
    pad = min(len(transl) - 1, round(POP_SECONDS * fps) + 1)
    if pad < 1:
        return transl, np.ones(len(transl), bool), none, np.zeros(1)
    typical = median_filter(extend(transl, pad), size=(2 * pad + 1, 1))[pad:-pad]
    away = np.linalg.norm(transl - typical, axis=1)
    known = away <= max(POP_METRES, POP_RATIO * float(np.median(away)))
    filled = bridge(transl[:, None], known[:, None])
    reference = smooth_path(filled[:, 0], fps, REFERENCE_SECONDS)[:, None]
    smoothed, noise, left = _denoised(filled - reference, dynamics, POSITION_LEVELS, fps, strength)
    if known.all() and not noise.total.any():
        return transl, known, noise, left
    return (reference + smoothed)[:, 0], known, noise, left
