# SPDX-License-Identifier: GPL-3.0-or-later
"""DiffPose's lifting: its start, its windows, and its way, with networks whose answers are known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.diffusion.graph_network import ContextEncoder, PoseGraphNet
from engine.diffusion.mixture import GaussianMixtures
from engine.errors import WeightsError
from engine.motion.h36m import JOINTS, PARENTS
from engine.priors.joint_prior import UNIT, Seen, centre, to_event
from engine.priors.lifting_prior import LEAST_STD, Context, LiftingPrior, in_mode
from engine.priors.lifting_weights import (
    load_context_encoder,
    load_lifting_prior,
    save_context_encoder,
    save_lifting_prior,
)
from engine.priors.prior_file import FOLDER
from engine.tasks.lift import diffpose
from engine.tasks.lift.diffpose import DiffPoseSettings, clip_context, hypotheses

WRIST = JOINTS.index("left_wrist")


class Oracle(PoseGraphNet):
    """Knows the pose: ``truth`` (17, 3) units, whatever it is shown; counts what it is asked."""

    def __init__(self, truth: Tensor) -> None:
        super().__init__(PARENTS, context=0, width=8, blocks=0)
        self.truth, self.steps = truth, []

    def forward(self, pose: Tensor, centre: Tensor, step: Tensor, context: Tensor | None) -> Tensor:
        self.steps.append(float(step[0]))
        return self.truth.expand_as(pose)


class Doubtful(PoseGraphNet):
    """Believes what it is shown: DDIM then multiplies what differs from the centre by a number, `growth`."""

    def __init__(self) -> None:
        super().__init__(PARENTS, context=0, width=8, blocks=0)

    def forward(self, pose: Tensor, centre: Tensor, step: Tensor, context: Tensor | None) -> Tensor:
        return pose


def growth(prior: LiftingPrior) -> float:
    """Of y over five steps of DDIM where x0 is y: alpha_s + sigma_s (1 - alpha_t) / sigma_t each."""
    alpha, sigma = (c.tolist() for c in prior.sde.marginal(torch.tensor([50.0, 40.0, 30.0, 20.0, 10.0, 0.0])))
    return math.prod(alpha[i + 1] + sigma[i + 1] * (1.0 - alpha[i]) / sigma[i] for i in range(5))


def encoder(frames: int = 1) -> ContextEncoder:
    torch.manual_seed(0)
    return ContextEncoder(PARENTS, width=16, depth=1, frames=frames).eval()


def keypoints(frames: int, doubt: float = 0.01) -> Seen:
    joints = 0.3 * torch.randn(frames, 17, 3, generator=torch.Generator().manual_seed(1))
    joints = joints - joints[:, :1]
    spread = torch.full_like(joints, doubt)
    spread[..., 2] = torch.inf
    return Seen(joints, spread)


def test_the_start_is_spread_as_heatmaps_and_encoder_say() -> None:
    prior = LiftingPrior(encoder(), PoseGraphNet(PARENTS, context=0, width=8, blocks=0), components=3)
    seen = keypoints(4, doubt=0.05)
    seen.doubt[:, 5] = torch.inf  # not seen
    context = Context(torch.zeros(4, 17, 16), torch.randn(4, 17, 3), torch.full((4, 17, 3), 2.0))
    mixtures = prior.start(seen, context, 2000, torch.Generator().manual_seed(0))
    mean = (mixtures.weights[..., None] * mixtures.means).sum(dim=1).unflatten(1, (17, 3))
    second = (mixtures.weights[..., None] * (mixtures.stds.square() + mixtures.means.square())).sum(dim=1)
    std = (second.unflatten(1, (17, 3)) - mean.square()).sqrt()
    seen_ones = [j for j in range(17) if j != 5]
    torch.testing.assert_close(mean[:, seen_ones, :2], seen.joints[:, seen_ones, :2] / UNIT, atol=0.1, rtol=0)
    torch.testing.assert_close(mean[..., 2], context.mean[..., 2], atol=0.25, rtol=0)
    torch.testing.assert_close(std[:, seen_ones, :2], torch.full((4, 16, 2), 0.05 / UNIT), rtol=0.1, atol=0)
    torch.testing.assert_close(std[:, 5], torch.full((4, 3), 2.0), rtol=0.1, atol=0)
    exact = prior.start(keypoints(4, 0.0), context, 2000, torch.Generator().manual_seed(0))
    spread = (exact.weights[..., None] * (exact.stds.square() + exact.means.square())).sum(dim=1)
    around = spread - (exact.weights[..., None] * exact.means).sum(dim=1).square()
    torch.testing.assert_close(
        around.sqrt().unflatten(1, (17, 3))[..., :2], torch.full((4, 17, 2), LEAST_STD), rtol=0.1, atol=0
    )


def two_places(frames: int, apart: float, share: float, width: float) -> Seen:
    """Keypoints whose left wrist may as well be ``apart`` metres to the right: of the draws, a share is there."""
    seen, generator = keypoints(frames, doubt=width), torch.Generator().manual_seed(2)
    draws = seen.joints[:, None, :, :2] + width * torch.randn(1, 400, 17, 2, generator=generator)
    draws[:, : round(400 * share), WRIST, 0] += apart
    return Seen(seen.joints, seen.doubt, draws)


@pytest.mark.parametrize("apart", [0.2, 0.5])
def test_components_sit_on_both_modes_of_a_heatmap_and_weigh_what_they_do(apart: float) -> None:
    prior = LiftingPrior(encoder(), PoseGraphNet(PARENTS, context=0, width=8, blocks=0))
    context = Context(torch.zeros(8, 17, 16), torch.zeros(8, 17, 3), torch.full((8, 17, 3), 2.0))
    seen = two_places(8, apart, share=0.3, width=0.02)
    mixtures = prior.start(seen, context, 1000, torch.Generator().manual_seed(0))
    off = (mixtures.means.unflatten(2, (17, 3))[:, :, WRIST, 0] - seen.joints[:, None, WRIST, 0] / UNIT) * UNIT
    for place, weight in ((0.0, 0.7), (apart, 0.3)):
        there = mixtures.weights * ((off - place).abs() < 0.02)
        torch.testing.assert_close(there.sum(dim=1), torch.full((8,), weight), atol=0.02, rtol=0)
    stds = mixtures.stds.unflatten(2, (17, 3))
    mean = (mixtures.weights[..., None, None] * stds).sum(dim=1)
    torch.testing.assert_close(mean[..., :2], torch.full((8, 17, 2), 0.02 / UNIT), rtol=0.15, atol=0)
    torch.testing.assert_close(mean[..., 2], torch.full((8, 17), 2.0), rtol=0.15, atol=0)
    # Without draws there is one Gaussian, and no component is where the other mode is.
    alone = prior.start(seen.without_draws(), context, 1000, torch.Generator().manual_seed(0))
    off = alone.means.unflatten(2, (17, 3))[:, :, WRIST, 0] * UNIT - seen.joints[:, None, WRIST, 0]
    assert float(off.abs().max()) < 0.08


def test_draws_of_narrow_heatmaps_are_spread_as_little_as_any_and_hidden_joints_have_none() -> None:
    prior = LiftingPrior(encoder(), PoseGraphNet(PARENTS, context=0, width=8, blocks=0), components=1)
    context = Context(torch.zeros(3, 17, 16), torch.ones(3, 17, 3), torch.full((3, 17, 3), 2.0))
    seen = two_places(3, apart=0.0, share=0.0, width=1e-4)
    seen.doubt[:, 5] = torch.inf
    mixtures = prior.start(seen, context, 1000, torch.Generator().manual_seed(0))
    stds, means = (a[:, 0].unflatten(1, (17, 3)) for a in (mixtures.stds, mixtures.means))
    others = [j for j in range(17) if j != 5]
    torch.testing.assert_close(stds[:, others, :2], torch.full((3, 16, 2), LEAST_STD), rtol=0.1, atol=0)
    torch.testing.assert_close(stds[:, 5], torch.full((3, 3), 2.0), rtol=0.1, atol=0)
    torch.testing.assert_close(means[:, 5], torch.ones(3, 3), rtol=0, atol=0.25)


@pytest.mark.parametrize("frames", [1, 9])
def test_hypotheses_take_either_mode_of_a_heatmap_as_often_as_it_says(frames: int) -> None:
    """Whoever believes what they are shown ends in the mode that they started from; a clip keeps to it."""
    seen = two_places(40, apart=0.6, share=0.4, width=0.01)
    seen = Seen(seen.joints[:1].expand(40, -1, -1) + 0.4, seen.doubt, seen.draws[:1].expand(40, -1, -1, -1) + 0.4)
    prior = LiftingPrior(encoder(frames), Doubtful()).eval()
    found = hypotheses(seen, prior, DiffPoseSettings(hypotheses=200, alike=True))
    right = found[:, :, WRIST, 0] - seen.joints[:, None, WRIST, 0] > 0.3
    assert abs(float(right.float().mean()) - 0.4) < 0.1
    assert torch.equal(right, right[:1].expand_as(right))
    truth = torch.randn(17, 3)
    certain = hypotheses(seen, LiftingPrior(encoder(frames), Oracle(truth)).eval(), DiffPoseSettings())
    there = truth * UNIT + torch.tensor([1.0, 1.0, 0.0]) * seen.joints[:, None, :1]
    torch.testing.assert_close(certain, there.expand_as(certain), atol=1e-4, rtol=0)


class Showing(ContextEncoder):
    """Tells what it is shown: features are places that keypoints have, in units, and their trust."""

    def __init__(self) -> None:
        super().__init__(PARENTS, width=3, heads=1, depth=0, frames=9)

    def features(self, seen: Tensor, there: Tensor | None = None) -> Tensor:
        return torch.cat([seen[..., :2] / seen[..., 2:], seen[..., 2:]], dim=-1)


class Told(PoseGraphNet):
    """Believes the context, wherever a pose is: as a network does whose encoder was mostly right."""

    def __init__(self) -> None:
        super().__init__(PARENTS, context=3, width=5, blocks=0)

    def forward(self, pose: Tensor, centre: Tensor, step: Tensor, context: Tensor | None) -> Tensor:
        assert context is not None
        return torch.cat([context[..., :2], centre[..., 2:]], dim=-1)


def test_the_context_is_of_the_mode_that_a_hypothesis_sets_out_from() -> None:
    seen = two_places(20, apart=0.4, share=0.4, width=0.02)
    seen = Seen(seen.joints[:1].expand(20, -1, -1) + 0.4, seen.doubt, seen.draws[:1].expand(20, -1, -1, -1) + 0.4)
    prior = LiftingPrior(Showing(), Told()).eval()
    settings = DiffPoseSettings(hypotheses=200, alike=True)
    found = hypotheses(seen, prior, settings)
    off = found[..., :2] - seen.joints[:, None, :, :2]
    right = off[:, :, WRIST, 0] > 0.2
    assert abs(float(right.float().mean()) - 0.4) < 0.1
    assert torch.equal(right, right[:1].expand_as(right))
    off[:, :, WRIST, 0] -= torch.where(right, 0.4, 0.0)
    assert float(off.abs().max()) < 0.01, "the middle of the mode, and nothing else moves"
    alone = hypotheses(seen.without_draws(), prior, settings)
    torch.testing.assert_close(alone[..., :2], seen.joints[:, None, :, :2].expand_as(alone[..., :2]), atol=1e-5, rtol=0)


def test_components_of_the_strongest_modes_are_told_nothing_else() -> None:
    seen = centre(two_places(4, apart=0.4, share=0.4, width=0.02))[0]
    there = (seen.joints / UNIT).flatten(1)
    noise = 0.02 / UNIT * torch.randn(4, 51, generator=torch.Generator().manual_seed(3)).clamp(-2.9, 2.9)
    stds = torch.full((4, 51), 0.5)
    assert in_mode(seen, there + noise, stds) is None
    moved = there.clone()
    moved[1:, 3 * WRIST] += 0.4 / UNIT
    told = in_mode(seen, moved, stds)
    assert told is not None and told.draws is None
    off = told.joints - seen.joints
    torch.testing.assert_close(off[1:, WRIST], torch.tensor([0.4, 0.0, 0.0]).expand(3, -1))
    torch.testing.assert_close(told.doubt[1:, WRIST, :2], torch.full((3, 2), 0.5 * UNIT))
    off[1:, WRIST] = 0.0
    assert not off.any() and torch.equal(told.doubt[0], seen.doubt[0])
    hidden = seen._replace(doubt=torch.full_like(seen.doubt, torch.inf))
    assert in_mode(hidden, moved, stds) is None


def test_one_mixture_moved_and_scaled_is_that_of_samples_moved_and_scaled() -> None:
    prior = LiftingPrior(encoder(), PoseGraphNet(PARENTS, context=0, width=8, blocks=0))
    seen = keypoints(6, doubt=0.05)
    seen.doubt[:, 3] = 0.2
    context = Context(torch.zeros(6, 17, 16), torch.randn(6, 17, 3), 1.0 + torch.rand(6, 17, 3))
    found = prior.start(seen, context, 1000, torch.Generator().manual_seed(4), alike=True)
    mean = torch.where(seen.known, seen.joints / UNIT, context.mean).flatten(1)
    std = torch.where(seen.known, seen.doubt / UNIT, context.std).flatten(1)
    generator = torch.Generator().manual_seed(4)
    samples = mean[:, None] + std[:, None] * torch.randn(1, 1000, 51, generator=generator)
    each = GaussianMixtures.fit(samples, prior.components, generator, alike=True)
    for one, other in ((found.weights, each.weights), (found.means, each.means), (found.stds, each.stds)):
        torch.testing.assert_close(one, other, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("alike", [False, True])
def test_poses_by_the_handful_are_the_same(alike: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, prior = keypoints(10, doubt=0.05), LiftingPrior(encoder(frames=9), Doubtful()).eval()
    settings = DiffPoseSettings(hypotheses=4, temperature=1.0, alike=alike)
    whole = hypotheses(seen, prior, settings)
    monkeypatch.setattr(diffpose, "POSES_AT_ONCE", 9)
    done: list[tuple[int, int]] = []
    torch.testing.assert_close(hypotheses(seen, prior, settings, lambda *step: done.append(step)), whole)
    assert done == [(n + 1, 25) for n in range(25)], "two frames at once, five steps each"
    monkeypatch.setattr(diffpose, "POSES_AT_ONCE", 1)
    torch.testing.assert_close(hypotheses(seen, prior, settings), whole)


@pytest.mark.skipif(
    not (FOLDER / "diffpose_clip.safetensors").exists(), reason="the weights of DiffPose are not in this checkout"
)
def test_half_precision_is_of_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of hypotheses that lie centimetres apart, a millimetre or two."""
    seen, prior = keypoints(3, doubt=0.02), load_lifting_prior(encoder="clip").eval()
    found = []
    for half in (False, True):
        monkeypatch.setattr(diffpose, "prefers_bfloat16", lambda device, half=half: half)
        found.append(hypotheses(seen, prior, DiffPoseSettings(hypotheses=8, temperature=1.0)))
    assert found[1].dtype is torch.float32
    away = (found[1] - found[0]).norm(dim=-1).mean()
    assert 0.0 < float(away) < 0.05 * float(found[0].std(dim=1).norm(dim=-1).mean())


