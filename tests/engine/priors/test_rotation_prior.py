# SPDX-License-Identifier: GPL-3.0-or-later
"""The prior of rotations: its events, what its encoder is told of keypoints, and its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rotation_priors import untrained
from scipy.spatial.transform import Rotation

from engine.diffusion.denoiser import diffuse
from engine.errors import WeightsError
from engine.evaluation.filmed import CAMERA, snap
from engine.priors import rotation_prior
from engine.priors.prior_file import FOLDER
from engine.priors.rotation_prior import CROP_DOUBT, DIM, crop, from_event, to_event
from engine.priors.rotation_weights import load_rotation_prior, save_rotation_prior
from engine.tasks.lift.camera_space import Sight

WEIGHTS = FOLDER / "scorehmr.safetensors"


def turns(count: int, seed: int = 0) -> torch.Tensor:
    matrices = Rotation.random(22 * count, random_state=seed).as_matrix()
    return torch.from_numpy(matrices).reshape(count, 22, 3, 3)


def _matrices(poses: np.ndarray) -> np.ndarray:
    return Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(*poses.shape, 3)


def test_events_are_two_columns_of_each_rotation_and_hands_at_rest() -> None:
    given_ = turns(5)
    event = to_event(given_)
    assert event.shape == (5, DIM)
    # A matrix' first two columns, row by row, as the released rot6d.
    np.testing.assert_array_equal(event[2, 18:24], given_[2, 3, :, :2].reshape(6))
    np.testing.assert_array_equal(event[:, -12:].reshape(5, 2, 3, 2), np.broadcast_to(np.eye(3)[:, :2], (5, 2, 3, 2)))
    torch.testing.assert_close(from_event(event), given_)
    torch.testing.assert_close(from_event(event + 1e-3 * torch.randn(5, DIM).double()), given_, atol=0.02, rtol=0)
    back = from_event(torch.randn(5, DIM).double())
    torch.testing.assert_close(back @ back.mT, torch.eye(3).double().expand(5, 22, 3, 3), atol=1e-9, rtol=0)
    assert (torch.linalg.det(back) > 0.99).all()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.floats(1e-3, 1e3),
    across=st.floats(-50.0, 50.0),
    up=st.floats(-50.0, 50.0),
    seen=st.lists(st.booleans(), min_size=17, max_size=17),
)
def test_where_and_how_large_a_person_is_in_a_picture_does_not_matter(
    seed: int, scale: float, across: float, up: float, seen: list[bool]
) -> None:
    rng = np.random.default_rng(seed)
    places, doubt = torch.from_numpy(rng.normal(size=(1, 17, 2))), torch.from_numpy(rng.uniform(0, 0.3, (1, 17)))
    doubt[0, ~torch.tensor(seen)] = torch.inf
    told = crop(places, doubt)
    elsewhere = scale * (places + torch.tensor([across, up]))
    elsewhere[0, ~torch.tensor(seen)] = 1e9  # of what was not seen nothing is told
    if sum(seen) == 1:  # a point has no size
        return
    torch.testing.assert_close(crop(elsewhere, scale * doubt), told, rtol=1e-6, atol=1e-6)


def test_what_the_encoder_is_told() -> None:
    """By the docstring's words, joint by joint."""
    rng = np.random.default_rng(0)
    places, doubt = rng.normal(size=(17, 2)), rng.uniform(0, 0.3, 17)
    doubt[4], doubt[9] = np.inf, 0.0
    seen = np.isfinite(doubt)
    away = places - places[seen].mean(axis=0)
    size = np.sqrt(np.square(away[seen]).sum(axis=1).mean())
    told = crop(torch.from_numpy(places)[None], torch.from_numpy(doubt)[None]).reshape(17, 3).numpy()
    for joint in range(17):
        if not seen[joint]:
            np.testing.assert_array_equal(told[joint], 0.0)
            continue
        trust = 1.0 / np.sqrt(1.0 + (doubt[joint] / size / CROP_DOUBT) ** 2)
        np.testing.assert_allclose(told[joint], [*(away[joint] / size * trust), trust], rtol=1e-9)
    assert told[9, 2] == 1.0
    assert torch.equal(crop(torch.randn(2, 17, 2), torch.full((2, 17), torch.inf)), torch.zeros(2, 51))


