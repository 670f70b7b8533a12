# SPDX-License-Identifier: GPL-3.0-or-later
"""People seen by made-up cameras: 2D keypoints as a detector would give them, of poses whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from engine.body import Body, bundled
from engine.motion.joints import JOINTS
from engine.motion.keypoints import BODY_25, MARKS
from engine.tasks.fit.camera import Camera
from engine.tasks.fit.linearisation import place
from engine.tasks.fit.marks import marks

CAMERA = Camera(focal=1000.0, centre=(500.0, 500.0))
HEIGHT, DISTANCE = (0.8, 2.0), (3.0, 5.0)
"""Metres of the camera above the floor and from the person, uniform; it looks at the pelvis."""
PELVIS_HEIGHT = 0.93
"""Metres above the floor, of the mannequin standing."""
SHAPE_STD = 1.0
PIXEL_STD = 5.0
"""Detector's noise in pixels: about 1 % of a person of 400 to 500 pixels."""
OUTLIERS, OUTLIER_STD = 0.03, 60.0
"""Share of keypoints that are far off, and how far, pixels."""
MISSING = 0.05
CONFIDENT, DOUBTFUL = (0.6, 1.0), (0.2, 0.7)
"""Ranges of the confidence of good keypoints, and of outliers."""
LIMBS: tuple[tuple[str, ...], ...] = (
    ("left_elbow", "left_wrist"),
    ("right_elbow", "right_wrist"),
    ("left_knee", "left_ankle"),
    ("right_knee", "right_ankle"),
)
"""What an occlusion hides: one of these per image."""


@dataclass(frozen=True)
class Views:
    """Images of N people.

    Attributes:
        joints: (N, 22, 3) truth in the camera's frame, metres.
        pixels: (N, K, 2) keypoints in the order of `MARKS`, zero where not seen.
        confidence: (N, K).
    """

    joints: np.ndarray
    pixels: np.ndarray
    confidence: np.ndarray


def look(poses: np.ndarray, seed: int, occluded: bool) -> Views:
    """Views of poses (N, 21, 3), each from a camera and on a body shape of its own, turned at random."""
    rng = np.random.default_rng(seed)
    count = len(poses)
    yaw = Rotation.from_euler("Y", rng.uniform(-np.pi, np.pi, count))
    height, distance = rng.uniform(*HEIGHT, count) - PELVIS_HEIGHT, rng.uniform(*DISTANCE, count)
    pitch = Rotation.from_euler("X", np.arctan2(height, distance))
    root = (pitch * yaw).as_rotvec()
    transl = np.stack([np.zeros(count), np.zeros(count), -np.hypot(height, distance)], axis=1)
    full = torch.from_numpy(np.concatenate([root[:, None], poses], axis=1))
    bodies: list[Body] = [bundled(betas) for betas in rng.normal(0.0, SHAPE_STD, (count, 10))]
    offsets = torch.from_numpy(np.stack([body.offsets for body in bodies]))
    truth = place(full, torch.from_numpy(transl), offsets, marks()).points
    exact = CAMERA.project(truth).numpy()
    seen = np.array([mark in BODY_25 for mark in MARKS]) & (rng.random(exact.shape[:2]) >= MISSING)
    if occluded:
        limb = rng.integers(len(LIMBS), size=count)
        hidden = np.array([[mark in limb for mark in MARKS] for limb in LIMBS])
        seen &= ~hidden[limb]
    outlier = rng.random(exact.shape[:2]) < OUTLIERS
    std = np.where(outlier, OUTLIER_STD, PIXEL_STD)[..., None]
    pixels = exact + std * rng.normal(size=exact.shape)
    confidence = np.where(
        outlier, rng.uniform(*DOUBTFUL, outlier.shape), rng.uniform(*CONFIDENT, outlier.shape)
    )
    return Views(
        truth[:, : len(JOINTS)].numpy(),
        np.where(seen[..., None], pixels, 0.0),
        np.where(seen, confidence, 0.0),
    )
