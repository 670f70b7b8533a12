# SPDX-License-Identifier: GPL-3.0-or-later
"""ScoreHMR's network: as large as the authors', and the same with its context kept out of the loop."""

from __future__ import annotations

import torch
from torch.nn.functional import gelu, silu

from engine.diffusion.rotation_network import ContextBlock, RotationMLP


def test_it_is_as_large_as_the_authors() -> None:
    assert sum(p.numel() for p in RotationMLP(144, 3072, 1024, 3).parameters()) == 11_307_024


def block() -> ContextBlock:
    """One with no weight at its first value, so that each counts."""
    torch.manual_seed(0)
    made = ContextBlock(24, 40, 32, 16).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made


def plain(part: ContextBlock, x: torch.Tensor, time: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
    """The formula as the paper has it: normalise both together, then multiply."""
    scale, shift = part.time(silu(time)).chunk(2, dim=1)
    both = torch.cat([scale * x + shift, context], dim=1)
    return x + gelu(part.out(part.within(gelu(part.into(part.norm(both))))))


def test_a_split_product_is_the_whole_one() -> None:
    part = block()
    x, time = (torch.randn(7, size, dtype=torch.float64) for size in (24, 16))
    for context in (torch.randn(7, 40).double(), 3.0 + 20.0 * torch.randn(7, 40).double(), torch.zeros(7, 40).double()):
        torch.testing.assert_close(part(x, time, part.told(context)), plain(part, x, time, context))


def test_and_so_are_its_gradients() -> None:
    part = block()
    x, time, context = (torch.randn(3, size, dtype=torch.float64) for size in (24, 16, 40))
    for leaf in (x, context):
        leaf.requires_grad_(True)
    weights = list(part.parameters())
    split, whole = (
        torch.autograd.grad(out.square().sum(), [x, context, *weights])
        for out in (part(x, time, part.told(context)), plain(part, x, time, context))
    )
    for ours, theirs in zip(split, whole, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)


def test_contexts_and_times_are_shared_by_consecutive_events() -> None:
    torch.manual_seed(0)
    network = RotationMLP(24, 10, 32, 2)
    x, t, context = torch.randn(12, 24), torch.tensor([3.0, 40.0, 900.0]), torch.randn(4, 10)
    one_by_one = network(x, t.repeat_interleave(4), context.repeat_interleave(3, dim=0))
    torch.testing.assert_close(network(x, t, context), one_by_one)
    torch.testing.assert_close(network(x, t, network.context_path(context)), one_by_one)
    assert not torch.allclose(network(x, t, context.flip(0)), one_by_one)
    assert not torch.allclose(network(x, t.flip(0), context), one_by_one)
    torch.testing.assert_close(network(x, t[:1], context)[3:5], network(x[3:5], t[:1], context[1:2]))