def test_an_oracle_s_pose_comes_out_after_five_steps() -> None:
    seen = keypoints(6)
    seen = Seen(seen.joints + 0.4, seen.doubt)
    truth = torch.randn(17, 3)
    prior = LiftingPrior(encoder(), Oracle(truth)).eval()
    found = hypotheses(seen, prior, DiffPoseSettings())
    assert prior.network.steps == [50.0, 40.0, 30.0, 20.0, 10.0]
    there = truth * UNIT + torch.tensor([1.0, 1.0, 0.0]) * seen.joints[:, None, :1]
    torch.testing.assert_close(found, there.expand_as(found), atol=1e-4, rtol=0)


def test_hypotheses_differ_as_the_start_does_and_do_not_depend_on_their_number() -> None:
    seen, prior = keypoints(40, doubt=0.05), LiftingPrior(encoder(), Doubtful()).eval()
    found = hypotheses(seen, prior, DiffPoseSettings(hypotheses=8, temperature=1.0))
    spread = found[:, :, 1:, :2].std(dim=1).square().mean().sqrt()
    # Components lie apart from each other besides spreading, which does not grow.
    assert 0.05 < float(spread) < 0.05 * growth(prior)
    again = hypotheses(seen, prior, DiffPoseSettings(hypotheses=8, temperature=1.0))
    assert torch.equal(found, again)
    # The start's noise alone is scaled; how far components lie apart is not.
    calm = hypotheses(seen, prior, DiffPoseSettings(hypotheses=8, temperature=0.0))
    assert 0.0 < float(calm[:, :, 1:, :2].std(dim=1).square().mean().sqrt()) < 0.9 * float(spread)
    assert not torch.equal(found, hypotheses(seen, prior, DiffPoseSettings(hypotheses=8, temperature=1.0, seed=1)))