def test_the_estimate_is_of_the_noise_that_the_network_tells() -> None:
    prior = untrained()
    x, t, seen = torch.randn(6, DIM), torch.tensor([40.0]), torch.randn(6, 51)
    context = prior.context(seen)
    found = prior.under(context)(x, t)
    alpha, sigma = (float(c) for c in prior.sde.marginal(t))
    torch.testing.assert_close(found.noise, prior.network(x, t, context))
    torch.testing.assert_close(alpha * found.x0 + sigma * found.noise, x)
    torch.testing.assert_close(found.score, -found.noise / sigma)


def test_many_events_go_through_by_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    prior = untrained()
    x, t, context = torch.randn(10, DIM, requires_grad=True), torch.tensor([40.0]), torch.randn(10, 8)
    whole = prior.under(context)(x, t).x0
    (gradient,) = torch.autograd.grad(whole.square().sum(), x)
    monkeypatch.setattr(rotation_prior, "CHUNK", 4)
    parts = prior.under(context)(x, t).x0
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(torch.autograd.grad(parts.square().sum(), x)[0], gradient)


def test_weights_come_back(tmp_path: Path) -> None:
    x, t = torch.randn(4, DIM), torch.tensor([30.0])
    for features in (None, 24):
        prior = untrained(features)
        if features:
            prior.mean.copy_(torch.randn(24))
            prior.std.copy_(1.0 + torch.rand(24))
        seen = torch.randn(4, features or 51)
        save_rotation_prior(tmp_path / "a.safetensors", prior, {"seed": "1"})
        again = load_rotation_prior(tmp_path / "a.safetensors")
        assert (again.encoder is None) == (features is not None) and not again.training
        assert torch.equal(again.mean, prior.mean) and torch.equal(again.std, prior.std)
        first, second = (p.under(p.context(seen))(x, t).x0 for p in (prior, again))
        torch.testing.assert_close(first, second, atol=2e-3, rtol=1e-2)
        for name, weight in again.network.state_dict().items():
            assert torch.equal(weight, prior.network.state_dict()[name].bfloat16().half().float())
    torch.testing.assert_close(again.context(seen), (seen - prior.mean) / prior.std)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(WeightsError, match="missing"):
        load_rotation_prior(path)
    prior = untrained(24)
    prior.std[3] = 0.0
    save_rotation_prior(path, prior, {})
    with pytest.raises(WeightsError, match="144 rotations"):
        load_rotation_prior(path)
    prior.std[3] = torch.nan
    save_rotation_prior(path, prior, {})
    with pytest.raises(WeightsError, match="144 rotations"):
        load_rotation_prior(path)
    prior = untrained(24)
    prior.mean, prior.std = torch.zeros(23), torch.ones(23)
    save_rotation_prior(path, prior, {})
    with pytest.raises(WeightsError, match="144 rotations"):
        load_rotation_prior(path)


@pytest.mark.skipif(not WEIGHTS.exists(), reason="the weights of ScoreHMR are not in this checkout")
def test_the_bundled_prior_believes_keypoints(shared_data: Path) -> None:
    """Where refinement works, it tells a pose better under that person's keypoints than under nobody's."""
    people = snap(shared_data / "test", 64, seed=1)
    pixels, sigma = (np.concatenate([getattr(one, name) for one in people]) for name in ("pixels", "sigma"))
    distance = np.linalg.norm(np.concatenate([one.transl for one in people]), axis=1)
    sight = Sight.of(pixels, np.ones(sigma.shape), sigma, CAMERA, None)
    local = _matrices(np.concatenate([one.poses for one in people]))
    local[:, 0] = sight.turns @ local[:, 0]
    event = to_event(torch.from_numpy(local)).float()
    prior, t = load_rotation_prior(), torch.tensor([100.0])
    x_t = diffuse(prior.sde, event, t, torch.randn(event.shape, generator=torch.Generator().manual_seed(0)))
    tangents, doubt = torch.from_numpy(sight.tangents), torch.from_numpy(sight.doubt(distance) / distance[:, None])
    errors = []
    with torch.no_grad():
        for known in (doubt, torch.full_like(doubt, torch.inf)):
            told = prior.context(crop(tangents, known).float())
            errors.append(float((prior.under(told)(x_t, t).x0 - event).square().mean()))
    assert errors[0] < 0.96 * errors[1]
