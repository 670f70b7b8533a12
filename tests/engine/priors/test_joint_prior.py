# SPDX-License-Identifier: GPL-3.0-or-later
"""The prior of joints: what it is told, and its file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.diffusion.joint_network import ConditionalJointMLP, JointMLP
from engine.errors import WeightsError
from engine.priors.joint_prior import CAUTION, UNIT, JointPrior, Seen, centre, from_event, to_event, told
from engine.priors.joint_weights import (
    load_joint_prior,
    load_joint_regressor,
    save_joint_prior,
    save_joint_regressor,
)


def small() -> ConditionalJointMLP:
    torch.manual_seed(0)
    return ConditionalJointMLP(hidden=64, embed=32, groups=8)


def test_what_is_unknown_is_not_told() -> None:
    joints, doubt = torch.randn(3, 17, 3), torch.rand(3, 17, 3) * 0.1
    doubt[:, 4:, 2], doubt[:, 9] = torch.inf, torch.inf
    other = torch.where(torch.isfinite(doubt), joints, torch.nan)
    assert torch.equal(told(Seen(joints, doubt)), told(Seen(other, doubt)))
    values, trust = told(Seen(joints, doubt)).unflatten(1, (2, 17, 3)).unbind(1)
    assert (trust[:, 9] == 0).all() and (trust[:, 0] > 0).all()
    torch.testing.assert_close(values[:, 0], joints[:, 0] / UNIT * trust[:, 0])
    # Exact coordinates are trusted wholly, doubtful ones the less the more.
    exact = told(Seen(joints, torch.zeros_like(doubt))).unflatten(1, (2, 17, 3))[:, 1]
    assert torch.equal(exact, torch.ones_like(exact))


def test_the_centre_is_the_pelvis_or_what_is_seen() -> None:
    joints, doubt = torch.randn(2, 17, 3), torch.zeros(2, 17, 3)
    doubt[..., 2] = torch.inf
    doubt[1, 0] = torch.inf
    centred, middle = centre(Seen(joints, doubt))
    torch.testing.assert_close(middle[0, 0, :2], joints[0, 0, :2])
    torch.testing.assert_close(middle[1, 0, :2], joints[1, 1:, :2].mean(dim=0))
    assert torch.equal(middle[..., 2], torch.zeros(2, 1))
    torch.testing.assert_close((centred.joints + middle)[0, :, :2], joints[0, :, :2])


def test_a_network_that_tells_nothing_leaves_gaussian_conditioning() -> None:
    """The estimate is then the posterior mean of independent coordinates, by the textbook's formula."""
    torch.manual_seed(1)
    network = small()
    torch.nn.init.zeros_(network.post.weight)
    torch.nn.init.zeros_(network.post.bias)
    mean, std = torch.randn(51), torch.rand(51) + 0.5
    prior = JointPrior(network, mean, std)
    joints, doubt = 0.1 * torch.randn(6, 17, 3), torch.full((6, 17, 3), 0.02)
    doubt[:3, :, 2] = torch.inf
    doubt[4:] = 0.0
    joints[:, 0], doubt[:, 0, :2] = 0.0, 0.0
    doubt[:, 0, 2] = torch.where(torch.arange(6) < 3, torch.inf, 0.0)
    seen = Seen(joints, doubt)
    x_t, t = torch.randn(6, 51), torch.tensor([0.3])
    with torch.no_grad():
        found = prior.under(seen)(x_t, t)
    alpha, sigma = (float(c) for c in prior.sde.marginal(t))
    precision = 1.0 / std.square() + (alpha / sigma) ** 2
    weighted = mean / std.square() + alpha * x_t / sigma**2
    seen_precision = torch.where(seen.known, (CAUTION * doubt / UNIT).clamp_min(1e-4) ** -2, 0.0).flatten(1)
    y = torch.where(seen.known, joints / UNIT, 0.0).flatten(1)
    expected = (weighted + seen_precision * y) / (precision + seen_precision)
    torch.testing.assert_close(found.x0, expected, atol=2e-4, rtol=2e-4)
    # An exact coordinate is exact, whatever the network says.
    torch.nn.init.normal_(network.post.weight)
    with torch.no_grad():
        loud = prior.under(seen)(x_t, t).x0
    torch.testing.assert_close(loud[4:], y[4:], atol=1e-3, rtol=1e-3)
    assert not torch.allclose(loud[:3], found.x0[:3], atol=0.1)


def test_a_doubtful_pelvis_makes_every_joint_doubtful() -> None:
    prior = JointPrior(small(), torch.zeros(51), torch.full((51,), 4.0))
    joints, doubt = torch.zeros(1, 17, 3), torch.full((1, 17, 3), 0.01)
    sure = prior.gaussian(Seen(joints, doubt))[1]
    doubt[:, 0] = 0.2
    less = prior.gaussian(Seen(joints, doubt))[1]
    doubt[:, 0] = torch.inf
    hidden = prior.gaussian(Seen(joints, doubt))[1]
    assert (less[:, 3:] > 2.0 * sure[:, 3:]).all()
    assert (hidden[:, 3:] > 2.0 * sure[:, 3:]).all() and torch.equal(hidden[:, :3], torch.full((1, 3), 4.0))


def test_events_are_joints() -> None:
    joints = torch.randn(2, 5, 17, 3)
    torch.testing.assert_close(from_event(to_event(joints)), joints)


def test_weights_come_back(tmp_path: Path) -> None:
    prior = JointPrior(small(), torch.randn(51), torch.rand(51) + 0.5).eval()
    save_joint_prior(tmp_path / "a.safetensors", prior, {"seed": "1"})
    again = load_joint_prior(tmp_path / "a.safetensors")
    seen = Seen(torch.randn(4, 17, 3), torch.zeros(4, 17, 3))
    x, t = torch.randn(4, 51), torch.tensor([0.4])
    with torch.no_grad():
        torch.testing.assert_close(again.under(seen)(x, t).x0, prior.under(seen)(x, t).x0, atol=1e-2, rtol=1e-2)
    twin = JointMLP(hidden=64, embed=32, groups=8).eval()
    save_joint_regressor(tmp_path / "b.safetensors", twin, {})
    with torch.no_grad():
        torch.testing.assert_close(
            load_joint_regressor(tmp_path / "b.safetensors")(told(seen)), twin(told(seen)), atol=1e-2, rtol=1e-2
        )
    with pytest.raises(WeightsError, match="not a DPoser"):
        load_joint_prior(tmp_path / "b.safetensors")
    with pytest.raises(WeightsError, match="missing"):
        load_joint_regressor(tmp_path / "c.safetensors")