@pytest.mark.parametrize("alike", [False, True])
def test_hypotheses_alike_go_on_from_frame_to_frame(alike: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diffpose, "FRAMES_AT_ONCE", 16)
    pose, prior = keypoints(1, doubt=0.05), LiftingPrior(encoder(), Doubtful()).eval()
    still = pose.repeated(40)
    drift = 1e-5 * torch.arange(40.0)[:, None, None] * torch.tensor([1.0, 1.0, 0.0])
    drift = drift * (torch.arange(17) != 0)[:, None]
    settings = DiffPoseSettings(hypotheses=6, temperature=1.0, alike=alike)
    found = hypotheses(still, prior, settings)
    moved = hypotheses(Seen(still.joints + drift, still.doubt), prior, settings)
    assert float(found.std(dim=1)[:, 1:, :2].mean()) > 0.05
    steps = moved.diff(dim=0).norm(dim=-1)
    if alike:
        torch.testing.assert_close(found, found[:1].expand_as(found), atol=1e-4, rtol=0)
        assert float(steps.max()) < 0.02  # metres; what is drawn anew moves by its whole spread
    else:
        assert float(steps.mean()) > 0.1


def test_a_standard_diffusion_starts_from_white_noise() -> None:
    prior = LiftingPrior(encoder(), Doubtful(), standard=True).eval()
    found = to_event(hypotheses(keypoints(50), prior, DiffPoseSettings(hypotheses=4, temperature=1.0)))
    assert abs(float(found.mean())) < 0.05 and abs(float(found.std()) / growth(prior) - 1.0) < 0.05


