# SPDX-License-Identifier: GPL-3.0-or-later
"""Examples for the motion prior: their truth is the clip, and what they tell is what the tasks would tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.motion.windows import exp_around, log_around, rotvec_to_quat
from engine.priors.pose_gaussian import PoseGaussian
from engine.training.motion_bank import (
    FAMILIES,
    UPPER,
    Augmentation,
    Bank,
    Clip,
    build,
    draw_keys,
    draw_known,
    example,
    examples,
    load_clips,
    mirrored,
    recombined,
    warped,
)


def clip(seed: int = 0, frames: int = 120) -> Clip:
    rng = np.random.default_rng(seed)
    seconds = np.arange(frames)[:, None, None] / 30.0
    poses = 0.3 * np.sin(2.0 * np.pi * seconds / rng.uniform(0.8, 2.0) + rng.uniform(0, 6, (22, 3)))
    return Clip(poses, np.cumsum(np.full((frames, 3), 0.01), axis=0), seed)


@pytest.fixture(scope="module")
def gaussian() -> PoseGaussian:
    return PoseGaussian.load()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_reference_and_the_difference_make_the_truth(family: str, gaussian: PoseGaussian) -> None:
    one = clip()
    made = example(one, family, gaussian, np.random.default_rng(5))
    quat = exp_around(made.evidence.quat, made.turn)
    assert np.linalg.norm(log_around(rotvec_to_quat(one.poses), quat)[:, 1:], axis=-1).max() < 1e-6
    known = made.evidence.known[:, 1:22]
    exact = known & (made.evidence.deviation[:, 1:22] == 0) & ~made.damage[:, 1:]
    if family != "clean":
        assert np.linalg.norm(made.turn[:, 1:], axis=-1)[exact].max(initial=0.0) < 1e-6
    assert (made.evidence.turn[:, 1:][~known] == 0).all()


def test_mirroring_twice_is_nothing_and_swaps_sides() -> None:
    one = clip()
    twice = mirrored(mirrored(one))
    np.testing.assert_allclose(twice.poses, one.poses)
    np.testing.assert_allclose(twice.path, one.path)
    np.testing.assert_allclose(mirrored(one).poses[:, 1], one.poses[:, 2] * [1.0, -1.0, -1.0])


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.25])
def test_another_speed_is_the_same_motion_sooner(speed: float) -> None:
    one = clip(frames=241)
    fast = warped(one, speed)
    assert len(fast.poses) == pytest.approx(241 / speed, abs=1)
    at = round(0.5 * (len(fast.poses) - 1))
    np.testing.assert_allclose(fast.path[at], one.path[120], atol=0.02)
    np.testing.assert_allclose(fast.path[-1], one.path[-1])


def test_recombination_takes_the_upper_body_only() -> None:
    one, other = clip(0), clip(1, 90)
    both = recombined(one, other, UPPER)
    assert len(both.poses) == 90
    lower = [0, 1, 2, 3, 4, 5, 7, 8, 10, 11]
    np.testing.assert_array_equal(both.poses[:, lower], one.poses[:90, lower])
    np.testing.assert_array_equal(both.poses[:, 16:], other.poses[:, 16:])


@pytest.mark.parametrize("seed", range(10))
def test_keys_and_masks_leave_something_to_find(seed: int) -> None:
    rng = np.random.default_rng(seed)
    keys = draw_keys(90, rng)
    assert keys[0] >= 0 and keys[-1] < 90 and len(keys) < keys[-1] - keys[0] + 1 and (np.diff(keys) > 0).all()
    known = draw_known(90, rng)
    assert known[:, [0, 22]].all() and not known.all()


def test_a_bank_survives_the_disk(tmp_path: Path, gaussian: PoseGaussian) -> None:
    clips = [clip(s) for s in range(3)]
    build(tmp_path / "a.npz", clips, gaussian, 500, 1, Augmentation())
    build(tmp_path / "b.npz", clips, gaussian, 500, 1, Augmentation())
    one, both = Bank.load([tmp_path / "a.npz"]), Bank.load([tmp_path / "a.npz", tmp_path / "b.npz"])
    assert len(both) == 2 * len(one) and both.offsets[-1] == 2 * one.offsets[-1] >= 1000
    for name, values in one.arrays.items():
        np.testing.assert_array_equal(both.arrays[name][: len(values)], values)
        np.testing.assert_array_equal(both.arrays[name][len(values) :], values)  # the seed makes the bank
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".npz"]


def test_all_families_come(gaussian: PoseGaussian) -> None:
    source = examples([clip(0), clip(1)], gaussian, np.random.default_rng(0), Augmentation())
    drawn = [next(source) for _ in range(30)]
    assert {family for family, _ in drawn} == set(range(len(FAMILIES)))
    made = [e for _, e in drawn]
    lengths = {len(e.turn) for e in made}
    assert len(lengths) > 5  # speeds differ
    assert any(e.damage.any() for e in made) and any((~e.evidence.known[:, 22]).any() for e in made)
    assert {e.subject for e in made} == {0, 1}


def test_subjects_can_be_fewer(shared_data: Path) -> None:
    everyone = load_clips([shared_data / "val"], False)
    half = load_clips([shared_data / "val"], False, 0.5)
    people = {c.subject for c in everyone}
    assert {c.subject for c in half} < people and len({c.subject for c in half}) == round(0.5 * len(people))
