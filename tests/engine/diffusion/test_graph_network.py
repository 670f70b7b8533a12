# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks over joints: what reaches which joint and frame."""

from __future__ import annotations

import math

import pytest
import torch

from engine.diffusion.graph_network import (
    ContextEncoder,
    GraphConvolution,
    PoseGraphNet,
    normalised_adjacency,
    step_embedding,
)
from engine.motion.h36m import JOINTS, PARENTS


def reaches(function: torch.nn.Module, x: torch.Tensor, at: int) -> torch.Tensor:
    """(J,) bool: the joints whose output changes with joint ``at``'s input."""
    moved = x.clone()
    moved[..., at, :] += 1.0
    return (function(moved) - function(x)).abs().flatten(0, -3).amax(dim=(0, 2)) > 0


def test_a_graph_convolution_reaches_the_neighbours() -> None:
    torch.manual_seed(0)
    layer, x = GraphConvolution(4, 5, PARENTS), torch.randn(2, 17, 4)
    thorax = JOINTS.index("thorax")
    names = {JOINTS[j] for j in torch.nonzero(reaches(layer, x, thorax))[:, 0]}
    assert names == {"thorax", "spine", "nose", "left_shoulder", "right_shoulder"}


def test_the_adjacency_is_normalised() -> None:
    adjacency = normalised_adjacency(PARENTS)
    torch.testing.assert_close(adjacency, adjacency.mT)
    # Of a normalised adjacency the spectrum lies in [-1, 1], and a tree, being bipartite, has both ends.
    values = torch.linalg.eigvalsh(adjacency)
    assert abs(float(values[0]) + 1.0) < 1e-5 and abs(float(values[-1]) - 1.0) < 1e-5


def test_every_joint_reaches_every_other_by_attention() -> None:
    torch.manual_seed(0)
    encoder = ContextEncoder(PARENTS, width=32, depth=1).eval()
    with torch.no_grad():
        assert reaches(lambda x: encoder.features(x[:, None])[:, 0], torch.randn(2, 17, 3), 13).all()


def test_frames_of_a_clip_reach_each_other_and_missing_ones_none() -> None:
    torch.manual_seed(0)
    encoder = ContextEncoder(PARENTS, width=32, depth=2, frames=9).eval()
    seen, there = torch.randn(3, 9, 17, 3), torch.ones(3, 9, dtype=torch.bool)
    there[:, 6:] = False
    with torch.no_grad():
        before = encoder.features(seen, there)
        seen[:, 6:] = torch.randn(3, 3, 17, 3)
        torch.testing.assert_close(encoder.features(seen, there)[:, :6], before[:, :6])
        seen[:, 5] += 1.0
        assert ((encoder.features(seen, there) - before)[:, :5].abs().amax(dim=(0, 2, 3)) > 0).all()
        torch.testing.assert_close(encoder.features(seen[:, :6])[:, 0], encoder.features(seen, there)[:, 0])


def test_single_frames_know_nothing_of_each_other() -> None:
    torch.manual_seed(0)
    encoder = ContextEncoder(PARENTS, width=32, depth=2).eval()
    seen = torch.randn(5, 1, 17, 3)
    with torch.no_grad():
        torch.testing.assert_close(encoder.features(seen)[2], encoder.features(seen[2:3])[0])


def test_the_step_is_embedded_as_printed() -> None:
    row = step_embedding(torch.tensor([7.0]), 256)[0]
    for j in (0, 3, 100):
        angle = 7.0 / 10000.0 ** (2 * j / 256)
        assert math.isclose(float(row[2 * j]), math.sin(angle), abs_tol=1e-5)
        assert math.isclose(float(row[2 * j + 1]), math.cos(angle), abs_tol=1e-5)


def test_the_pose_depends_on_step_and_context() -> None:
    torch.manual_seed(0)
    network = PoseGraphNet(PARENTS, context=16, width=16, blocks=1).eval()
    pose, centre, context = torch.randn(4, 17, 3), torch.randn(4, 17, 3), torch.randn(4, 17, 16)
    with torch.no_grad():
        first = network(pose, centre, torch.tensor([3.0]), context)
        assert not torch.allclose(first, network(pose, centre, torch.tensor([40.0]), context))
        assert not torch.allclose(first, network(pose, centre, torch.tensor([3.0]), context.flip(0)))
        torch.testing.assert_close(first[1], network(pose, centre, torch.full((4,), 3.0), context)[1])
        alone = PoseGraphNet(PARENTS, context=0, width=32, blocks=1)
        assert alone(pose, centre, torch.tensor([3.0]), None).shape == (4, 17, 3)


def test_an_encoder_of_clips_starts_as_the_one_of_frames() -> None:
    torch.manual_seed(0)
    one = ContextEncoder(PARENTS, width=32, depth=2).eval()
    clip = ContextEncoder(PARENTS, width=32, depth=2, frames=9).eval()
    clip.start_from(one)
    seen = torch.randn(3, 9, 17, 3)
    with torch.no_grad():
        alone = one.features(seen.flatten(0, 1)[:, None]).unflatten(0, (3, 9))[:, :, 0]
        torch.testing.assert_close(clip.features(seen), alone)
    for other in (clip, ContextEncoder(PARENTS, width=16, depth=2), ContextEncoder(PARENTS, width=32, depth=3)):
        with pytest.raises(ValueError, match="single frames"):
            clip.start_from(other)
