# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips of a split filmed by made-up still cameras: keypoints in pixels as a detector gives them, and the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from engine.body.h36m_joints import h36m_joints
from engine.body.shapes import BETAS, offsets_of
from engine.evaluation.poses import moving_clips
from engine.tasks.fit.camera import Camera
from engine.training.people import DETECTED, SHAPE_STD, detect

CAMERA = Camera(1400.0, (960.0, 540.0))
DISTANCE, PITCH = (3.0, 6.0), np.deg2rad(10.0)
"""Metres from the middle of the way, uniform, and more where the way is long; a standard deviation."""
ASIDE = (0.3, 0.2)  # metres across and up that the middle of the way is off the axis, standard deviations


@dataclass(frozen=True)
class Filmed:
    """A clip before `CAMERA`, at 30 frames per second.

    Attributes:
        joints: (T, 17, 3) metres in the camera's frame.
        poses: (T, 22, 3) axis-angle in radians, the root's orientation in the camera's frame.
        transl: (T, 3) metres, the pelvis of the body there.
        pixels: (T, 17, 2) what the detector says; sigma: (T, 17) how wide its heatmaps are, pixels.
        offsets: (22, 3) rest offsets of the person in metres, of shape coefficients betas (10,).
    """

    joints: np.ndarray
    poses: np.ndarray
    transl: np.ndarray
    pixels: np.ndarray
    sigma: np.ndarray
    offsets: np.ndarray
    betas: np.ndarray


def film(folder: Path, count: int, frames: int, seed: int) -> list[Filmed]:
    """``count`` clips spread over a split, ``frames`` from the middle of each.

    Raises:
        FileError: the split is not there.
    """
    clips = moving_clips(folder, frames)
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    chosen = np.linspace(0, len(clips) - 1, min(count, len(clips))).astype(int)
    filmed = []
    for index in chosen:
        poses, path = clips[index]
        middle = slice((len(poses) - frames) // 2, (len(poses) - frames) // 2 + frames)
        filmed.append(_filmed(poses[middle], path[middle], rng, generator))
    return filmed


def snap(folder: Path, count: int, seed: int, cameras: int = 1) -> list[Filmed]:
    """``count`` single frames of clips of a split, every one of another person, each before ``cameras`` of them.

    Raises:
        FileError: the split is not there.
    """
    clips = moving_clips(folder, 1)
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    taken = []
    for index in np.linspace(0, len(clips) - 1, count).astype(int):
        poses, path = clips[index]
        frame = rng.integers(len(poses))
        betas = rng.normal(0.0, SHAPE_STD, BETAS)
        moment = poses[frame : frame + 1], path[frame : frame + 1]
        taken += [_filmed(*moment, rng, generator, betas) for _ in range(cameras)]
    return taken


def _filmed(
    poses: np.ndarray,
    path: np.ndarray,
    rng: np.random.Generator,
    generator: torch.Generator,
    betas: np.ndarray | None = None,
) -> Filmed:
    """A clip before a camera, of a person of given or of random shape."""
    turn = Rotation.from_euler("X", rng.normal(0.0, PITCH)) * Rotation.from_euler("Y", rng.uniform(-np.pi, np.pi))
    betas = rng.normal(0.0, SHAPE_STD, BETAS) if betas is None else betas
    offsets = offsets_of(betas[None])[0]
    extent = np.ptp(path, axis=0)
    away = rng.uniform(*DISTANCE) + 0.7 * max(extent[0], extent[2])
    middle = np.array([*(rng.normal(0.0, ASIDE)), -away])
    way = turn.apply(path - (path.min(axis=0) + path.max(axis=0)) / 2.0) + middle
    matrices = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(*poses.shape[:2], 3, 3)
    matrices[:, 0] = turn.as_matrix() @ matrices[:, 0]
    joints = h36m_joints(torch.from_numpy(matrices), torch.from_numpy(offsets)).numpy() + way[:, None]
    # Pixels at the pelvis are metres there: what the detector does in metres is done in pixels.
    scale = CAMERA.focal / -joints[:, :1, 2:]
    exact = CAMERA.project(torch.from_numpy(joints)).numpy()
    pixels, sigma = detected(exact, scale, generator)
    turned = poses.copy()
    turned[:, 0] = Rotation.from_matrix(matrices[:, 0]).as_rotvec()
    return Filmed(joints, turned, way, pixels, sigma, offsets, betas)


def detected(exact: np.ndarray, scale: np.ndarray, generator: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What a detector says of a clip's joints: pixels (T, 17, 2), and how wide its heatmaps are (T, 17), pixels.

    Args:
        exact: (T, 17, 2) pixels.
        scale: (T, 1, 1) pixels of a metre at the pelvis.
        generator: of the detector's noise.
    """
    flat = np.concatenate([exact / scale, np.zeros((*exact.shape[:2], 1))], axis=-1)
    seen = detect(torch.from_numpy(flat), DETECTED, generator, len(exact))
    return seen.joints[..., :2].numpy() * scale, seen.doubt[..., 0].numpy() * scale[..., 0]
