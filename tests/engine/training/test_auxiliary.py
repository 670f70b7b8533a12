# SPDX-License-Identifier: GPL-3.0-or-later
"""The body-model loss against closed forms, and training with every option."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load

from engine.body import bundled
from engine.diffusion.networks import ScoreMLP
from engine.diffusion.samplers import ddim, integrate
from engine.errors import WeightsError
from engine.priors.pose_prior import PosePrior
from engine.priors.representation import NORMALISATIONS, REPRESENTATIONS
from engine.priors.weights import load_pose_prior
from engine.training import train
from engine.training.auxiliary import DDIM_STEPS, body_loss, recover


class Exact(torch.nn.Module):
    """The noise predictor of data that is one known event: every recovery from any noise is that event."""

    def __init__(self, event: torch.Tensor, prior: PosePrior) -> None:
        super().__init__()
        self.event, self.sde = event, prior.sde

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        alpha, sigma = (c[:, None] for c in self.sde.marginal(t))
        return (x - alpha * self.event) / sigma


@pytest.fixture
def prior() -> PosePrior:
    torch.manual_seed(0)
    return PosePrior(ScoreMLP(hidden=64, embed=32), torch.zeros(63), torch.full((63,), 0.3)).eval()


def test_recovery_with_a_time_per_item_is_ddim_item_by_item(prior: PosePrior) -> None:
    x, times = torch.randn(3, 63), torch.tensor([0.1, 0.4, 0.8])
    together = recover(prior, x, times)
    for i, t in enumerate(times):
        grid = np.linspace(float(t), prior.sde.t_min, DDIM_STEPS + 1)
        alone = integrate(prior.estimate, prior.sde, x[i : i + 1], grid, ddim()).x
        torch.testing.assert_close(together[i : i + 1], alone, atol=2e-4, rtol=2e-4)


def test_loss_is_the_squared_distance_of_joints_with_the_printed_weight(prior: PosePrior) -> None:
    truth, other = 0.5 * torch.randn(2, 4, 63)
    prior.denoiser.network = Exact(other, prior)
    t = torch.tensor([0.05, 0.2, 0.5, 0.9])
    z = torch.randn(4, 63)
    root = torch.zeros(4, 1, 3)
    places = [
        bundled().joints(torch.cat([root, prior.denormalise(event)], dim=1), torch.zeros(4, 3))
        for event in (truth, other)
    ]
    expected = (places[0] - places[1]).square().sum(dim=(1, 2))
    torch.testing.assert_close(body_loss(prior, truth, t, z, False), expected, atol=1e-4, rtol=1e-3)
    alpha, sigma = prior.sde.marginal(t)
    weighted = torch.log(1.0 + alpha / sigma) * expected
    torch.testing.assert_close(body_loss(prior, truth, t, z, True), weighted, atol=1e-4, rtol=1e-3)


def test_gradients_reach_the_network_through_the_recovery(prior: PosePrior) -> None:
    event, z = torch.randn(2, 8, 63)
    body_loss(prior, event, torch.linspace(0.05, 0.5, 8), z, True).mean().backward()
    grads = [parameter.grad for parameter in prior.parameters()]
    assert all(g is not None and torch.isfinite(g).all() and (g != 0).any() for g in grads)


def options(*words: str | Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    small = "--hidden 32 --embed 16 --batch 16 --times-per-batch 8 --auxiliary-batch 4 --validate-every 2 --device cpu"
    return parser.parse_args([*map(str, words), *small.split()])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "amass" / "subject"
    folder.mkdir(parents=True)
    poses = np.random.default_rng(0).normal(scale=0.3, size=(100, 156))
    np.savez(folder / "clip.npz", poses=poses, trans=np.zeros((100, 3)))
    return folder.parent


def test_options_offer_what_there_is() -> None:
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    offered = {action.dest: action.choices for action in parser._actions}
    assert offered["representation"] == list(REPRESENTATIONS)
    assert offered["normalisation"] == list(NORMALISATIONS)


@pytest.mark.parametrize(("representation", "auxiliary"), [("axis-angle", "plain"), ("6d", "weighted")])
def test_training_with_the_options_resumes_bit_for_bit(
    representation: str, auxiliary: str, data: Path, tmp_path: Path
) -> None:
    words = ["--data", data, "--val", data, "--representation", representation, "--auxiliary", auxiliary]

    def after(out: str, iterations: int) -> dict[str, torch.Tensor]:
        train.run(
            options(*words, "--out", tmp_path / out, "--iterations", str(iterations), "--keep-every", "2")
        )
        return load((tmp_path / out / "checkpoint.safetensors").read_bytes())

    whole = after("whole", 4)
    after("parts", 2)
    parts = after("parts", 4)
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    kept = load_pose_prior(tmp_path / "parts" / "dposer_000004.safetensors")
    assert kept.representation.name == representation
    assert (tmp_path / "parts" / "dposer_000002.safetensors").exists()


def test_a_checkpoint_of_another_normalisation_is_refused(data: Path, tmp_path: Path) -> None:
    words = ["--data", data, "--out", tmp_path / "out", "--iterations", "2"]
    train.run(options(*words))
    with pytest.raises(WeightsError, match="normalisation"):
        train.run(options(*words, "--normalisation", "min-max"))
