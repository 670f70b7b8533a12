# SPDX-License-Identifier: GPL-3.0-or-later
"""How far bodies are from 2D keypoints (ScoreHMR eq. 12), with where they stand, and their shape, solved along."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.body.h36m_joints import h36m_joints
from engine.diffusion.guidance import Guidance
from engine.priors.rotation_prior import from_event
from engine.tasks.fit.camera import NEAREST
from engine.tasks.fit.terms import geman_mcclure, geman_mcclure_weight

ROBUST = 0.43
"""Metres at the person, Geman and McClure's scale: the released 100 pixels of an image of 1,000, at 235 pixels a
metre."""
START_DEVIATION = 1.0  # metres from where the start has the person, which decides where nothing was seen
SHAPE_DEVIATION = 1.0
PLACINGS = 2
"""Steps of Gauss and Newton at every evaluation: the body hardly moves between two."""


class Reprojection:
    """Keypoints of N bodies in axes of which the camera looks along the last.

    The paper moves the camera by a step of Adam at every evaluation. How a body is placed is a problem of three
    unknowns, so here it is solved; the gradient by the pose is then the same as with the place held.

    Args:
        tangents: (N, 17, 2) keypoints, x to the right and y up at depth 1.
        weight: (N, 17) of each keypoint, 0 where it was not seen.
        place: (N, 3) metres, where the pelvis starts; it is moved along.
        offsets: (22, 3) rest offsets of the body in metres, or (N, 22, 3) of as many.
        basis: (22, 3, 10) metres that offsets change by with the shape's coefficients, where these are solved along,
            one shape for all bodies.
        moves: whether places are moved at all.
    """

    def __init__(
        self,
        tangents: Tensor,
        weight: Tensor,
        place: Tensor,
        offsets: Tensor,
        basis: Tensor | None = None,
        moves: bool = True,
    ) -> None:
        self._tangents, self._weight, self._moves = tangents, weight, moves
        self._start, self.place = place, place.clone()
        self._offsets, self._basis = offsets, basis
        self._distance = (-place[:, 2]).clamp_min(NEAREST)
        self.betas = place.new_zeros(0 if basis is None else basis.shape[-1])

    def offsets(self, rows: Tensor) -> Tensor:
        """Rest offsets of bodies (R,) in metres, (22, 3) or (R, 22, 3), of the shape as it is now."""
        own = self._offsets if self._offsets.dim() == 2 else self._offsets[rows]
        return own if self._basis is None else own + self._basis @ self.betas

    def at(self, rows: Tensor) -> Guidance:
        """The loss of bodies (R,), weights included: eq. 12 with Geman and McClure's robust distance."""

        def loss(x0: Tensor) -> Tensor:
            joints = h36m_joints(from_event(x0), self.offsets(rows))
            with torch.no_grad():
                for _ in range(PLACINGS if self._moves else 0):
                    self.place[rows] = self._placed(joints.detach(), rows)
            away = self._away(joints + self.place[rows][:, None], rows)
            return (self._weight[rows] * geman_mcclure(away.square().sum(dim=-1), ROBUST)).sum(dim=1)

        return loss

    def miss(self, x0: Tensor) -> Tensor:
        """(N,) metres at the person between bodies x0 and keypoints, a mean by weight; NaN where there are none."""
        rows = torch.arange(len(x0), device=x0.device)
        points = h36m_joints(from_event(x0), self.offsets(rows)) + self.place[:, None]
        away = self._away(points, rows).norm(dim=-1)
        return (self._weight * away).sum(dim=1) / self._weight.sum(dim=1)

    def certainty(self, x0: Tensor) -> Tensor:
        """(N, 3, 3) how surely bodies x0 are placed: the second derivative of the loss by the place."""
        rows = torch.arange(len(x0), device=x0.device)
        return self._by_place(h36m_joints(from_event(x0), self.offsets(rows)), rows)[0]

    def reshape(self, x0: Tensor, rows: Tensor) -> None:
        """Take the shape that fits bodies (R,) best in poses x0, one shape for all: Gauss and Newton's step."""
        if self._basis is None:
            return
        turns = from_event(x0)
        joints = h36m_joints(turns, self.offsets(rows))
        # What a unit of each coefficient adds to joints, all poses at once: but for the head, which stays as large as
        # it is, they are linear in the offsets.
        head = h36m_joints(turns, torch.zeros_like(self._basis[..., 0]))
        grown = torch.stack([h36m_joints(turns, change) - head for change in self._basis.unbind(-1)], dim=-1)
        normal, slope, tangent, weight, away = self._by_place(joints, rows)
        by_shape = tangent @ grown
        weighted = weight[..., None, None] * by_shape
        # Where each body stands gives way (Schur's complement), since that is solved along.
        mixed = torch.einsum("rjax,rjas->rxs", weight[..., None, None] * tangent, by_shape)
        gain = torch.linalg.solve(normal, torch.cat([mixed, slope[..., None]], dim=2))
        inner = torch.einsum("rjas,rjat->st", weighted, by_shape) - torch.einsum("rxs,rxt->st", mixed, gain[..., :-1])
        right = torch.einsum("rjas,rja->s", weighted, away) - torch.einsum("rxs,rx->s", mixed, gain[..., -1])
        ridge = torch.eye(len(inner)).to(inner) / SHAPE_DEVIATION**2
        self.betas = self.betas - torch.linalg.solve(inner + ridge, right + self.betas / SHAPE_DEVIATION**2)

    def _away(self, points: Tensor, rows: Tensor) -> Tensor:
        """(R, 17, 2) metres at the person, of points from what was seen."""
        depth = (-points[..., 2:]).clamp_min(NEAREST)
        return (points[..., :2] / depth - self._tangents[rows]) * self._distance[rows][:, None, None]

    def _by_place(self, joints: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Normal matrix (R, 3, 3) and slope (R, 3) by the place, Jacobian (R, 17, 2, 3), weights, and residuals."""
        points = joints + self.place[rows][:, None]
        depth = (-points[..., 2]).clamp_min(NEAREST)
        near = self._distance[rows][:, None] / depth
        zero = torch.zeros_like(near)
        tangent = torch.stack(
            [
                torch.stack([near, zero, near * points[..., 0] / depth], dim=-1),
                torch.stack([zero, near, near * points[..., 1] / depth], dim=-1),
            ],
            dim=-2,
        )
        away = self._away(points, rows)
        weight = self._weight[rows] * geman_mcclure_weight(away.square().sum(dim=-1), ROBUST)
        slope = torch.einsum("rj,rjax,rja->rx", weight, tangent, away)
        slope = slope + (self.place[rows] - self._start[rows]) / START_DEVIATION**2
        normal = torch.einsum("rj,rjax,rjay->rxy", weight, tangent, tangent)
        return normal + torch.eye(3).to(normal) / START_DEVIATION**2, slope, tangent, weight, away

    def _placed(self, joints: Tensor, rows: Tensor) -> Tensor:
        """(R, 3) the place after a step of Gauss and Newton."""
        normal, slope, *_ = self._by_place(joints, rows)
        moved = self.place[rows] - torch.linalg.solve(normal, slope)
        moved[:, 2] = moved[:, 2].clamp_max(-NEAREST)
        return moved
