# SPDX-License-Identifier: GPL-3.0-or-later
"""The diffusion's mathematics against closed forms, and the networks' weights against damage."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from engine.diffusion.denoiser import Denoiser, noise_matching_loss
from engine.diffusion.networks import ScoreMLP, positional_embedding
from engine.diffusion.schedule import truncated
from engine.diffusion.sde import SubVP
from engine.diffusion.solvers import optimise, proximal
from engine.errors import WeightsError
from engine.priors.dynamics import Dynamics, Noise, WienerSmoother, ar1_spectrum, estimate_noise, fill
from engine.priors.pose_prior import PosePrior
from engine.priors.released import load_released
from engine.priors.weights import load_pose_prior, save_pose_prior
from engine.training import dataset
from engine.training import train as training

SDE = SubVP()


@pytest.mark.parametrize(
    ("t", "alpha", "sigma"),
    [(0.05, 0.9852, 0.0294), (0.1, 0.9467, 0.1037), (0.25, 0.7237, 0.4763), (1.0, 0.0066, 1.0)],
)
def test_marginals_are_the_released_ones(t: float, alpha: float, sigma: float) -> None:
    found = SDE.marginal(torch.tensor(t, dtype=torch.float64))
    assert float(found[0]) == pytest.approx(alpha, abs=6e-5)
    assert float(found[1]) == pytest.approx(sigma, abs=6e-5)


@settings(deadline=None, max_examples=30)
@given(t=st.floats(0.001, 1.0))
def test_marginals_follow_from_beta(t: float) -> None:
    integral = quad(lambda s: 0.1 + 19.9 * s, 0, t)[0]
    alpha, sigma = SDE.marginal(torch.tensor(t, dtype=torch.float64))
    assert float(alpha) == pytest.approx(math.exp(-integral / 2), rel=1e-9)
    assert float(sigma) == pytest.approx(1 - math.exp(-integral), rel=1e-9)


@settings(deadline=None, max_examples=30)
@given(t=st.floats(0.01, 0.99))
def test_coefficients_are_derivatives_of_the_marginals(t: float) -> None:
    """f = alpha'/alpha and g^2 = alpha^2 d/dt (sigma^2 / alpha^2), by automatic differentiation."""
    time = torch.tensor(t, dtype=torch.float64, requires_grad=True)
    alpha, sigma = SDE.marginal(time)
    slope = torch.autograd.grad(alpha, time, retain_graph=True)[0]
    growth = torch.autograd.grad(sigma**2 / alpha**2, time)[0]
    f, g = SDE.coefficients(time)
    assert float(f.detach()) == pytest.approx(float((slope / alpha).detach()), rel=1e-8)
    assert float(g.detach() ** 2) == pytest.approx(float((alpha**2 * growth).detach()), rel=1e-8)


@settings(deadline=None, max_examples=30)
@given(t=st.floats(0.001, 0.999))
def test_time_of_noise_inverts_the_ratio(t: float) -> None:
    alpha, sigma = SDE.marginal(torch.tensor(t, dtype=torch.float64))
    assert float(SDE.time_of_noise(sigma / alpha)) == pytest.approx(t, abs=1e-6)


def test_the_network_is_the_papers() -> None:
    network = ScoreMLP().eval()
    assert sum(parameter.numel() for parameter in network.parameters()) == 7_227_967
    x, t = torch.randn(12, 63), torch.rand(4)
    whole = network(x, t.repeat_interleave(3))
    torch.testing.assert_close(network(x, t), whole)
    torch.testing.assert_close(network(x, t[:1]), network(x, t[:1].expand(12)))
    embedding = positional_embedding(torch.tensor([3.0]), 512)
    assert float(embedding[0, 1]) == pytest.approx(math.sin(3.0 * 10000 ** (-1 / 255)), abs=1e-6)


class Gaussian(torch.nn.Module):
    """The exact noise predictor of N(0, variance I) data."""

    def __init__(self, variance: float) -> None:
        super().__init__()
        self.variance = variance

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        alpha, sigma = (c[:, None] for c in SDE.marginal(t))
        out = (
            sigma * x.unflatten(0, (len(t), -1)).flatten(2) / (alpha**2 * self.variance + sigma**2)[..., None]
        )
        return out.flatten(0, 1)


def test_denoiser_of_gaussian_data_is_the_posterior_mean() -> None:
    denoiser = Denoiser(Gaussian(0.5), SDE)
    x, t = torch.randn(100, 3, dtype=torch.float64), torch.tensor([0.2], dtype=torch.float64)
    alpha, sigma = SDE.marginal(t)
    expected = alpha * 0.5 * x / (alpha**2 * 0.5 + sigma**2)
    torch.testing.assert_close(denoiser(x, t).x0, expected)


