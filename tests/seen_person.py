# SPDX-License-Identifier: GPL-3.0-or-later
"""Someone who walks to and fro before a camera, of whom everything is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from standing_poses import HANGING, pose
from torch import Tensor

from engine.body.h36m_joints import h36m_joints
from engine.body.shapes import offsets_of
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion
from engine.priors.image_frame import image_frame
from engine.priors.joint_prior import Seen
from engine.tasks.fit.camera import Camera
from engine.tasks.lift.camera_space import Sight

FPS = 25.0
CAMERA = Camera(1100.0, (640.0, 360.0))


@dataclass(frozen=True)
class Person:
    """A person in the camera's axes, the camera at 0.

    Attributes:
        motion: of the body.
        joints: (T, 17, 3) metres.
        pixels: (T, 17, 2) exact.
    """

    motion: BodyMotion
    joints: np.ndarray
    pixels: np.ndarray


def person(frames: int = 40, seed: int = 0, pitch: float = -0.1, aside: float = 0.6) -> Person:
    """One of random shape, ``aside`` metres off the axis of a camera that is pitched by radians."""
    rng = np.random.default_rng(seed)
    offsets = offsets_of(rng.normal(size=(1, 10)))[0]
    seconds = np.arange(frames) / FPS
    poses = np.repeat(pose(HANGING).poses, frames, axis=0)
    swing = np.sin(2.0 * np.pi * 0.8 * seconds)
    for name, axis, size in (
        ("left_hip", 0, 0.4), ("right_hip", 0, -0.4), ("left_shoulder", 1, 0.3), ("right_shoulder", 1, 0.3),
        ("spine2", 1, 0.1), ("neck", 1, 0.2), ("left_elbow", 1, -0.2), ("right_elbow", 1, -0.2),
    ):  # fmt: skip
        poses[:, JOINTS.index(name), axis] += size * swing
    for name, sign in (("left_knee", 1.0), ("right_knee", -1.0)):
        poses[:, JOINTS.index(name), 0] += 0.3 * (1.0 - sign * swing)
    held = Rotation.from_rotvec([-pitch, 0.0, 0.0])
    poses[:, 0] = (held * Rotation.from_rotvec(np.outer(0.7 + 0.3 * seconds, [0.0, 1.0, 0.0]))).as_rotvec()
    ahead = 4.0 + 0.5 * np.sin(1.5 * seconds)
    path = held.apply(np.stack([aside - 0.3 * seconds, np.zeros(frames), -ahead], axis=1))
    local = torch.from_numpy(Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix()).unflatten(0, (frames, 22))
    joints = h36m_joints(local, torch.from_numpy(offsets)).numpy() + path[:, None]
    return Person(BodyMotion(poses, path, FPS, offsets), joints, CAMERA.project(torch.from_numpy(joints)).numpy())


class Knowing:
    """A lifter who knows the person: every hypothesis is the truth, as large as the distance it is told makes it.

    Args:
        someone: the person.
        spread: metres by which the depths of hypotheses differ (standard deviation), constant through the clip.
    """

    def __init__(self, someone: Person, spread: float = 0.0) -> None:
        sight = Sight.of(someone.pixels, np.ones(someone.pixels.shape[:2]), None, CAMERA, FPS)
        there = np.einsum("tab,tjb->tja", sight.turns, someone.joints)
        self.distance = -there[:, 0, 2]
        from_pelvis = torch.from_numpy(there - there[:, :1])
        self._joints = image_frame(from_pelvis, torch.from_numpy(self.distance))
        self._joints[..., :2] = torch.from_numpy(sight.tangents * self.distance[:, None, None])
        self._spread = spread

    def __call__(self, seen: Seen, hypotheses: int, on_iteration: object = None) -> Tensor:
        known = seen.known[..., 0]
        frames = []
        for told, there in zip(seen.joints[..., :2].double(), known, strict=True):
            flat = (self._joints[..., :2] * there[:, None]).flatten(1)
            size = (flat * (told * there[:, None]).flatten()).sum(dim=1) / flat.square().sum(dim=1).clamp_min(1e-12)
            miss = (size[:, None] * flat - (told * there[:, None]).flatten()).square().sum(dim=1)
            frame = int(miss.argmin())
            frames.append(size[frame] * self._joints[frame] if there.any() else self._joints[0])
        joints = torch.stack(frames)[:, None].repeat(1, hypotheses, 1, 1)
        off = torch.randn(hypotheses, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        joints[:, :, 1:, 2] += self._spread * off
        return joints.float()
