# SPDX-License-Identifier: GPL-3.0-or-later
"""People to train lifters on: captured poses on bodies of any shape, turned before any camera, as a detector sees them.

Human3.6M has 11 people in four fixed views. What it varies little, shape and camera, is drawn at random here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import roma
import torch
from torch import Tensor

from engine.body.h36m_joints import h36m_joints
from engine.body.shapes import BETAS, offsets_of
from engine.motion.h36m import JOINTS, MIRROR, PARTS
from engine.motion.joints import MIRROR as BODY_MIRROR
from engine.priors.detector_width import LIMBS, TORSO, own_width
from engine.priors.image_frame import image_frame
from engine.priors.joint_prior import Seen
from engine.training import dataset

SHAPES = 4096
"""Bodies made beforehand."""
SHAPE_STD = 1.0
NEAREST, FARTHEST = 2.0, 10.0  # metres from the camera, log-uniform
PITCH, ROLL = np.deg2rad(20.0), np.deg2rad(6.0)  # standard deviations of the camera
SLOW = 10
"""Frames over which the slow part of a detector's noise changes."""


@dataclass(frozen=True)
class Detector:
    """Noise of a 2D detector, in metres at the person's distance.

    Attributes:
        exact: share of people seen without noise.
        torso, limbs: median standard deviation of joints of the trunk, and of the limbs' ends; between them, between.
        spread: of the quality of pictures, a standard deviation of the logarithm.
        width_error: of the width that a heatmap tells, likewise.
        outliers, outlier: share of joints that are far off, and their standard deviation.
        sure_outliers: share of these whose heatmap does not tell.
    """

    exact: float = 0.2
    torso: float = TORSO
    limbs: float = LIMBS
    spread: float = 0.4
    width_error: float = 0.3
    outliers: float = 0.02
    outlier: float = 0.12
    sure_outliers: float = 0.3


EXACT = Detector(exact=1.0)
DETECTED = Detector(exact=0.0)



class Posed(NamedTuple):
    """People before cameras.

    Attributes:
        joints: (B, 17, 3) metres in the image frame.
        turns: (B, 22, 3, 3) local rotations, the root's into the camera's axes.
    """

    joints: Tensor
    turns: Tensor