@pytest.mark.parametrize("frames", [3, 9, 10, 31])
def test_windows_cover_a_clip_of_any_length(frames: int) -> None:
    prior = LiftingPrior(encoder(frames=9), PoseGraphNet(PARENTS, context=0, width=8, blocks=0)).eval()
    seen = centre(keypoints(frames))[0]
    context = clip_context(seen, prior)
    assert context.features.shape == (frames, 17, 16)
    if frames <= 9:
        there = torch.ones(1, frames, dtype=torch.bool)
        with torch.no_grad():
            torch.testing.assert_close(context.features, prior.context(seen, there).features)
    else:
        # The first frames are told of by the first window, the last by the last.
        with torch.no_grad():
            first = prior.context(seen.rows(slice(9)), torch.ones(1, 9, dtype=torch.bool))
            last = prior.context(seen.rows(slice(-9, None)), torch.ones(1, 9, dtype=torch.bool))
        torch.testing.assert_close(context.features[0], first.features[0])
        torch.testing.assert_close(context.features[-1], last.features[-1])


def test_weights_come_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = PoseGraphNet(PARENTS, context=16, width=16, blocks=1)
    prior = LiftingPrior(encoder(frames=9), network, components=2, standard=False).eval()
    save_lifting_prior(tmp_path / "a.safetensors", prior, {})
    again = load_lifting_prior(tmp_path / "a.safetensors")
    assert (again.components, again.sde, again.standard) == (2, prior.sde, False)
    seen, settings = keypoints(12), replace(DiffPoseSettings(), hypotheses=2)
    torch.testing.assert_close(
        hypotheses(seen, again, settings), hypotheses(seen, prior, settings), atol=5e-3, rtol=5e-3
    )
    save_context_encoder(tmp_path / "b.safetensors", prior.encoder, {})
    told = load_context_encoder(tmp_path / "b.safetensors")
    with torch.no_grad():
        x = torch.randn(1, 9, 17, 3)
        torch.testing.assert_close(told.features(x), prior.encoder.features(x), atol=1e-2, rtol=1e-2)
    with pytest.raises(WeightsError, match="not a DPoser"):
        load_lifting_prior(tmp_path / "b.safetensors")
