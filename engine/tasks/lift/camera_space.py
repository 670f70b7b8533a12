# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints of a clip as what lifters are told, and lifted joints back before the camera.

Lifters know people whose pelvis is on the camera's axis. Every frame's rays are turned by the least rotation that
brings the pelvis there, which undoes the perspective off the axis exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.errors import MotionError
from engine.motion.h36m import JOINTS
from engine.priors.detector_width import own_width
from engine.priors.image_frame import camera_frame, to_the_axis
from engine.priors.joint_prior import Seen
from engine.tasks.fit.camera import Camera
from engine.tasks.lift.smoothing_spline import smoothing_spline

USUAL_CONFIDENCE = 0.8
"""Of a joint that a detector finds as well as its kind is found: doubt is inverse to confidence, so that a confidence
of 0.1 says some 0.1 m, as an outlier does."""
STEEPEST = 3.0  # tangent, of rays that count: farther from the axis, no pinhole camera is of use
RAY_DEVIATION = 0.005  # radians: how exactly the pelvis is brought onto the axis, 15 mm at 3 m
RAY_ROUGHNESS = 1.0  # rad^2 / s^3: a person who passes at 3 m and turns
LEAST_AHEAD = -0.1

_PELVIS = JOINTS.index("pelvis")
_TORSO = [
    JOINTS.index(name) for name in ("right_hip", "left_hip", "spine", "thorax", "left_shoulder", "right_shoulder")
]


@dataclass(frozen=True)
class Sight:
    """Rays of one person's 17 joints through a clip, each frame turned such that the pelvis is about ahead.

    Attributes:
        tangents: (T, 17, 2) how far to the right and up a joint is at a distance of 1; 0 where it was not seen.
        width: (T, 17) standard deviation of a tangent, NaN where nobody tells.
        confidence: (T, 17) from 0, not seen, to 1.
        turns: (T, 3, 3) rotations from the camera's axes to those of each frame.
        draws: (T, N, 17, 2) float32 tangents drawn from heatmaps, in front of the camera; None where there are none.
    """

    tangents: np.ndarray
    width: np.ndarray
    confidence: np.ndarray
    turns: np.ndarray
    draws: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.tangents)

    @classmethod
    def of(
        cls,
        pixels: np.ndarray,
        confidence: np.ndarray,
        sigma: np.ndarray | None,
        camera: Camera,
        fps: float | None,
        draws: np.ndarray | None = None,
    ) -> Sight:
        """What a camera sees.

        Args:
            pixels: (T, 17, 2) in the order of `engine.motion.h36m.JOINTS`.
            confidence: (T, 17) from 0, not seen, to 1.
            sigma: (T, 17) standard deviation in pixels, NaN where unknown; or None.
            camera: the camera.
            fps: frames per second; None where frames are images by themselves, which all show the trunk.
            draws: (T, N, 17, 2) places in pixels that heatmaps hold possible, in proportion; or None.

        Raises:
            MotionError: shapes do not fit, numbers are not finite, or no frame shows the trunk.
        """
        _check(pixels, confidence, sigma, draws)
        seen = confidence > 0
        rays = camera.ray(torch.from_numpy(np.where(seen[..., None], pixels, 0.0))).numpy()
        turns = _turns(rays, seen, fps)
        turned = np.einsum("tab,tjb->tja", turns, rays)
        ahead = np.maximum(-turned[..., 2], 1e-6)
        tangents = turned[..., :2] / ahead[..., None]
        seen = seen & (-turned[..., 2] > 0) & (np.abs(tangents).max(axis=-1) < STEEPEST)
        # A pixel off the axis is a smaller angle: cos^2 outwards and cos across.
        slant = np.linalg.norm(rays, axis=-1) ** -1.5 * (1.0 + np.square(tangents).sum(axis=-1)) ** 0.75
        width = np.full(seen.shape, np.nan) if sigma is None else sigma / camera.focal * slant
        drawn = None if draws is None else _turned(draws, turns, camera)
        return cls(np.where(seen[..., None], tangents, 0.0), width, np.where(seen, confidence, 0.0), turns, drawn)

    def rows(self, index: np.ndarray | slice) -> Sight:
        """Some of the frames."""
        draws = None if self.draws is None else self.draws[index]
        return Sight(self.tangents[index], self.width[index], self.confidence[index], self.turns[index], draws)

    def doubt(self, distance: np.ndarray) -> np.ndarray:
        """(T, 17) standard deviations in metres at distances (T,), infinite where a joint was not seen."""
        with np.errstate(divide="ignore"):
            usual = own_width() * USUAL_CONFIDENCE / self.confidence
        told = np.where(np.isnan(self.width), usual, self.width * distance[:, None])
        return np.where(self.confidence > 0, told, np.inf)

    def seen(self, distance: np.ndarray) -> Seen:
        """What lifters are told where the pelvis is at distances (T,), metres: places in the image frame, no depth."""
        joints = np.zeros((*self.tangents.shape[:2], 3))
        joints[..., :2] = self.tangents * distance[:, None, None]
        doubt = np.full(joints.shape, np.inf)
        doubt[..., :2] = self.doubt(distance)[..., None]
        draws = None
        if self.draws is not None:
            draws = torch.from_numpy(self.draws * distance[:, None, None, None].astype(np.float32))
        return Seen(torch.from_numpy(joints).float(), torch.from_numpy(doubt).float(), draws)

    def ahead(self, joints: Tensor, distance: np.ndarray) -> np.ndarray:
        """Joints (T, ..., 17, 3) float64 metres in each frame's turned axes, the camera at 0, from the image frame."""
        away = torch.from_numpy(distance).to(joints)
        spread = away.reshape(-1, *[1] * (joints.dim() - 3)).expand(joints.shape[:-2]).reshape(-1)
        there = camera_frame(joints.flatten(0, -3), spread).reshape(joints.shape).cpu().double().numpy().copy()
        there[..., 2] -= distance.reshape(-1, *[1] * (joints.dim() - 2))
        return there

    def back(self, places: np.ndarray) -> np.ndarray:
        """Places (T, ..., 3) of the turned axes in the camera's."""
        return np.einsum("tba,t...b->t...a", self.turns, places)


