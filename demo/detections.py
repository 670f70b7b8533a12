# SPDX-License-Identifier: GPL-3.0-or-later
"""What a 2D detector makes of a person before a camera: points that are off, unsure, missed, or hidden by somebody."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from demo.body_points import NAMES, likeness
from engine.evaluation.filmed import detected
from engine.motion.keypoints.layouts import H36M_17
from engine.priors.detector_width import own_width
from engine.tasks.lift.camera_space import USUAL_CONFIDENCE

MISSED = 0.015  # of the points, each by itself
LEAST = 0.05  # confidence
FEWEST = 5  # of the seventeen joints, by which a detector knows a person
TRUNK = [NAMES.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("shoulder", "hip")]


@dataclass(frozen=True)
class Detections:
    """One person on T frames, of `NAMES`.

    Attributes:
        pixels: (T, P, 2).
        confidence: (T, P) from 0, missed, to 1: inverse to how wide the heatmap is, as DPoser takes it to be.
        sigma: (T, P) how wide the heatmap is, pixels.
        ahead: (T, P) metres from the camera along its axis, exact.
        focal: of the camera in pixels.
    """

    pixels: np.ndarray
    confidence: np.ndarray
    sigma: np.ndarray
    ahead: np.ndarray
    focal: float

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def there(self) -> np.ndarray:
        """(T,) bool: on which frames the detector finds the person."""
        return (self.confidence[:, : len(H36M_17)] > 0).sum(axis=1) >= FEWEST

    def of(self, name: str) -> np.ndarray:
        """(T, 4) u, v, confidence and deviation of a point."""
        place = NAMES.index(name)
        parts = self.pixels[:, place], self.confidence[:, place, None], self.sigma[:, place, None]
        return np.concatenate(parts, axis=1)

    def ahead_of(self, name: str) -> np.ndarray:
        """(T,) metres from the camera to a point, along its axis."""
        return self.ahead[:, NAMES.index(name)]

    def without(self, frames: slice, joint: str | None = None) -> Detections:
        """The same, all or a joint and what hangs on it missed on some frames."""
        lost = slice(None) if joint is None else likeness()[:, H36M_17.index(joint)] > 0
        confidence = self.confidence.copy()
        confidence[frames, lost] = 0.0
        return replace(self, confidence=confidence)

    def behind(self, other: Detections) -> Detections:
        """The same without the points that the trunk of another hides, who is nearer."""
        low, high = (limit(other.pixels[:, TRUNK], axis=1)[:, None] for limit in (np.min, np.max))
        hidden = ((self.pixels >= low) & (self.pixels <= high)).all(axis=-1)
        hidden &= self.ahead > other.ahead[:, TRUNK].mean(axis=1)[:, None]
        return replace(self, confidence=np.where(hidden, 0.0, self.confidence))


def detect(seen: np.ndarray, focal: float, seed: int) -> Detections:
    """What a detector says.

    Args:
        seen: (T, P, 3) exact pixels, and metres from the camera along its axis.
        focal: pixels.
        seed: of its noise.
    """
    scale = focal / seen[:, :1, 2:]  # the first is the pelvis
    off, sigma = detected(seen[:, : len(H36M_17), :2], scale, torch.Generator().manual_seed(seed))
    off = off - seen[:, : len(H36M_17), :2]
    confidence = np.clip(USUAL_CONFIDENCE * own_width() * scale[:, :, 0] / sigma, LEAST, 1.0)
    like = likeness()
    missed = np.random.default_rng(seed).random(seen.shape[:2]) < MISSED
    return Detections(
        seen[..., :2] + like @ off, np.where(missed, 0.0, confidence @ like.T), sigma @ like.T, seen[..., 2], focal
    )