def test_loss_of_the_exact_denoiser_is_its_closed_form() -> None:
    denoiser = Denoiser(Gaussian(0.5), SDE)
    generator = torch.Generator().manual_seed(0)
    x0 = math.sqrt(0.5) * torch.randn(200_000, 1, generator=generator)
    t = torch.full((1,), 0.3)
    loss = noise_matching_loss(denoiser, x0, t, torch.randn(x0.shape, generator=generator)).mean()
    alpha, sigma = SDE.marginal(t)
    assert float(loss) == pytest.approx(float(0.5 * alpha**2 / (0.5 * alpha**2 + sigma**2)), rel=0.02)


def test_truncated_schedule_is_equation_13() -> None:
    np.testing.assert_allclose(truncated(5, 0.2, 0.001), [0.2 - 0.199 * i / 4 for i in range(5)])


def test_solvers_shrink_towards_the_prior_and_no_further() -> None:
    denoiser = Denoiser(Gaussian(0.01), SDE)
    start = torch.ones(4, 2)
    variance = torch.tensor([[0.0, 0.5]]).expand(4, 2)
    generator = torch.Generator().manual_seed(0)
    result = proximal(denoiser, SDE, start, variance, truncated(20, 0.2, 0.05), 1.0, generator)
    assert (result[:, 0] == 1.0).all(), "what is certain stays bit-equal"
    assert (result[:, 1] < 0.5).all() and (result[:, 1] > -0.2).all()

    x = torch.full((64, 2), 3.0, requires_grad=True)
    optimise(
        [x], lambda _: ((x - 1.0) ** 2).sum() / 64, lambda: x, denoiser, SDE, truncated(300, 0.2, 0.05),
        lambda _: 0.0, 0.05, torch.Generator().manual_seed(0),
    )  # fmt: skip
    torch.testing.assert_close(x.detach(), torch.ones(64, 2), atol=0.02, rtol=0.0)


@pytest.fixture
def prior() -> PosePrior:
    torch.manual_seed(0)
    return PosePrior(ScoreMLP(hidden=64, embed=32), torch.randn(63), torch.rand(63) + 0.1).eval()


