# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets for a few joints as residuals of bodies: places, orientations, and hinges that bend one way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from engine.errors import MotionError
from engine.motion.joints import JOINTS
from engine.tasks.fit.levenberg import Linear, Linearise
from engine.tasks.fit.linearisation import Points
from engine.tasks.fit.state import BODY, Space
from engine.tasks.fit.terms import HINGES

FARTHEST = 1000.0
"""Metres; a target further away is taken for a mistake of units."""

HINGE = 0.015
"""Radians that an elbow or a knee gives way beyond the straight limb."""


@dataclass(frozen=True)
class Targets:
    """Where K joints of a body shall be on T frames.

    Attributes:
        joints: K names of joints.
        places: (T, K, 3) metres; a target with NaN does not count on that frame.
        turns: (T, K, 4) unit quaternions WXYZ, global orientations, likewise; None for none at all.
        slack: (T, K) metres that each may be off at the price of one standard deviation, besides the reach that all
            have; None for none.

    Raises:
        MotionError: no target, an unknown joint or one named twice, shapes that do not fit, infinite numbers, or a
            target more than `FARTHEST` away.
    """

    joints: tuple[str, ...]
    places: np.ndarray
    turns: np.ndarray | None = None
    slack: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not self.joints:
            raise MotionError("Give at least one target, such as left_wrist.")
        check_joints(self.joints)
        if len(set(self.joints)) < len(self.joints):
            raise MotionError("A joint has two targets; give it one.")
        frames, count = len(self.places), len(self.joints)
        shapes = {(frames, count, 3): self.places, (frames, count, 4): self.turns, (frames, count): self.slack}
        if any(array is not None and array.shape != shape for shape, array in shapes.items()):
            raise MotionError("Targets need a place of three numbers for each frame and joint.")
        if np.isinf(self.places).any() or (self.turns is not None and np.isinf(self.turns).any()):
            raise MotionError("Every target is three finite numbers; correct the one that is not.")
        if (np.abs(self.places) > FARTHEST).any():
            raise MotionError(f"A target is more than {FARTHEST:.0f} m away; give targets in metres.")

    def __len__(self) -> int:
        return len(self.places)

    @property
    def indices(self) -> np.ndarray:
        """(K,) of the joints."""
        return np.array([JOINTS.index(name) for name in self.joints])

    @property
    def counts(self) -> np.ndarray:
        """(T, K) bool, where a target has a place."""
        return ~np.isnan(self.places).any(axis=-1)

    def at(self, rows: slice) -> Targets:
        """Some of the frames."""
        turns, slack = (None if a is None else a[rows] for a in (self.turns, self.slack))
        return Targets(self.joints, self.places[rows], turns, slack)

    def and_(self, other: Targets) -> Targets:
        """These and those of other joints, on the same frames."""
        turns = [_turns(one) for one in (self, other)]
        slack = [np.zeros(one.counts.shape) if one.slack is None else one.slack for one in (self, other)]
        return Targets(
            self.joints + other.joints,
            np.concatenate([self.places, other.places], axis=1),
            np.concatenate(turns, axis=1),
            np.concatenate(slack, axis=1),
        )

    def seen_from(self, turn: Rotation, place: np.ndarray) -> Targets:
        """The same in the axes of frames that are turned by ``turn`` (T) and stand at ``place`` (T, 3)."""
        back = turn.inv()
        away = self.places - place[:, None]
        places = np.stack([back.apply(away[:, k]) for k in range(away.shape[1])], axis=1)
        turns = self.turns
        if turns is not None:
            turns = np.full_like(turns, np.nan)
            for k in range(turns.shape[1]):
                held = ~np.isnan(self.turns[:, k]).any(axis=-1)  # type: ignore[index]
                if held.any():
                    given = Rotation.from_quat(self.turns[held, k], scalar_first=True)  # type: ignore[index]
                    turns[held, k] = (back[held] * given).as_quat(scalar_first=True)
        return replace(self, places=places, turns=turns)


def check_joints(names: Iterable[str]) -> None:
    """Raise MotionError where a name is no joint of the body."""
    for name in names:
        if name not in JOINTS:
            raise MotionError(f"{name!r} is no joint of the body; name one of {', '.join(JOINTS)}.")


