# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what the motion prior owes to its training, with tiny networks on made-up clips."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.evaluation import motion_variants, tables
from engine.evaluation.motion_variants import FrameByFrame, MotionVariant, Unjudged, trained
from engine.evaluation.tables import motion_training as table
from engine.evaluation.tables.table import Context
from engine.priors.motion_prior import MotionPrior, Seen
from engine.training import motion
from engine.training.dynamics import TEMPLATE_LEG

FRAMES, CLIPS = 180, 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Splits with swaying bodies of two subjects each, longer than a window."""
    root = tmp_path_factory.mktemp("data")
    time = np.arange(FRAMES)[:, None, None] / 30.0
    for number, split in enumerate(("train", "train_more", "val", "test")):
        (root / split).mkdir()
        index = []
        for clip in range(CLIPS):
            rng = np.random.default_rng([number, clip])
            poses = 0.3 * np.sin(
                2.0 * np.pi * time / rng.uniform(0.8, 2.0, (22, 3)) + rng.uniform(0.0, 6.0, (22, 3))
            )
            trans = np.tile([0.0, 0.95, 0.0], (FRAMES, 1)) + 0.1 * poses[:, 0]
            np.savez(
                root / split / f"{clip}.npz", poses=poses.astype(np.float32), trans=trans.astype(np.float32)
            )
            entry = {"name": "sways", "file": f"{clip}.npz", "start": 0, "length": FRAMES, "fps": 30}
            index.append(entry | {"subject": 10 * number + clip, "leg_len": TEMPLATE_LEG})
        (root / split / "index.json").write_text(json.dumps(index))
    return root


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks and banks as small as they can be, kept apart from real ones."""
    sizes = {"HIDDEN": 8, "BATCH": 192, "ITERATIONS": 2, "BANK_FRAMES": 1, "VALIDATION_FRAMES": 1500}
    for name, value in (sizes | {"FOLDER": tmp_path}).items():
        monkeypatch.setattr(motion_variants, name, value)
    monkeypatch.setattr(motion, "validate", partial(motion.validate, count=40))


def seen(frames: int, seed: int = 0) -> Seen:
    """Evidence of two windows, some of it missing."""
    rng = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(2, frames, *shape, generator=rng)

    turn = torch.linalg.qr(normal(22, 3, 3)).Q
    known = (normal(23) > -1.0).float()
    path = normal(3)
    noise = torch.rand(2, 23, generator=rng)
    return Seen(
        turn * torch.linalg.det(turn)[..., None, None],
        path,
        0.1 * normal(22, 3) * known[..., :22, None],
        0.1 * normal(3) * known[..., 22:],
        known,
        noise,
        0.05 + normal(23).abs(),
        torch.ones(2),
    )


def prior(kind: type[MotionPrior]) -> MotionPrior:
    """An untrained one that says something."""
    torch.manual_seed(0)
    made = MotionVariant(kind).dressed(motion.untrained(8, 0.0))
    torch.nn.init.normal_(made.network.post.weight)
    return made.eval()


def test_the_unjudged_prior_hears_nothing_of_quality() -> None:
    one = seen(12)
    other = one._replace(
        known=1.0 - one.known, noise=2.0 * one.noise, deviation=torch.rand(one.deviation.shape)
    )
    own, usual = prior(Unjudged), prior(MotionPrior)
    assert torch.equal(own.features(one), own.features(other))
    assert not torch.equal(usual.features(one), usual.features(other))
    assert torch.equal(own.hints(one), own.hints(one._replace(known=other.known)))
    assert not torch.equal(own.told(one).hints, usual.told(one).hints)
    changed = one._replace(turn=one.turn + 0.1)
    assert not torch.equal(own.features(one), own.features(changed)), "it hears what was measured"


