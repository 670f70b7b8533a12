# SPDX-License-Identifier: GPL-3.0-or-later
"""2D keypoints of N images as losses and residuals of bodies."""

from __future__ import annotations

import numpy as np
import roma
import torch
from torch import Tensor

from engine.body import forward_kinematics
from engine.tasks.fit.camera import NEAREST, Camera
from engine.tasks.fit.levenberg import Linear, Linearise
from engine.tasks.fit.linearisation import Points
from engine.tasks.fit.marks import TORSO
from engine.tasks.fit.state import ROOT, TRANSL, Space
from engine.tasks.fit.terms import geman_mcclure, geman_mcclure_weight


class Evidence:
    """What N images show.

    Args:
        space: of the bodies' rows.
        points: (K) of the body that the keypoints are.
        camera: of all images.
        pixels: (N, K, 2) keypoints.
        confidence: (N, K).
    """

    def __init__(
        self, space: Space, points: Points, camera: Camera, pixels: Tensor, confidence: Tensor
    ) -> None:
        self.space, self.points, self.camera = space, points, camera
        self.pixels, self.confidence = pixels, confidence
        far = torch.tensor(torch.inf, dtype=pixels.dtype, device=pixels.device)
        seen = (confidence > 0)[..., None]
        low, high = (torch.where(seen, pixels, s * far) for s in (1.0, -1.0))
        self.size = (high.amax(dim=1) - low.amin(dim=1)).amax(dim=1).clamp_min(1.0)
        """(N,) the person's size in pixels: the longer side of the keypoints' box."""

    def __len__(self) -> int:
        return len(self.pixels)

    def rows(self, index: Tensor) -> Evidence:
        """The images ``index``, in that order."""
        return Evidence(self.space, self.points, self.camera, self.pixels[index], self.confidence[index])

    def joints(self, x: Tensor) -> Tensor:
        """(N, 22, 3) joints of bodies in metres; differentiable."""
        return self._kinematics(x)[0]

    def squared(self, x: Tensor) -> Tensor:
        """(N, K) squared distances in pixels; differentiable."""
        joints, turns = self._kinematics(x)
        carried = (turns[:, self.points.joints] @ self.points.places[:, :, None])[..., 0]
        return (
            (self.camera.project(joints[:, self.points.joints] + carried) - self.pixels).square().sum(dim=-1)
        )

    def error(self, x: Tensor) -> Tensor:
        """(N,) mean distance in pixels weighted by confidence."""
        return (self.confidence * self.squared(x).sqrt()).sum(dim=1) / self.confidence.sum(dim=1)

    def at(self, tolerance: Tensor, robust: float) -> Linearise:
        """Residuals in units of ``tolerance`` (N,) pixels under Geman and McClure's loss of scale ``robust`` of them.

        Confidences are precisions: eq. 12 with lambda_i = confidence.
        """
        unit = tolerance[:, None, None]

        def linearise(x: Tensor) -> Linear:
            placed, slope = self.space.place(x, self.points)
            pixels, by_point = self.camera.linearise(placed.points)
            away = (pixels - self.pixels) / unit
            squared = away.square().sum(dim=-1)
            root = (self.confidence * geman_mcclure_weight(squared, robust)).sqrt()[..., None]
            jacobian = (root / unit)[..., None] * (by_point @ slope)
            cost = (self.confidence * geman_mcclure(squared, robust)).sum(dim=1)
            return Linear((root * away).flatten(1), jacobian.flatten(1, 2), cost)

        return linearise

    def facing(self, x: Tensor, yaw: float) -> Tensor:
        """x turned by ``yaw`` radians from facing the camera, as far away as the person is large in the image.

        Depth by similar triangles from the largest extent of the seen points; all of them are taken, not the torso
        alone, because one foreshortened length would put the body far away.
        """
        x = x.clone()
        x[:, ROOT] = torch.tensor([0.0, yaw, 0.0]).to(x)
        x[:, TRANSL] = 0.0
        placed = self.space.place(x, self.points)[0].points
        seen = (self.confidence > 0)[..., None]
        lowest = torch.where(seen, placed, torch.inf).amin(dim=1)
        highest = torch.where(seen, placed, -torch.inf).amax(dim=1)
        depth = self.camera.focal * (highest - lowest)[:, :2].amax(dim=1) / self.size
        weight = self.confidence[..., None]
        middle = (weight * placed).sum(dim=1) / weight.sum(dim=1)
        ray = self.camera.ray((weight * self.pixels).sum(dim=1) / weight.sum(dim=1))
        x[:, TRANSL] = ray * depth.clamp_min(2.0 * NEAREST)[:, None] - middle
        return x

    def yaw_of_shoulders(self) -> Tensor:
        """(N,) 0 where the left shoulder, or hip, is right of the other in the image, as in a body that faces the
        camera, else pi."""
        pairs = [(TORSO[0], TORSO[1]), (TORSO[2], TORSO[3])]
        across = torch.stack(
            [
                (self.pixels[:, a, 0] - self.pixels[:, b, 0]) * self.confidence[:, [a, b]].amin(dim=1)
                for a, b in pairs
            ]
        ).sum(dim=0)
        return torch.where(across >= 0, 0.0, np.pi).to(across)

    def _kinematics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rotations = roma.rotvec_to_rotmat(self.space.pose(x))
        return forward_kinematics(rotations, self.space.shaped(x), x[:, TRANSL])
