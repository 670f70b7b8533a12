# SPDX-License-Identifier: GPL-3.0-or-later
"""The learned methods of Clean Motion, on the body's arrays.

``wiener`` is the smoother of `engine.tasks.wiener` alone. ``prior`` goes on from there: with the motion prior, damage
that no rule finds is found and the smoother's answer is bettered (`engine.tasks.motion_estimate`); with the pose
prior, and after the motion prior too, uncertain poses are drawn towards plausible ones (`engine.tasks.pose_guidance`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import ParamSpec

import numpy as np

from engine.memory import ON_CPU
from engine.motion.joints import JOINTS
from engine.notes import listening
from engine.packages import need_torch
from engine.tasks.evidence import has_place
from engine.tasks.mixed_up import Mended, mended
from engine.tasks.steps import OnStep, Stage, within
from engine.tasks.temporal import pose_variance
from engine.tasks.wiener import Smoothed, smooth_again, smooth_body

PRIORS = ("motion", "pose", "none")
"""Priors by name: of motion, with that of poses where it helps; of single poses alone; none is the smoother."""

Asked = ParamSpec("Asked")

DOUBTED = 0.15
"""Confidence under which a rotation counts as not measured."""

MOTION_SHARE = 0.1
"""Of the variance that the motion prior leaves, what the pose prior is told: more costs accuracy (validation split)."""


@dataclass(frozen=True)
class BodyEstimate:
    """A cleaned body and what was found on the way.

    Attributes:
        quat: (T, 22, 4) unit quaternions WXYZ.
        transl: (T, 3) metres.
        noise: (22,) standard deviation of the noise of each joint's rotation, radians per axis.
        correlated: whether it was found to be correlated in time.
        spikes, dropouts: (T, 22) bool, samples that were left out.
        device: where the networks ran; none ran for the smoother alone.
        mixed_up: limbs that were taken for each other or bent backwards, and were sorted out.
        contact: (T, 4) probability that ankles and balls of the feet rest; None without the motion prior or a path.
        notes: what the user should know of how it came about.
    """

    quat: np.ndarray
    transl: np.ndarray
    noise: np.ndarray
    correlated: bool
    spikes: np.ndarray
    dropouts: np.ndarray
    device: str
    mixed_up: Mended
    contact: np.ndarray | None = None
    notes: tuple[str, ...] = ()

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
            "mixed_up": self.mixed_up.figures(),
            "device": self.device,
            **({"notes": list(self.notes)} if self.notes else {}),
        }


def _with_notes(clean: Callable[Asked, BodyEstimate]) -> Callable[Asked, BodyEstimate]:
    """Give the estimate the notes of its making, and a device that tells where the card's memory was too small."""

    @wraps(clean)
    def noted(*args: Asked.args, **kwargs: Asked.kwargs) -> BodyEstimate:
        with listening() as notes:
            result = clean(*args, **kwargs)
        used = f"{result.device}, then cpu" if ON_CPU in notes else result.device
        return replace(result, device=used, notes=tuple(notes))

    return noted


@_with_notes
def clean_poses(
    quat: np.ndarray,
    transl: np.ndarray,
    fps: float,
    strength: float,
    seed: int,
    device: str,
    on_step: OnStep | None,
    prior: str = "motion",
    guided: bool = True,
    confidence: np.ndarray | None = None,
) -> BodyEstimate:
    """Clean rotations and path of the body.

    Args:
        quat: (T, 22, 4) unit quaternions WXYZ, sign-continuous; index 0 is the root orientation.
        transl: (T, 3) pelvis positions in metres; all zero where there are none.
        fps: frame rate.
        strength: factor on the standard deviation of the noise that is taken out.
        seed, device: of the priors.
        on_step: told (done, total, stage); stops by raising.
        prior: one of `PRIORS`.
        guided: False leaves the pose network out, for ablations.
        confidence: (T, 22) from 0 to 1, where somebody told; see `DOUBTED`.

    Raises:
        PackageError, WeightsError, DeviceError: the prior cannot be had.
    """
    if prior != "none":
        need_torch("The Motion Prior", "the method Learned Smoother (wiener), which needs none")
    frames, mixed_up = len(quat), mended(quat, fps)
    quat = mixed_up.quat
    if prior == "none":
        smoothed = _without_doubted(smooth_body(quat, transl, fps, strength, on_step), quat, confidence, fps, strength)
        return _result(mixed_up, smoothed, "cpu")
    from engine.device import pick_device
    from engine.priors.motion_weights import load_motion_prior
    from engine.priors.weights import load_pose_prior
    from engine.tasks.pose_guidance import guide_poses

    # The weights are asked for first: what is missing should be said before any work is done.
    used = str(pick_device(device))
    poses = load_pose_prior() if guided else None
    if prior == "motion":
        from engine.tasks.clean_motion import better

        network = load_motion_prior()
        smoothed = smooth_body(quat, transl, fps, strength, within(on_step, 0.6))
        smoothed = _without_doubted(smoothed, quat, confidence, fps, strength)
        stage = Stage(on_step, frames, 0.6, 0.9, "Cleaning")
        smoothed, found = better(smoothed, quat, transl, fps, strength, network, device, stage)
        contact = found.contact if has_place(quat, transl) else None
        result = _result(mixed_up, smoothed, used, found.quat, found.path, contact)
        variance = MOTION_SHARE * found.deviation[:, 1:22] ** 2
    else:
        smoothed = smooth_body(quat, transl, fps, strength, within(on_step, 0.9))
        smoothed = _without_doubted(smoothed, quat, confidence, fps, strength)
        result = _result(mixed_up, smoothed, used)
        variance = pose_variance(smoothed.known[:, 1:22], smoothed.left[1:22], fps)
    if poses is not None and variance.any():
        stage = Stage(on_step, frames, 0.9, 1.0, "Checking poses")
        body = guide_poses(result.quat[:, 1:], variance, poses, seed, device, stage)
        result.quat[:, 1:] = body
    return result


def _without_doubted(
    smoothed: Smoothed, quat: np.ndarray, confidence: np.ndarray | None, fps: float, strength: float
) -> Smoothed:
    """The body smoothed as if what is doubted had not been measured, but for joints of which there is nothing else."""
    if confidence is None:
        return smoothed
    doubted = confidence < DOUBTED
    doubted &= ~doubted.all(axis=0)
    return smooth_again(smoothed, quat, ~smoothed.known[:, :22] | doubted, fps, strength)


def _result(
    mixed_up: Mended,
    smoothed: Smoothed,
    device: str,
    quat: np.ndarray | None = None,
    path: np.ndarray | None = None,
    contact: np.ndarray | None = None,
) -> BodyEstimate:
    return BodyEstimate(
        smoothed.quat if quat is None else quat,
        smoothed.transl if path is None else path,
        smoothed.noise[:22],
        smoothed.correlated,
        smoothed.spikes,
        smoothed.dropouts,
        device,
        mixed_up,
        contact,
    )