class Aim:
    """Targets as residuals of rows (B, D) of a space; B is T, or anything where T is 1.

    Args:
        space: of the rows.
        targets: where joints shall be.
        radians_per_metre: how much turn of an oriented target weighs as a metre beside it.
        effort: how hard a target pulls at most, in standard deviations of the prior per metre: beyond that the body
            stops reaching rather than contort itself. One for all, or (T, K).
        start: (T, D) rows in whose elbows and knees no more overstretching is allowed than they have; None lets
            them bend either way.
    """

    def __init__(
        self,
        space: Space,
        targets: Targets,
        radians_per_metre: float,
        effort: float | np.ndarray = np.inf,
        start: Tensor | None = None,
    ) -> None:
        self._space, self._metres, like = space, 1.0 / radians_per_metre, space.mean
        self._effort = torch.as_tensor(np.broadcast_to(effort, targets.counts.shape).copy()).to(like)
        self._points = Points.of(targets.indices).to(like)
        self._places = torch.as_tensor(np.nan_to_num(targets.places)).to(like)
        self._counts = torch.as_tensor(targets.counts).to(like)
        slack = np.zeros(targets.counts.shape) if targets.slack is None else targets.slack
        self._slack = torch.as_tensor(slack).to(like)
        turns = _turns(targets)
        held = ~np.isnan(turns).any(axis=-1)
        self._which = np.flatnonzero(held.any(axis=0)).tolist()
        self._held = torch.as_tensor(held[:, self._which]).to(like)
        turns = np.where(held[..., None], turns, np.array([1.0, 0.0, 0.0, 0.0]))[:, self._which]
        xyzw = torch.as_tensor(np.roll(turns, -1, axis=-1)).to(like)
        self._turns = roma.unitquat_to_rotmat(xyzw) if self._which else torch.empty(0)
        self._columns = [BODY.start + 3 * (JOINTS.index(name) - 1) + axis for name, axis, _ in HINGES]
        self._signs = torch.tensor([sign for *_, sign in HINGES]).to(like)
        events = [column - BODY.start for column in self._columns]
        self._scale, self._middle = space.std[events], space.mean[events]
        self._allowed = None if start is None else self._overstretched(start).clamp_min(0.0)

    def at(self, tolerance: float) -> Linearise:
        """Residuals where a target's standard deviation is ``tolerance`` metres."""

        def linearise(x: Tensor) -> Linear:
            placed, slope = self._space.place(x, self._points)
            variance = tolerance**2 + self._slack**2
            parts = [self._weighed(placed.points - self._places, slope, self._counts, variance, self._effort)]
            if which := self._which:
                # The derivative of the logarithm is taken as the identity, which it is where the residual is zero.
                away = self._metres * roma.rotmat_to_rotvec(placed.turns[:, which] @ self._turns.mT)
                turning = self._metres * self._space.turning(placed)[:, which]
                parts.append(self._weighed(away, turning, self._held, variance[:, which], self._effort[:, which]))
            if self._allowed is not None:
                parts.append(self._hinges(x, self._allowed))
            values, slopes, costs = zip(*parts, strict=True)
            return Linear(torch.cat(values, dim=1), torch.cat(slopes, dim=1), torch.stack(costs).sum(dim=0))

        return linearise

    def missed(self, x: Tensor) -> np.ndarray:
        """(B, K) metres from each target; NaN where it does not count."""
        away = self._space.place(x, self._points)[0].points - self._places
        return torch.where(self._counts > 0, away.norm(dim=-1), torch.nan).cpu().double().numpy()

    @staticmethod
    def _weighed(
        away: Tensor, slope: Tensor, counts: Tensor, variance: Tensor, effort: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Residuals (B, K, 3) and slopes (B, K, 3, D) in standard deviations, under Huber's loss (1964)."""
        length = away.norm(dim=-1)
        most = effort * variance
        share = (most / length.clamp_min(1e-12)).clamp_max(1.0)
        cost = torch.where(length <= most, length.square(), 2.0 * most * length - most.square()) / variance
        root = (counts * share / variance).sqrt()[..., None]
        total = torch.where(counts > 0, cost, 0.0).sum(dim=1)
        return (root * away).flatten(1), (root[..., None] * slope).flatten(1, 2), total

    def _overstretched(self, x: Tensor) -> Tensor:
        """(B, 4) radians that elbows and knees are bent by to the wrong side."""
        return self._signs * (x[:, self._columns] * self._scale + self._middle)

    def _hinges(self, x: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        beyond = (self._overstretched(x) - allowed) / HINGE
        values = beyond.clamp_min(0.0)
        slope = x.new_zeros(len(x), len(self._columns), x.shape[1])
        rows = torch.arange(len(self._columns))
        slope[:, rows, self._columns] = (values > 0) * (self._signs * self._scale / HINGE)
        return values, slope, values.square().sum(dim=1)


def _turns(targets: Targets) -> np.ndarray:
    """(T, K, 4), NaN where there is none."""
    return np.full((*targets.counts.shape, 4), np.nan) if targets.turns is None else targets.turns