class People:
    """Poses of captured people, to be drawn from.

    Args:
        poses: what was captured, roots included.
        seed: of the shapes.
        device: where they are made.
    """

    def __init__(self, poses: dataset.PoseSet, seed: int, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._turns = roma.rotvec_to_rotmat(torch.from_numpy(poses.poses).to(self.device))
        self._cumulative = torch.from_numpy(np.cumsum(poses.subject_weights()))
        self._offsets = random_bodies(seed).to(self.device)

    @classmethod
    def load(
        cls, folders: list[Path], seed: int, share_alike: bool = False, device: torch.device | str = "cpu"
    ) -> People:
        """People of folders of clips; raises FileError as `engine.training.dataset.load`."""
        return cls(dataset.load(folders, share_alike, root=True), seed, device)

    def __len__(self) -> int:
        return len(self._turns)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Joints (count, 17, 3) in metres in the image frame: subjects by weight, sides swapped half the time."""
        return self.draw_posed(count, generator).joints

    def draw_posed(self, count: int, generator: torch.Generator) -> Posed:
        """The same people with their rotations."""
        draws = torch.rand(count, generator=generator, dtype=torch.float64) * self._cumulative[-1]
        index = torch.searchsorted(self._cumulative, draws).clamp(max=len(self) - 1)
        shape = torch.randint(SHAPES, (count,), generator=generator)
        joints = self.upright(index, shape)
        swap = (torch.rand(count, generator=generator) < 0.5).to(self.device)
        joints = torch.where(swap[:, None, None], mirrored(joints), joints)
        cameras, distance = random_cameras(count, generator)
        turns = self._turns[index.to(self.device)]
        turns = torch.where(swap[:, None, None, None], mirrored_turns(turns), turns)
        root = cameras.to(turns) @ turns[:, 0]
        return Posed(seen_by(joints, cameras, distance), torch.cat([root[:, None], turns[:, 1:]], dim=1))

    def upright(self, index: Tensor, shape: Tensor) -> Tensor:
        """Joints (B, 17, 3) in metres of poses on shapes, as captured, the pelvis at 0."""
        joints = h36m_joints(self._turns[index.to(self.device)], self._offsets[shape.to(self.device)])
        return joints - joints[:, :1]


def random_bodies(seed: int) -> Tensor:
    """Rest offsets (`SHAPES`, 22, 3) float32 in metres of bodies of random shape."""
    betas = np.random.default_rng(seed).normal(0.0, SHAPE_STD, (SHAPES, BETAS))
    return torch.from_numpy(offsets_of(betas)).float()


def mirrored(joints: Tensor) -> Tensor:
    """Joints (..., 17, 3) reflected in the YZ plane, sides swapped."""
    return joints[..., list(MIRROR), :] * joints.new_tensor([-1.0, 1.0, 1.0])


def mirrored_turns(turns: Tensor) -> Tensor:
    """Local rotations (..., 22, 3, 3) of a body reflected in the YZ plane, sides swapped."""
    flip = torch.diag(turns.new_tensor([-1.0, 1.0, 1.0]))
    return flip @ turns[..., list(BODY_MIRROR), :, :] @ flip


def random_cameras(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rotations (count, 3, 3) into cameras that look at the pelvis, and their distances (count,) in metres."""
    turn = 2.0 * np.pi * torch.rand(count, generator=generator)
    pitch = PITCH * torch.randn(count, generator=generator)
    roll = ROLL * torch.randn(count, generator=generator)
    angles = torch.stack([roll, pitch, turn], dim=1)
    span = np.log(FARTHEST / NEAREST)
    distance = NEAREST * torch.exp(span * torch.rand(count, generator=generator))
    return roma.euler_to_rotmat("ZXY", angles), distance


def seen_by(joints: Tensor, turns: Tensor, distance: Tensor) -> Tensor:
    """Joints (B, 17, 3) from upright ones, in the image frame of cameras (B, 3, 3) at distances (B,)."""
    return image_frame(joints @ turns.to(joints).mT, distance.to(joints))


def detect(joints: Tensor, detector: Detector, generator: torch.Generator, frames: int = 1) -> Seen:
    """What a detector sees of joints (B, 17, 3) in the image frame: two coordinates, and how wide its heatmaps are.

    Args:
        joints: frames of a clip side by side.
        detector: its noise.
        generator: of the draws.
        frames: of each clip, which share quality and half of the noise's variance changes slowly in.
    """
    shape = joints.shape[:2]
    clips = shape[0] // frames
    quality = torch.exp(detector.spread * torch.randn(clips, 1, generator=generator)).repeat_interleave(frames, dim=0)
    width = torch.from_numpy(own_width(detector.torso, detector.limbs)).float() * quality
    outlier = torch.rand(shape, generator=generator) < detector.outliers
    honest = torch.rand(shape, generator=generator) >= detector.sure_outliers
    actual = torch.where(outlier, detector.outlier, width)
    told = torch.where(honest, actual, width) * torch.exp(
        detector.width_error * torch.randn(shape, generator=generator)
    )
    noisy = (torch.rand(clips, 1, generator=generator) >= detector.exact).repeat_interleave(frames, dim=0)
    drawn = _noise(clips, frames, generator).flatten(0, 1)
    noise = torch.where(noisy, actual, 0.0)[..., None] * drawn
    doubt = torch.where(noisy, told, 0.0)[..., None].expand(*shape, 2)
    depth = torch.full((*shape, 1), torch.inf)
    return Seen(
        torch.cat([joints[..., :2] + noise.to(joints), torch.zeros_like(joints[..., :1])], dim=-1),
        torch.cat([doubt, depth], dim=-1).to(joints),
    )


def _noise(clips: int, frames: int, generator: torch.Generator) -> Tensor:
    """Standard normal noise (clips, frames, 17, 2), half of its variance slow where there is time to be slow in."""
    fast = torch.randn(clips, frames, len(JOINTS), 2, generator=generator)
    if frames == 1:
        return fast
    knots = torch.randn(clips, frames // SLOW + 3, len(JOINTS), 2, generator=generator)
    at = torch.arange(frames) / SLOW + torch.rand(clips, 1, generator=generator)
    low, rows = at.long(), torch.arange(clips)[:, None]
    share = (at - low)[..., None, None]
    # Weights whose squares sum to 1 keep the variance between knots.
    slow = (0.5 * np.pi * share).cos() * knots[rows, low] + (0.5 * np.pi * share).sin() * knots[rows, low + 1]
    return (fast + slow) / np.sqrt(2.0)


def hidden(
    count: int, human: float, part: float, joint: float, generator: torch.Generator
) -> Tensor:
    """Joints that a condition leaves out, (count, 17) bool: GFPose's hierarchy of masks, HPJ (sec. 4.3).

    Args:
        count: of people.
        human, part, joint: chances that all, each of the five `PARTS`, and each joint is left out.
        generator: of the draws.
    """
    parts = torch.tensor([[name in members for name in JOINTS] for members in PARTS.values()])
    lost = torch.rand(count, len(parts), generator=generator) < part
    out = (lost[:, :, None] & parts).any(dim=1)
    out |= torch.rand(count, len(JOINTS), generator=generator) < joint
    return out | (torch.rand(count, 1, generator=generator) < human)
