# SPDX-License-Identifier: GPL-3.0-or-later
"""The network over time: shapes, reach, and that a frame's answer does not depend on the length of the window."""

from __future__ import annotations

import pytest
import torch

from engine.diffusion.temporal_network import TemporalScoreNet, TimeConvolution


@pytest.fixture
def network() -> TemporalScoreNet:
    torch.manual_seed(0)
    made = TemporalScoreNet(5, 3, hidden=16, embed=8, dilations=(1, 2))
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made.eval()


def test_the_convolution_is_torchs_own() -> None:
    ours = TimeConvolution(4, 6, dilation=2)
    theirs = torch.nn.Conv1d(4, 6, 3, padding=2, dilation=2, bias=False)
    theirs.weight.data = ours.weight.data.unflatten(1, (4, 3))
    x = torch.randn(2, 4, 9)
    torch.testing.assert_close(ours(x), theirs(x))


def test_frames_are_heard_as_far_as_the_dilations_reach(network: TemporalScoreNet) -> None:
    x, t = torch.randn(1, 21, 5), torch.tensor([0.5])
    other = x.clone()
    other[0, 10] += 1.0
    changed = (network(x, t) - network(other, t)).abs().amax(dim=(0, 2)) > 1e-7
    reach = 1 + 1 + 2  # the first convolution's and the blocks'
    assert changed.nonzero()[:, 0].tolist() == list(range(10 - reach, 10 + reach + 1))


def test_a_longer_window_says_the_same_of_its_middle(network: TemporalScoreNet) -> None:
    x, t = torch.randn(1, 40, 5), torch.tensor([0.3])
    torch.testing.assert_close(network(x, t)[:, 14:26], network(x[:, 10:30], t)[:, 4:16])


def test_times_are_shared_or_each_items_own(network: TemporalScoreNet) -> None:
    x = torch.randn(2, 12, 5)
    both = network(x, torch.tensor([0.2, 0.9]))
    torch.testing.assert_close(both[:1], network(x[:1], torch.tensor([0.2])))
    torch.testing.assert_close(network(x, torch.tensor([0.2]))[:1], both[:1])
    assert not torch.allclose(network(x, torch.tensor([0.9]))[:1], both[:1])


def test_blocks_begin_as_nothing() -> None:
    made = TemporalScoreNet(5, 3, hidden=16, embed=8)
    assert (made(torch.randn(1, 10, 5), torch.tensor([0.5])) == 0).all()
