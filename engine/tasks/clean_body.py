# SPDX-License-Identifier: GPL-3.0-or-later
"""The method ``prior`` of Clean Motion, on the body's arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import median_filter

from engine.motion.joints import JOINTS
from engine.motion.windows import conjugate, extend, multiply, smooth_path, smooth_reference
from engine.priors.dynamics import Dynamics, Noise
from engine.priors.spectra_file import load as load_spectra
from engine.tasks.confidence import bridge, running_median
from engine.tasks.steps import OnStep, Stage
from engine.tasks.temporal import (
    POSITION_LEVELS,
    ROTATION_LEVELS,
    Gaps,
    find_gaps,
    measure_noise,
    posterior_variance,
    smooth,
)

REFERENCE_SECONDS = 0.5  # as the spectra of root and pelvis were learned
POP_METRES = 0.05  # least deviation of the pelvis from its neighbours that can be a spike
POP_RATIO = 6.0


@dataclass(frozen=True)
class BodyEstimate:
    """A cleaned body and what was found on the way.

    Attributes:
        quat: (T, 22, 4) unit quaternions WXYZ.
        transl: (T, 3) metres.
        noise: (22,) standard deviation of the noise of each joint's rotation, radians per axis.
        correlated: whether it was found to be correlated in time.
        spikes, dropouts: (T, 22) bool, samples that were left out.
        device: where the network ran.
    """

    quat: np.ndarray
    transl: np.ndarray
    noise: np.ndarray
    correlated: bool
    spikes: np.ndarray
    dropouts: np.ndarray
    device: str

    def figures(self) -> dict:
        """JSON-able figures for the report."""
        degrees = np.rad2deg(self.noise)
        return {
            "noise_deg": {joint: round(float(d), 3) for joint, d in zip(JOINTS, degrees, strict=True)},
            "noise_deg_median": round(float(np.median(degrees)), 3),
            "noise_correlated": self.correlated,
            "rejected": round(float((self.spikes | self.dropouts).mean()), 5),
            "spikes": int(self.spikes.sum()),
            "dropouts": int(self.dropouts.sum()),
            "device": self.device,
        }


def clean_poses(
    quat: np.ndarray,
    transl: np.ndarray,
    fps: float,
    strength: float,
    seed: int,
    device: str,
    on_step: OnStep | None,
    guided: bool = True,
) -> BodyEstimate:
    """Clean rotations and path of the body.

    Args:
        quat: (T, 22, 4) unit quaternions WXYZ, sign-continuous; index 0 is the root orientation.
        transl: (T, 3) pelvis positions in metres.
        fps: frame rate.
        strength: factor on the standard deviation of the noise that is taken out.
        seed, device: of the pose prior.
        on_step: told (done, total, stage); stops by raising.
        guided: False leaves the pose prior out, for ablations.

    Raises:
        WeightsError, DeviceError: the prior cannot be had.
    """
    frames = len(quat)
    # The weights are asked for first: what is missing should be said before any work is done.
    spectra = load_spectra()
    gaps = find_gaps(
        quat[:, 1:], spectra["body"], fps, Stage(on_step, frames, 0.0, 0.45, "Finding spikes and drop-outs")
    )
    stage = Stage(on_step, frames, 0.45, 0.6, "Measuring the noise")
    noise, dynamics = measure_noise(gaps.quat, spectra["body"], fps, ROTATION_LEVELS, stage)
    taken = scaled(noise, strength)
    body = smooth(gaps.quat, dynamics, taken, fps, Stage(on_step, frames, 0.6, 0.75, "Smoothing"))
    stage = Stage(on_step, frames, 0.75, 0.85, "Smoothing the root")
    stage(0.0)
    root, root_gaps, root_noise = clean_root(quat[:, :1], spectra["root"], fps, strength)
    stage(0.5)
    path = clean_path(transl, spectra["pelvis"], fps, strength)
    used = "cpu"
    if guided:
        from engine.device import pick_device
        from engine.priors.weights import load_pose_prior
        from engine.tasks.pose_guidance import guide_poses

        stage = Stage(on_step, frames, 0.85, 1.0, "Checking poses")
        used = str(pick_device(device))
        variance = posterior_variance(gaps, dynamics, taken, fps)
        if variance.any():
            body = guide_poses(body, variance, load_pose_prior(), seed, device, stage)
    spikes, lost = (
        np.concatenate([getattr(root_gaps, k), getattr(gaps, k)], axis=1) for k in ("spikes", "dropouts")
    )
    deviation = np.sqrt(np.concatenate([root_noise.total[:1], noise.total[::3]]))
    return BodyEstimate(
        np.concatenate([root, body], axis=1),
        path,
        deviation,
        bool(noise.correlated.any()),
        spikes,
        lost,
        used,
    )


def scaled(noise: Noise, strength: float) -> Noise:
    """The noise with its standard deviation multiplied."""
    return replace(noise, white=noise.white * strength**2, correlated=noise.correlated * strength**2)


def clean_root(
    quat: np.ndarray, dynamics: Dynamics, fps: float, strength: float
) -> tuple[np.ndarray, Gaps, Noise]:
    """Root orientation (T, 1, 4), around a slowly moving reference: a body may turn without end."""
    reference = smooth_reference(running_median(quat, fps), fps, REFERENCE_SECONDS)
    gaps = find_gaps(multiply(conjugate(reference), quat), dynamics, fps)
    noise, lively = measure_noise(gaps.quat, dynamics, fps, ROTATION_LEVELS)
    smoothed = smooth(gaps.quat, lively, scaled(noise, strength), fps)
    if smoothed is gaps.quat and gaps.known.all():
        return quat, gaps, noise
    return multiply(reference, smoothed), gaps, noise


def clean_path(transl: np.ndarray, dynamics: Dynamics, fps: float, strength: float) -> np.ndarray:
    """Pelvis positions (T, 3): jumps there and back are bridged, the measured noise is taken out."""
    pad = min(len(transl) - 1, round(0.15 * fps) + 1)
    if pad < 1:
        return transl
    typical = median_filter(extend(transl, pad), size=(2 * pad + 1, 1))[pad:-pad]
    deviation = np.linalg.norm(transl - typical, axis=1)
    known = deviation <= max(POP_METRES, POP_RATIO * float(np.median(deviation)))
    filled = bridge(transl[:, None], known[:, None])
    reference = smooth_path(filled[:, 0], fps, REFERENCE_SECONDS)[:, None]
    noise, lively = measure_noise(filled - reference, dynamics, fps, POSITION_LEVELS)
    smoothed = smooth(filled - reference, lively, scaled(noise, strength), fps)
    if known.all() and not noise.total.any():
        return transl
    return (reference + smoothed)[:, 0]
