# SPDX-License-Identifier: GPL-3.0-or-later
"""What the motion prior is told, and what it does with an answer; the trained one is judged in the tasks' tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import roma
import torch
from scipy.ndimage import gaussian_filter1d

from engine.body import forward_kinematics
from engine.diffusion.temporal_network import TemporalScoreNet
from engine.errors import WeightsError
from engine.motion.joints import MIRROR
from engine.motion.tpose import OFFSETS
from engine.priors.motion_prior import (
    CLIP,
    EVENT,
    FEATURES,
    HINTS,
    OUTPUTS,
    WIDTHS,
    MotionPrior,
    Seen,
    mirrored,
    mirrored_output,
)
from engine.priors.motion_weights import load_motion_prior, save_motion_prior

FRAMES = 40
SYMMETRIC = 0.5 * (OFFSETS + OFFSETS[list(MIRROR)] * [-1.0, 1.0, 1.0])


@pytest.fixture
def prior() -> MotionPrior:
    torch.manual_seed(0)
    network = TemporalScoreNet(FEATURES + EVENT, OUTPUTS, hidden=32, embed=16, dilations=(1, 2))
    torch.nn.init.normal_(network.post.weight, std=0.05)
    return MotionPrior(network, torch.as_tensor(OFFSETS)).eval()


@pytest.fixture
def seen() -> Seen:
    generator = torch.Generator().manual_seed(1)

    def smooth(*shape: int) -> torch.Tensor:
        steps = torch.randn(2, FRAMES, *shape, generator=generator) * 0.05
        return steps.cumsum(dim=1)

    return Seen(
        roma.rotvec_to_rotmat(smooth(22, 3)),
        smooth(3) + torch.tensor([0.0, 0.9, 0.0]),
        0.05 * torch.randn(2, FRAMES, 22, 3, generator=generator),
        0.01 * torch.randn(2, FRAMES, 3, generator=generator),
        (torch.rand(2, FRAMES, 23, generator=generator) > 0.1).float(),
        torch.full((2, 23), 0.05),
        torch.full((2, FRAMES, 23), 0.03),
        torch.ones(2),
    )


def turned(seen: Seen, angle: float, shift: tuple[float, float, float]) -> Seen:
    """The same motion, walked another way from another place on the floor."""
    about = roma.rotvec_to_rotmat(torch.tensor([0.0, angle, 0.0]))
    rotation = seen.rotation.clone()
    rotation[:, :, 0] = about @ rotation[:, :, 0]
    path = (about @ seen.path[..., None])[..., 0] + torch.tensor(shift)
    return seen._replace(rotation=rotation, path=path, shift=(about @ seen.shift[..., None])[..., 0])


def test_heading_and_place_do_not_matter(prior: MotionPrior, seen: Seen) -> None:
    told, other = prior.told(seen), prior.told(turned(seen, 1.9, (3.0, 0.0, -2.0)))
    torch.testing.assert_close(other.features, told.features, atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(other.hints, told.hints, atol=2e-3, rtol=1e-3)


def test_what_is_told_has_the_stated_size_and_is_bounded(prior: MotionPrior, seen: Seen) -> None:
    told = prior.told(seen)
    assert told.features.shape == (2, FRAMES, FEATURES) and told.hints.shape == (2, FRAMES, HINTS, EVENT)
    assert torch.isfinite(told.features).all() and told.hints.abs().max() <= CLIP
    nothing = seen._replace(
        rotation=torch.eye(3).expand_as(seen.rotation),
        path=torch.zeros_like(seen.path),
        deviation=torch.zeros(2, FRAMES, 23),
    )
    assert torch.isfinite(prior.told(nothing).features).all()


def test_hints_of_a_still_body_are_averages_of_what_was_measured(prior: MotionPrior, seen: Seen) -> None:
    still = seen._replace(
        rotation=torch.eye(3).expand_as(seen.rotation),
        path=torch.zeros_like(seen.path),
        known=torch.ones_like(seen.known),
        turn=torch.full_like(seen.turn, 0.03),
    )
    hints = prior.hints(still)
    # Twice as many as there are widths: what was measured, 0.03 of a deviation of 0.03, and the reference, still.
    torch.testing.assert_close(hints[:, :, 0 : 2 * len(WIDTHS) : 2, :66], torch.ones(2, FRAMES, len(WIDTHS), 66))
    torch.testing.assert_close(hints[:, :, 1::2, :66], torch.zeros(2, FRAMES, len(WIDTHS), 66))


def test_the_denoiser_agrees_with_itself(prior: MotionPrior, seen: Seen) -> None:
    told, t = prior.told(seen), torch.tensor([0.4])
    x_t = torch.randn(2, FRAMES, EVENT)
    found = prior.under(told)(x_t, t)
    alpha, sigma = prior.sde.marginal(t)
    torch.testing.assert_close(alpha * found.x0 + sigma * found.noise, x_t, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.score, -found.noise / sigma)


def test_a_state_is_smoothed_as_much_as_the_network_says(prior: MotionPrior, seen: Seen) -> None:
    """The oracle is SciPy's Gaussian filter."""
    belief, post = 0.7, prior.network.post
    torch.nn.init.zeros_(post.weight)
    torch.nn.init.zeros_(post.bias)
    first = (1 + HINTS + 1) * EVENT  # of the second of `WIDTHS`
    with torch.no_grad():
        post.bias[first : first + EVENT] = belief
    generator = torch.Generator().manual_seed(0)
    x_t, t = torch.randn(2, FRAMES, EVENT, generator=generator), torch.tensor([0.3])
    alpha, sigma = (float(c) for c in prior.sde.marginal(t))
    calm = torch.from_numpy(gaussian_filter1d(x_t.double().numpy(), WIDTHS[1], axis=1, truncate=10.0))
    expected = alpha / (alpha**2 + sigma**2) * (x_t + sigma * belief * (calm - x_t))
    inner = slice(15, -15)  # at its ends a window's averages are of what there is
    event = prior(prior.told(seen), x_t, t).event
    torch.testing.assert_close(event[:, inner].double(), expected[:, inner], atol=1e-4, rtol=1e-4)


