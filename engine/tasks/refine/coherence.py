# SPDX-License-Identifier: GPL-3.0-or-later
"""What poses of a clip, and views of one moment, have to do with each other: all of it quadratic, and so solved for."""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import solveh_banded
from torch import Tensor

from engine.diffusion.guidance import consecutive, same_across
from engine.priors.rotation_prior import ROOT


class Coherence:
    """Events (T * V, 144), views of a moment side by side, that should be smooth in time and agree on the body's pose.

    It is both a `Guidance` and an `ImplicitGuidance`: a matrix of few diagonals tells what the numbers of a coordinate
    have to do with each other in time, and views pull towards their mean, so that the nearest events are found by
    elimination, in time and memory that grow as the clip does.

    Args:
        views: V.
        smooth: weight of the squared differences in time, of each view by itself, in the world; a clip is refined as a
            whole, so all of it is there.
        order: of those differences: 1 for steps (ScoreHMR eq. 14), 2 for accelerations.
        agree: weight of the squared distances from the views' mean (eq. 13), all but the root's.
        upright: (T * V, 3, 3) rotations from the axes of the root's events to the world's.
        pull: (T,) weights by which poses are drawn to ``target``; zeros where there is none.
        target: (T * V, 144) events.
        held: (144,) bool, numbers that stay as they are; None for none.
    """

    def __init__(
        self,
        views: int,
        smooth: float,
        order: int,
        agree: float,
        upright: Tensor,
        pull: np.ndarray,
        target: Tensor | None = None,
        held: Tensor | None = None,
    ) -> None:
        self._views, self._smooth, self._order, self._agree = views, smooth, order, agree
        self._upright, self._pull, self._target, self._held = upright, pull, target, held

    def __call__(self, x0: Tensor) -> Tensor:
        """See `Guidance`."""
        loss = x0.new_zeros(len(x0))
        if self._agree and self._views > 1:
            loss = loss + self._agree * same_across(self._views, lambda events: events[:, ROOT.stop :])(x0)
        if self._smooth:
            by_view = _by_view(self._turned(x0, self._upright), self._views)
            clip = torch.arange(self._views, device=x0.device).repeat_interleave(len(x0) // self._views)
            steps = consecutive(clip, self._order)(by_view.flatten(0, 1))
            loss = loss + self._smooth * steps.unflatten(0, (self._views, -1)).T.flatten()
        if self._target is not None:
            pull = torch.from_numpy(self._pull).to(x0).repeat_interleave(self._views)
            loss = loss + pull * (x0 - self._target).square().sum(dim=1)
        return loss

    def nearest(self, x0: Tensor, step: float) -> Tensor:
        """See `ImplicitGuidance`."""
        events = x0
        if self._target is not None:
            pull = torch.from_numpy(2.0 * step * self._pull).to(x0).repeat_interleave(self._views)[:, None]
            events = x0 + pull * self._target
        world = _by_view(self._turned(events, self._upright), self._views).cpu().double().numpy()
        time = self._in_time(world.shape[1], step)
        mean = world.mean(axis=0)
        near = _solved(time, mean)[None]
        if self._views > 1:  # which differ from their mean
            away, apart = world - mean, 2.0 * step * self._agree
            body = _solved(time, away[..., ROOT.stop :], apart)
            near = near + np.concatenate([_solved(time, away[..., ROOT]), body], axis=-1)
        found = torch.from_numpy(near).to(x0).transpose(0, 1).flatten(0, 1)
        found = self._turned(found, self._upright.mT)
        return found if self._held is None else torch.where(self._held, x0, found)

    def _turned(self, events: Tensor, turns: Tensor) -> Tensor:
        """Events with the root's axes turned."""
        root = (turns @ events[:, ROOT].unflatten(1, (3, 2))).flatten(1)
        return torch.cat([root, events[:, ROOT.stop :]], dim=1)

    def _in_time(self, frames: int, step: float) -> np.ndarray:
        """(D, T) upper diagonals, the main one last, of a coordinate's normal matrix."""
        order = self._order if self._smooth and frames > self._order else 0
        difference = np.array([1.0])
        for _ in range(order):
            difference = np.convolve(difference, [-1.0, 1.0])
        bands = np.zeros((order + 1, frames))
        for first in range(order + 1):
            for second in range(first, order + 1):
                part = 2.0 * step * self._smooth * difference[first] * difference[second] if order else 0.0
                # Rows of differences begin at every frame but the last few; each adds one product to a diagonal.
                bands[order - (second - first), second : frames - order + second] += part
        bands[-1] += 1.0 + 2.0 * step * self._pull
        return bands


def _by_view(events: Tensor, views: int) -> Tensor:
    """(V, T, D) of (T * V, D)."""
    return events.unflatten(0, (-1, views)).transpose(0, 1)


def _solved(bands: np.ndarray, right: np.ndarray, more: float = 0.0) -> np.ndarray:
    """Solutions (..., T, D) of a banded system with so much more on its main diagonal."""
    if len(bands) == 1:
        return right / (bands[0] + more)[:, None]
    own = bands.copy()
    own[-1] += more
    columns = np.moveaxis(right, -2, 0)
    return np.moveaxis(solveh_banded(own, columns.reshape(len(columns), -1)).reshape(columns.shape), 0, -2)
