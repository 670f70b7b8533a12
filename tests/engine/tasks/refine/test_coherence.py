# SPDX-License-Identifier: GPL-3.0-or-later
"""Events of clips and views: the nearest ones are those at which automatic differentiation finds no slope."""

from __future__ import annotations

import numpy as np
import pytest
import roma
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.priors.rotation_prior import DIM, ROOT
from engine.tasks.refine.coherence import Coherence


def case(
    seed: int, frames: int, views: int, order: int, smooth: float, agree: float, pulled: bool
) -> tuple[Coherence, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    turns = roma.unitquat_to_rotmat(torch.nn.functional.normalize(draw(frames * views, 4), dim=1))
    pull = np.where(np.arange(frames) % 3 == 1, 15.0, 0.0) if pulled else np.zeros(frames)
    target = draw(frames * views, DIM) if pulled else None
    return Coherence(views, smooth, order, agree, turns, pull, target), draw(frames * views, DIM)


@given(
    seed=st.integers(0, 1000), frames=st.integers(1, 12), views=st.integers(1, 3), order=st.integers(1, 2),
    smooth=st.sampled_from([0.0, 0.3, 60.0, 1e5]), agree=st.sampled_from([0.0, 2.0, 1e4]), pulled=st.booleans(),
    step=st.floats(1e-4, 0.1),
)  # fmt: skip
def test_nearest_events_have_no_slope(
    seed: int, frames: int, views: int, order: int, smooth: float, agree: float, pulled: bool, step: float
) -> None:
    coherence, x0 = case(seed, frames, views, order, smooth, agree, pulled)
    found = coherence.nearest(x0, step).requires_grad_(True)
    (coherence(found).sum() + (found - x0).square().sum() / (2.0 * step)).backward()
    stiffness = 1.0 / step + 16.0 * 2.0 * smooth + 2.0 * agree + 30.0
    assert found.grad is not None and float(found.grad.abs().max()) < 1e-9 * stiffness


def test_a_clip_without_weights_stays() -> None:
    coherence, x0 = case(0, 5, 2, 2, 0.0, 0.0, False)
    torch.testing.assert_close(coherence.nearest(x0, 0.1), x0)
    assert float(coherence(x0).abs().max()) == 0.0


@pytest.mark.parametrize("order", [1, 2])
def test_the_root_is_smooth_in_the_world(order: int) -> None:
    """One that stands still there costs nothing, whichever way its camera turns."""
    coherence, x0 = case(1, 6, 1, order, 30.0, 0.0, False)
    turns = coherence._upright
    still = torch.eye(3, dtype=torch.float64)[:, :2]
    x0 = x0[:1].repeat(6, 1)
    x0[:, ROOT] = (turns.mT @ still).flatten(1)
    assert float(coherence(x0).sum()) < 1e-20
    torch.testing.assert_close(coherence.nearest(x0, 0.05), x0)


def test_views_share_no_root() -> None:
    coherence, x0 = case(2, 3, 4, 2, 0.0, 1e6, False)
    found = coherence.nearest(x0, 0.1)
    torch.testing.assert_close(found[:, ROOT], x0[:, ROOT])
    body = found[:, ROOT.stop :].unflatten(0, (3, 4))
    torch.testing.assert_close(body, x0[:, ROOT.stop :].unflatten(0, (3, 4)).mean(dim=1, keepdim=True).expand_as(body),
                               atol=1e-4, rtol=0.0)  # fmt: skip


def test_numbers_that_are_held_stay_bit_for_bit() -> None:
    _, x0 = case(3, 8, 2, 2, 60.0, 450.0, False)
    held = torch.zeros(DIM, dtype=torch.bool)
    held[30:60] = True
    turns = torch.eye(3, dtype=torch.float64).expand(16, 3, 3)
    for known in (held, None):
        found = Coherence(2, 60.0, 2, 450.0, turns, np.zeros(8), held=known).nearest(x0, 0.05)
        assert torch.equal(found[:, held], x0[:, held]) == (known is not None)
        assert (found[:, ~held] != x0[:, ~held]).all()
