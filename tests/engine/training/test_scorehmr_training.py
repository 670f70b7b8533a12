# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of ScoreHMR's prior on little: it learns of keypoints, and of pictures what their features tell."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.cli import main
from engine.diffusion.denoiser import diffuse
from engine.priors.rotation_weights import load_rotation_prior
from engine.training.pictures import Pictures
from engine.training.scorehmr import LATE, steps

COUNT = 3000


def train(out: Path, *options: str, iterations: int) -> list[dict]:
    code = main([
        "train", "--prior", "scorehmr", "--out", str(out), "--iterations", str(iterations), "--validate-every", "50",
        "--batch", "128", "--hidden", "256", "--blocks", "2", "--learning-rate", "2e-3", "--warm-up", "5", "--ema",
        "0.9", "--precision", "float32", "--device", "cpu", *options,
    ])  # fmt: skip
    assert code == 0
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_of_keypoints_it_learns(tmp_path: Path) -> None:
    poses = np.random.default_rng(0).normal(0.0, 0.2, (50, 22, 3)).astype(np.float32)
    np.savez(tmp_path / "clip.npz", poses=poses)
    entry = {"file": "clip.npz", "start": 0, "length": 50, "subject": 1}
    (tmp_path / "index.json").write_text(json.dumps([entry]))
    data = ("--data", str(tmp_path), "--val", str(tmp_path), "--features", "32")
    lines = train(tmp_path / "run", *data, iterations=100)
    assert lines[-1]["val_loss"] < 0.9 * lines[0]["val_loss"]
    assert lines[-1]["val_answer_degrees"] < lines[0]["val_answer_degrees"]
    prior = load_rotation_prior(tmp_path / "run" / "scorehmr.safetensors")
    assert prior.encoder is not None and prior.network.settings["context"] == 32
    begun = train(tmp_path / "more", *data, "--start", str(tmp_path / "run" / "scorehmr.safetensors"), iterations=50)
    assert begun[0]["val_loss"] < 1.05 * lines[-1]["val_loss"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features that are a linear function of the poses, with a little noise."""
    rng = np.random.default_rng(0)
    poses = rng.normal(0.0, 0.5, (COUNT, 24, 3))
    told = poses[:, :22].reshape(COUNT, -1) @ rng.normal(size=(66, 96)) / 8.0 + 0.02 * rng.normal(size=(COUNT, 96))
    path = tmp_path_factory.mktemp("pictures") / "p.npz"
    np.savez(path, pose_feats=(3.0 + 5.0 * told).astype("f4").reshape(COUNT, 4, 24), pose=poses.reshape(COUNT, 72))
    return path


@pytest.mark.slow
def test_of_pictures_it_learns_what_their_features_tell(pictures: Path, tmp_path: Path) -> None:
    lines = train(tmp_path, "--image-features", str(pictures), iterations=600)
    assert "val_answer_degrees" not in lines[0]
    training, held_out = Pictures.load([pictures]).divided()
    prior, seen = load_rotation_prior(tmp_path / "scorehmr.safetensors"), held_out.features
    # The noise at the last step that refinement knows, in pictures never seen; hands have none that counts.
    t, moved = torch.full((1,), float(LATE)), slice(0, 132)
    z = torch.randn(held_out.events.shape, generator=torch.Generator().manual_seed(1))
    x_t = diffuse(prior.sde, held_out.events, t, z)
    with torch.no_grad():
        told, misled = (
            float((prior.under(prior.context(rows))(x_t, t).noise - z)[:, moved].square().mean())
            for rows in (seen, seen.roll(1, dims=0))
        )
    # Who is told nothing cannot do better than Wiener's filter, of events that are about Gaussian.
    alpha, sigma = (float(c) for c in prior.sde.marginal(t.double()))
    power = alpha**2 * np.linalg.eigvalsh(np.cov(training.events[:, moved].double().numpy().T))
    untold = float((power / (power + sigma**2)).mean())
    assert told < 0.8 * untold < untold < misled


def test_its_weights_keep_how_features_are_standardised(pictures: Path, tmp_path: Path) -> None:
    train(tmp_path, "--image-features", str(pictures), iterations=1)
    prior = load_rotation_prior(tmp_path / "scorehmr.safetensors")
    with np.load(pictures) as file:
        trained = file["pose_feats"].reshape(COUNT, 96)[: -COUNT // 10].astype(np.float64)
    assert prior.encoder is None and prior.network.settings["context"] == 96
    np.testing.assert_allclose(prior.mean, trained.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(prior.std, trained.std(axis=0), rtol=1e-4)
    context = prior.context(torch.from_numpy(trained).float())
    np.testing.assert_allclose(context.std(dim=0, correction=0), 1.0, rtol=1e-3)


def test_poses_may_be_in_files_of_their_own(pictures: Path, tmp_path: Path) -> None:
    """As ScoreHMR's are: features are cached beside the data sets."""
    with np.load(pictures) as file:
        features, poses = file["pose_feats"][:40], file["pose"][:40]
    np.savez(tmp_path / "cache.npz", img_feats=features.reshape(40, -1), pred_pose=np.zeros((40, 24, 3, 3)))
    known = np.arange(40) % 4 != 0
    np.savez(tmp_path / "set.npz", body_pose=poses, has_body_pose=known.astype(float))
    found = Pictures.load([tmp_path / "cache.npz", pictures], [tmp_path / "set.npz", pictures])
    assert len(found) == 30 + COUNT and found.features.shape[1] == 96
    whole = Pictures.load([pictures])
    torch.testing.assert_close(found.events[:30], whole.events[:40][torch.from_numpy(known)])
    training, held_out = found.divided()
    assert len(held_out) == 3 + COUNT // 10 and len(training) == 27 + COUNT - COUNT // 10
    torch.testing.assert_close(held_out.features[:3], found.features[27:30])


def test_a_feature_that_is_always_the_same_tells_nothing(tmp_path: Path) -> None:
    features = np.random.default_rng(0).normal(size=(20, 5))
    features[:, 3] = 7.0
    np.savez(tmp_path / "a.npz", features=features, pose=np.zeros((20, 72)))
    mean, std = Pictures.load([tmp_path / "a.npz"]).statistics()
    assert float(std[3]) == 1.0 and float(mean[3]) == 7.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "name one"),
        (("--data", "x", "--image-features", "a.npz"), "name one"),
        (("--prior", "gfpose", "--image-features", "a.npz"), "name one"),
        (("--image-features", "a.npz", "b.npz"), "3 features a picture"),
        (("--image-features", "a.npz", "--image-poses", "a.npz", "a.npz"), "as many of poses"),
        (("--image-features", "a.npz", "--image-poses", "c.npz"), "poses in 9"),
        (("--image-features", "one.npz"), "none can be trained on"),
        (("--image-features", "none.npz"), "none can be trained on"),
    ],
)
def test_files_that_do_not_fit_are_told(
    tmp_path: Path, options: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for name, count, size in (("a", 20, 5), ("b", 20, 3), ("c", 9, 5), ("one", 1, 5)):
        np.savez(tmp_path / f"{name}.npz", features=rng.normal(size=(count, size)), pose=np.zeros((count, 72)))
    np.savez(tmp_path / "none.npz", features=rng.normal(size=(4, 5)), pose=np.zeros((4, 72)), has_smpl=np.zeros(4))
    named = [str(tmp_path / word) if word.endswith(".npz") else word for word in options]
    assert main(["train", "--prior", "scorehmr", "--out", str(tmp_path / "out"), *named]) == 2
    sentence = capsys.readouterr().err.strip().splitlines()[-1]
    assert words in sentence and sentence.endswith(".")


def test_half_of_the_steps_are_those_of_refinement() -> None:
    drawn = steps(4000, 1000.0, torch.Generator().manual_seed(0))
    assert drawn.min() == 1 and drawn.max() == 1000 and torch.equal(drawn, drawn.round())
    late = float((drawn <= LATE).float().mean())
    assert abs(late - (0.5 + 0.5 * LATE / 1000)) < 0.02
