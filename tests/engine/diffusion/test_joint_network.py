# SPDX-License-Identifier: GPL-3.0-or-later
"""GFPose's network: its condition computed once gives what it gives when computed every time."""

from __future__ import annotations

import torch

from engine.diffusion.joint_network import ConditionalJointMLP, JointMLP


def test_the_condition_path_may_be_computed_before() -> None:
    torch.manual_seed(0)
    network = ConditionalJointMLP(hidden=64, embed=32, groups=8).eval()
    x, t, seen = torch.randn(12, 51), torch.rand(12), torch.randn(12, 102)
    torch.testing.assert_close(network(x, t, network.condition_path(seen)), network(x, t, seen))


def test_conditions_and_times_are_shared_by_consecutive_items() -> None:
    torch.manual_seed(0)
    network = ConditionalJointMLP(hidden=64, embed=32, groups=8).eval()
    x, t, seen = torch.randn(12, 51), torch.rand(3), torch.randn(4, 102)
    one_by_one = network(x, t.repeat_interleave(4), seen.repeat_interleave(3, dim=0))
    torch.testing.assert_close(network(x, t, seen), one_by_one)
    assert not torch.allclose(network(x, t, seen), network(x, t, seen.flip(0)))
    assert not torch.allclose(network(x, t, seen), network(x, 1.0 - t, seen))


def test_it_has_the_size_that_is_told() -> None:
    assert round(sum(p.numel() for p in ConditionalJointMLP().parameters()) / 1e6, 1) == 10.0


def test_the_twin_knows_nothing_but_the_condition() -> None:
    torch.manual_seed(0)
    network = JointMLP(hidden=64, embed=32, groups=8).eval()
    seen = torch.randn(5, 102)
    out = network(seen)
    assert out.shape == (5, 51)
    torch.testing.assert_close(network(seen[2:3])[0], out[2])
