# SPDX-License-Identifier: GPL-3.0-or-later
"""What GFPose's and DiffPose's tables are measured on, and how: people of the test split before made-up cameras."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.evaluation.joint_metrics import procrustes_aligned, root_aligned
from engine.evaluation.tables.table import Context
from engine.priors.joint_prior import Seen
from engine.training.people import DETECTED, EXACT, Detector, People, detect

PEOPLE = 100
DETECTORS: dict[str, Detector] = {"exact": EXACT, "detected": DETECTED}
PROTOCOL = (
    "{people} people a seed: poses of the test split (subjects 5, 8, 9, 13, whom training never saw), drawn with the "
    "roots of their frames as weights, on bundled mannequins of random SMPL-X shape, 17 joints of Human3.6M, before "
    "cameras at 2 to 10 m from any side, pitched by 20 and rolled by 6 degrees (standard deviations). Exact: keypoints "
    "without noise. Detected: Gaussian noise of 10 mm (trunk) to 22 mm (wrists and ankles) at the person, times the "
    "picture's quality, 2 % outliers of 120 mm, widths of heatmaps that tell all this in part. The distance of "
    "the pelvis is known, as in the paper's image frames. Errors over 17 joints, pelvises aligned (protocol 1) or "
    "after the best similarity (protocol 2). Spread over seeds: people, shapes, cameras, noise and sampling. Paper: "
    "Human3.6M."
)


def some_people(context: Context, seed: int, count: int = PEOPLE) -> Tensor:
    """Joints (N, 17, 3) in metres in the image frame."""
    people = People.load([context.data / "test"], seed)
    return people.draw(max(4, count // context.scale), torch.Generator().manual_seed(seed))


def protocol(context: Context, count: int = PEOPLE) -> str:
    """`PROTOCOL` with the number of people."""
    return PROTOCOL.format(people=max(4, count // context.scale))


def keypoints(joints: Tensor, detector: str, seed: int) -> Seen:
    """What a detector of `DETECTORS` sees of people."""
    return detect(joints, DETECTORS[detector], torch.Generator().manual_seed(1000 + seed))


def without(seen: Seen, lost: Tensor) -> Seen:
    """The same less joints (17,) or (N, 17) bool."""
    return Seen(seen.joints, seen.doubt.masked_fill(lost.expand(seen.doubt.shape[:2])[..., None], torch.inf))


def in_3d(joints: Tensor) -> Seen:
    """Joints that are known exactly."""
    return Seen(joints, torch.zeros_like(joints))


def least(drawn: Tensor, truth: Tensor, counts: tuple[int, ...], aligned: bool = False) -> dict[int, float]:
    """minMPJPE in mm of the first hypotheses of (N, S, 17, 3), by how many; protocol 2 where ``aligned``."""
    measure = procrustes_aligned if aligned else root_aligned
    found, aim = drawn.transpose(0, 1).double().numpy(), truth.double().numpy()
    error = measure(found, aim).mean(axis=-1)
    return {count: float(np.mean(error[:count].min(axis=0))) for count in counts}