@pytest.mark.parametrize("kind", [FrameByFrame, MotionPrior])
def test_frame_by_frame_no_frame_hears_of_another(kind: type[MotionPrior]) -> None:
    one, other = seen(12), seen(12, 1)
    other = other._replace(noise=one.noise)
    mixed = Seen(
        *(
            torch.cat([a[:, :5], b[:, 5:]], dim=1) if a.ndim > 2 else a
            for a, b in zip(one, other, strict=True)
        )
    )
    own = prior(kind)
    told = [own.told(s) for s in (one, mixed)]
    x_t = torch.randn(2, 12, 69)
    for out in ([own.mean(t) for t in told], [own(t, x_t, torch.tensor([0.2, 0.7])) for t in told]):
        for a, b in zip(*out, strict=True):
            assert a.shape[:2] == (2, 12)
            alike = torch.allclose(a[:, :5], b[:, :5], atol=1e-5)
            assert alike == (kind is FrameByFrame)
            assert not torch.allclose(a[:, 5:], b[:, 5:], atol=1e-5)


def test_variants_share_examples_and_nothing_else(data: Path) -> None:
    named = list(table.VARIANTS.values())
    assert len({v.name() for v in named}) == len(named)
    full = table.VARIANTS[table.FULL]
    alike = [name for name, v in table.VARIANTS.items() if v.bank_name() == full.bank_name()]
    assert alike == [table.FULL, "without quality", "per frame only", "without joint positions"]
    assert {c.subject for c in full.clips(data)} == {0, 1, 10, 11}
    assert {c.subject for c in MotionVariant(subjects=0.5).clips(data)} == {0, 11}
    assert {c.subject for c in MotionVariant(folders=("train",)).clips(data)} == {0, 1}


def test_a_variant_is_trained_once(data: Path, tmp_path: Path) -> None:
    variant = MotionVariant(FrameByFrame, posed=False)
    first = trained(variant, 1, data)
    kept = tmp_path / f"{variant.name()}_1" / "motion.safetensors"
    when = kept.stat().st_mtime_ns
    again = trained(variant, 1, data)
    assert kept.stat().st_mtime_ns == when and first.log == again.log
    assert isinstance(again.prior, FrameByFrame) and not again.prior.posed and not again.prior.training
    assert first.log["iteration"] == 2
    for name, value in first.prior.state_dict().items():
        assert torch.equal(value, again.prior.state_dict()[name])
    assert not torch.equal(first.prior.network.pre.weight, trained(variant, 2, data).prior.network.pre.weight)
    assert len(list(tmp_path.glob("banks/*/train_*.npz"))) == 1


def test_every_variant_is_measured(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = (table.FULL, "without quality", "25 % of the subjects")
    monkeypatch.setattr(table, "VARIANTS", {name: table.VARIANTS[name] for name in few})
    found = tables.measure("motion-training", Context(data, seeds=2, device="cpu"))
    assert list(found.rows) == [table.REFERENCE, *few]
    for name in few:
        assert set(found.rows[name]) == set(table.COLUMNS)
        assert all(np.isfinite(values).all() for values in found.rows[name].values())
        # Hardly trained, a prior hardly moves from where it starts.
        for fault in table.FAULTS:
            column = f"{fault}, test mm"
            assert len(found.rows[name][column]) == 2
            np.testing.assert_allclose(
                found.rows[name][column], found.rows[table.REFERENCE][column], rtol=0.05
            )
    assert found.rows[table.FULL]["subjects"] == [4.0] and found.rows[few[2]]["subjects"] == [1.0]
    assert found.rows[table.FULL]["minutes"] == [pytest.approx(4 * FRAMES / 1800)]


def test_errors_by_hand(data: Path) -> None:
    clips = [table.still(c) for c in table.motion_clips(data / "test", 60)]
    taken = table.cases(clips, "white 5 deg", 0)
    assert table.error(taken, lambda c: c.clip.quat) == 0.0
    assert (taken[0].quat[:, 0] == [1, 0, 0, 0]).all() and not taken[0].clip.path.any()
    smooth = table.error(taken, lambda c: c.smoothed.quat)
    assert 0.0 < smooth < table.error(taken, lambda c: c.quat)