def test_weights_survive_the_disk(prior: PosePrior, tmp_path: Path) -> None:
    path = tmp_path / "prior.safetensors"
    save_pose_prior(path, prior, {"seed": "0"})
    again = load_pose_prior(path)
    x, t = torch.randn(5, 63), torch.tensor([0.1])
    torch.testing.assert_close(again.estimate(x, t).x0, prior.estimate(x, t).x0, atol=2e-2, rtol=0.0)
    pose = torch.randn(4, 21, 3)
    torch.testing.assert_close(prior.denormalise(prior.normalise(pose)), pose, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped header", "nan"])
def test_damaged_weights_are_one_sentence(prior: PosePrior, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "prior.safetensors"
    if damage == "nan":
        with torch.no_grad():
            prior.denoiser.network.get_parameter("post.bias")[0] = torch.nan
    save_pose_prior(path, prior, {})
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage != "nan":
        path.write_bytes(
            {"empty": b"", "cut": content[: len(content) // 2], "flipped header": b"\xff" + content[1:]}[
                damage
            ]
        )
    with pytest.raises(WeightsError) as error:
        load_pose_prior(path)
    assert "prior.safetensors" in str(error.value) and "\n" not in str(error.value)


def reference(state: dict[str, torch.Tensor], x: torch.Tensor, t: float) -> torch.Tensor:
    """The released forward pass, restated from its table of settings."""
    f = torch.nn.functional
    rates = torch.exp(torch.arange(256) * (-math.log(10000) / 255))
    angles = 999 * t * rates
    time = f.silu(
        torch.cat([torch.sin(angles), torch.cos(angles)]) @ state["shared_time_embed.0.weight"].T
        + state["shared_time_embed.0.bias"]
    )

    def layer(h: torch.Tensor, dense: str, norm: str) -> torch.Tensor:
        h = h @ state[f"{dense}.weight"].T + state[f"{dense}.bias"]
        h = h + time @ state[f"{dense}_t.weight"].T + state[f"{dense}_t.bias"]
        return f.silu(f.group_norm(h, 32, state[f"{norm}.weight"], state[f"{norm}.bias"]))

    h = layer(x, "pre_dense", "pre_gnorm")
    for block in ("b1", "b2"):
        h = h + layer(layer(h, f"{block}_dense1", f"{block}_gnorm1"), f"{block}_dense2", f"{block}_gnorm2")
    out = h @ state["post_dense.weight"].T + state["post_dense.bias"]
    return out / math.exp(math.log(50) + (math.log(0.01) - math.log(50)) * int(999 * t) / 999)


def released_state(unused: bool) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    shapes = {"pre_dense": (1024, 63), "pre_dense_t": (1024, 512)}
    if unused:
        shapes["pre_dense_cond"] = (1024, 1024)
    state = {}
    for name, shape in shapes.items():
        state |= {
            f"{name}.weight": torch.randn(shape, generator=generator) / 30,
            f"{name}.bias": torch.zeros(shape[0]),
        }
    state |= {"pre_gnorm.weight": torch.ones(1024), "pre_gnorm.bias": torch.zeros(1024)}
    state |= {
        "shared_time_embed.0.weight": torch.randn(512, 512, generator=generator) / 20,
        "shared_time_embed.0.bias": torch.zeros(512),
    }
    for block in ("b1", "b2"):
        for half in ("1", "2"):
            state |= {
                f"{block}_dense{half}.weight": torch.randn(1024, 1024, generator=generator) / 30,
                f"{block}_dense{half}.bias": torch.zeros(1024),
                f"{block}_dense{half}_t.weight": torch.randn(1024, 512, generator=generator) / 20,
                f"{block}_dense{half}_t.bias": torch.zeros(1024),
                f"{block}_gnorm{half}.weight": torch.ones(1024),
                f"{block}_gnorm{half}.bias": torch.zeros(1024),
            }
    return state | {
        "post_dense.weight": torch.randn(63, 1024, generator=generator) / 30,
        "post_dense.bias": torch.zeros(63),
    }


@pytest.mark.parametrize("form", ["pth", "ckpt"])
def test_released_checkpoints_load(form: str, tmp_path: Path) -> None:
    state = released_state(unused=form == "pth")
    assert sum(v.numel() for v in state.values()) == (8_277_567 if form == "pth" else 7_227_967)
    path = tmp_path / f"released.{form}"
    if form == "pth":
        shadow = [value.clone() for value in state.values()]
        stale = {key: torch.zeros_like(value) for key, value in state.items()}
        torch.save(
            {
                "model_state_dict": stale | {"sigmas": torch.ones(1000)},
                "ema": {"decay": 0.9999, "shadow_params": shadow},
            },
            path,
        )
    else:
        torch.save({"state_dict": {f"model.{k}": v for k, v in state.items()}, "epoch": 3}, path)
    prior = load_released(path, np.zeros(63), np.ones(63))
    x = torch.randn(6, 63)
    for t in (0.05, 0.7):
        noise = prior.denoiser.network(x, torch.tensor([t]))
        torch.testing.assert_close(noise, reference(state, x, t), atol=1e-3, rtol=1e-3)


class Bomb:
    """A pickle that would run code."""

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("exploded"),))


def test_a_released_checkpoint_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(WeightsError):
        load_released(tmp_path / "bomb.pth", np.zeros(63), np.ones(63))
    assert not (tmp_path / "exploded").exists()


def dynamics(size: int = 3) -> Dynamics:
    frequencies = np.linspace(0, 15, 16)
    return Dynamics(frequencies, (0.02 / (1 + frequencies**4))[:, None, None] * np.eye(size), np.zeros(size))


def test_wiener_gains_of_independent_coordinates() -> None:
    noise = Noise(np.full(3, 0.01), np.zeros(3), 0.0)
    smoother = WienerSmoother(dynamics(), noise, 60, 30.0)
    power = np.einsum("kdd->kd", dynamics().covariance(60, 30.0))
    expected = power / (power + 0.01)
    np.testing.assert_allclose(np.einsum("kdd->kd", smoother.gain)[1:], expected[1:], rtol=1e-6)


def test_filling_is_gaussian_conditioning() -> None:
    """Against the dense posterior mean of the same process."""
    from scipy.fft import dct

    rng = np.random.default_rng(0)
    window, known = 40, rng.random(40) < 0.6
    basis = dct(np.eye(window), axis=0, norm="ortho")
    power = dynamics(1).covariance(window, 30.0)[:, 0, 0]
    precision = 1 / power
    precision[0] = 1e-3 / 0.001
    y = basis.T @ (np.sqrt(power) * rng.normal(size=window))
    system = basis.T @ (precision[:, None] * basis) + np.diag(known / 0.001)
    expected = np.linalg.solve(system, known * y / 0.001)
    found = fill(
        y[None, :, None], known[None, :, None].astype(float), dynamics(1), np.array([0.001]), 30.0, 200
    )
    np.testing.assert_allclose(found[0, :, 0], expected, atol=2e-3 * np.abs(expected).max())


@pytest.mark.parametrize(("white", "slow"), [(0.05, 0.0), (0.02, 0.08)])
def test_noise_is_measured(white: float, slow: float) -> None:
    rng = np.random.default_rng(2)
    window, count = 120, 40
    power = np.einsum("kdd->kd", dynamics().covariance(window, 30.0))
    x = np.sqrt(power) * rng.normal(size=(count, window, 3))
    x += np.sqrt(white**2 + slow**2 * ar1_spectrum(window, 30.0, 0.17))[:, None] * rng.normal(size=x.shape)
    levels = np.concatenate([[0.0], np.geomspace(0.002, 0.4, 40)])
    noise, activity, _ = estimate_noise(
        (x**2).mean(axis=0), count, dynamics(), window, 30.0, 0.17, levels, np.geomspace(0.1, 10, 9)
    )
    assert np.sqrt(noise.white[0]) == pytest.approx(white, rel=0.25)
    assert np.sqrt(noise.correlated[0]) == pytest.approx(slow, rel=0.3, abs=0.01)
    assert 0.5 < activity < 2.0


def test_mirrored_poses_are_mirrored_bodies() -> None:
    import roma

    from engine.body import bundled, forward_kinematics
    from engine.motion.joints import MIRROR

    poses = np.random.default_rng(0).normal(scale=0.4, size=(5, 21, 3))
    assert np.allclose(dataset.mirror(dataset.mirror(poses)), poses)
    offsets = torch.as_tensor(bundled().offsets, dtype=torch.float64)
    # The body must be its own mirror image for its poses' mirror images to be.
    offsets = 0.5 * (offsets + offsets[list(MIRROR)] * torch.tensor([-1.0, 1.0, 1.0]))

    def joints(body: np.ndarray) -> torch.Tensor:
        whole = torch.from_numpy(np.concatenate([np.zeros((5, 1, 3)), body], axis=1))
        return forward_kinematics(
            roma.rotvec_to_rotmat(whole), offsets, torch.zeros(5, 3, dtype=torch.float64)
        )[0]

    mirrored = joints(poses)[:, list(MIRROR)] * torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(joints(dataset.mirror(poses)), mirrored)


def amass_folder(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for subject in ("a", "b"):
        (folder / subject).mkdir(parents=True)
        np.savez(
            folder / subject / "clip.npz",
            poses=rng.normal(scale=0.3, size=(100, 156)),
            trans=np.zeros((100, 3)),
        )
    return folder


def test_amass_folders_are_read(tmp_path: Path) -> None:
    poses = dataset.load([amass_folder(tmp_path)])
    assert len(poses) == 160 and set(poses.subjects) == {0, 1}
    assert poses.subject_weights().sum() == pytest.approx(1.0)


def test_training_resumes_bit_for_bit(tmp_path: Path) -> None:
    data = amass_folder(tmp_path / "data")
    parser = argparse.ArgumentParser()
    training.add_arguments(parser)

    def train(out: str, iterations: int) -> bytes:
        words = f"--data {data} --val {data} --out {tmp_path / out} --iterations {iterations} --batch 32"
        training.run(
            parser.parse_args(
                [*words.split(), "--times-per-batch", "8", "--validate-every", "4", "--device", "cpu"]
            )
        )
        return (tmp_path / out / "checkpoint.safetensors").read_bytes()

    from safetensors.torch import load

    whole = load(train("whole", 8))
    train("parts", 4)
    parts = load(train("parts", 8))
    assert all(
        torch.equal(whole[key], parts[key])
        for key in whole
        if key.startswith(("model.", "ema.", "optimiser."))
    )


def test_a_damaged_checkpoint_is_one_sentence(tmp_path: Path) -> None:
    data = amass_folder(tmp_path / "data")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "checkpoint.safetensors").write_bytes(b"nothing")
    parser = argparse.ArgumentParser()
    training.add_arguments(parser)
    with pytest.raises(WeightsError):
        training.run(
            parser.parse_args(["--data", str(data), "--out", str(tmp_path / "out"), "--device", "cpu"])
        )


def test_shipped_weights_beat_the_best_linear_denoiser(shared_data: Path) -> None:
    """On people never seen, at the noise Clean Motion works at, against the Gaussian fitted to the training poses."""
    train = dataset.load([shared_data / "train", shared_data / "train_more"])
    held_out = dataset.load([shared_data / "val"]).poses[::10]
    prior = load_pose_prior()
    train_event = prior.normalise(torch.from_numpy(train.poses[::5]))
    mean, covariance = train_event.mean(0), torch.cov(train_event.T)
    event = prior.normalise(torch.from_numpy(held_out))
    t = torch.tensor([0.2])
    alpha, sigma = SDE.marginal(t)
    x = alpha * event + sigma * torch.randn(event.shape, generator=torch.Generator().manual_seed(0))
    gain = alpha * covariance @ torch.linalg.inv(alpha**2 * covariance + sigma**2 * torch.eye(63))
    linear = mean + (x - alpha * mean) @ gain.T
    errors = [float(((guess - event) ** 2).mean()) for guess in (prior.estimate(x, t).x0, linear)]
    assert errors[0] < 0.95 * errors[1], errors