def _turned(draws: np.ndarray, turns: np.ndarray, camera: Camera) -> np.ndarray:
    """Places (T, N, 17, 2) in pixels as tangents in turned axes, no steeper than `STEEPEST`, float32."""
    tangents = np.empty(draws.shape, np.float32)
    for turned, turn, places in zip(tangents, turns, draws, strict=True):  # a frame's rays alone are twice as large
        rays = camera.ray(torch.from_numpy(places.astype(np.float64))).numpy() @ turn.T
        turned[:] = (rays[..., :2] / np.maximum(-rays[..., 2:], 1e-6)).clip(-STEEPEST, STEEPEST)
    return tangents


def _turns(rays: np.ndarray, seen: np.ndarray, fps: float | None) -> np.ndarray:
    """(T, 3, 3) the least rotations of the pelvis' rays onto -Z, smooth in time where there is one."""
    ways = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    trunk = seen[:, _TORSO]
    mean = (ways[:, _TORSO] * trunk[..., None]).sum(axis=1) / np.maximum(trunk.sum(axis=1), 1)[:, None]
    middle = np.where(seen[:, _PELVIS, None], ways[:, _PELVIS], mean)
    known = seen[:, _PELVIS] | trunk.any(axis=1)
    if not known.any() or (fps is None and not known.all()):
        raise MotionError("No frame shows hips, shoulders or the spine; choose another person.")
    way = middle
    if fps is not None:
        deviation = np.repeat(np.where(known, RAY_DEVIATION, np.inf)[:, None], 3, axis=1)
        way = smoothing_spline(middle, deviation, RAY_ROUGHNESS, fps)
    way[:, 2] = np.minimum(way[:, 2], LEAST_AHEAD)  # where a long gap is bridged by a curve
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    return to_the_axis(torch.from_numpy(way)).numpy()


def _check(
    pixels: np.ndarray, confidence: np.ndarray, sigma: np.ndarray | None, draws: np.ndarray | None
) -> None:
    shape = pixels.shape[:2]
    if pixels.ndim != 3 or pixels.shape[1:] != (len(JOINTS), 2) or confidence.shape != shape or not len(pixels):
        raise MotionError(f"Keypoints must be (T, {len(JOINTS)}, 2) pixels with (T, {len(JOINTS)}) confidences.")
    if not np.isfinite(confidence).all() or (confidence < 0).any() or not np.isfinite(pixels[confidence > 0]).all():
        raise MotionError("Keypoints must be finite and their confidences not negative; mark unseen ones with 0.")
    if sigma is not None and (sigma.shape != shape or np.isinf(sigma).any() or (sigma < 0).any()):
        raise MotionError("Standard deviations of keypoints must be positive pixels, one for each joint and frame.")
    if draws is not None:
        if draws.ndim != 4 or (len(draws), *draws.shape[2:]) != pixels.shape or not draws.shape[1]:
            raise MotionError(f"Draws of heatmaps must be (T, N, {len(JOINTS)}, 2) pixels, N for each frame.")
        if not all(np.isfinite(frame).all() for frame in draws):
            raise MotionError("Draws of heatmaps must be finite; leave them 0 where a joint was not seen.")