def test_at_the_end_of_the_diffusion_the_event_is_the_state(prior: MotionPrior, seen: Seen) -> None:
    event = torch.randn(2, FRAMES, EVENT)
    found = prior(prior.told(seen), event, torch.tensor([1e-5])).event
    torch.testing.assert_close(found, event, atol=1e-3, rtol=1e-3)


def test_weights_survive_the_disk(tmp_path: Path, prior: MotionPrior, seen: Seen) -> None:
    path = tmp_path / "m.safetensors"
    save_motion_prior(path, prior, {"seed": "0"})
    again = load_motion_prior(path)
    torch.testing.assert_close(
        again.mean(again.told(seen)).event, prior.mean(prior.told(seen)).event, atol=0.05, rtol=0.05
    )
    assert load_motion_prior(path) is again  # read once
    path.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="damaged"):
        load_motion_prior(path)
    with pytest.raises(WeightsError, match="missing"):
        load_motion_prior(tmp_path / "none.safetensors")


def test_another_network_is_refused(tmp_path: Path) -> None:
    network = TemporalScoreNet(10, 4, hidden=16, embed=8, dilations=(1,))
    path = tmp_path / "m.safetensors"
    save_motion_prior(path, MotionPrior(network, torch.as_tensor(OFFSETS)), {})
    with pytest.raises(WeightsError, match="another network"):
        load_motion_prior(path)


def test_a_mirror_image_gets_the_mirrored_answer(prior: MotionPrior, seen: Seen) -> None:
    straight = prior.both_ways(seen)
    turned = mirrored_output(prior.both_ways(mirrored(seen)))
    for a, b in zip(straight, turned, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
    twice = mirrored(mirrored(seen))
    for a, b in zip(seen, twice, strict=True):
        torch.testing.assert_close(a, b)


def test_a_mirrored_turn_is_the_turn_of_the_mirror_image(seen: Seen) -> None:
    """Forward kinematics as the judge: joints of the reflection are reflected joints."""
    reached = forward_kinematics(seen.rotation, torch.as_tensor(SYMMETRIC).float(), seen.path)[0]
    other = mirrored(seen)
    found = forward_kinematics(other.rotation, torch.as_tensor(SYMMETRIC).float(), other.path)[0]
    aim = (reached * torch.tensor([-1.0, 1.0, 1.0]))[:, :, torch.tensor(MIRROR)]
    torch.testing.assert_close(found, aim, atol=1e-5, rtol=1e-5)
    local = seen.rotation @ roma.rotvec_to_rotmat(seen.turn)
    swapped = torch.tensor([-1.0, 1.0, 1.0])
    aim_local = (swapped[:, None] * local * swapped)[:, :, torch.tensor(MIRROR)]
    torch.testing.assert_close(other.rotation @ roma.rotvec_to_rotmat(other.turn), aim_local, atol=1e-5, rtol=1e-5)
