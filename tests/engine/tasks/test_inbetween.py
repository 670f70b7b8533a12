# SPDX-License-Identifier: GPL-3.0-or-later
"""Filling between keys: what is kept, SciPy's slerp, and motions drawn from the shipped spectra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from engine.errors import Cancelled, MotionError
from engine.motion.motion import BodyMotion
from engine.motion.tpose import OFFSETS
from engine.tasks.generate import GenerateSettings, generate
from engine.tasks.inbetween import InbetweenSettings, inbetween

FPS = 30.0
LINEAR = InbetweenSettings("linear")
VARIED = InbetweenSettings(variation=1.0, seed=3)


def swinging(frames: int = 60, seed: int = 0) -> BodyMotion:
    """Every joint on sines of its own about all axes, walking along a curve."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None] / FPS
    phase, rate = rng.uniform(0.0, 6.0, (22, 3)), rng.uniform(0.3, 1.0, (22, 3))
    poses = 0.3 * np.sin(2.0 * np.pi * rate * time + phase)
    flat = time[:, 0, 0]
    path = np.stack([np.sin(flat), 0.9 + 0.02 * np.sin(9.0 * flat), 1.3 * flat], axis=1)
    return BodyMotion(poses, path, FPS, OFFSETS.copy())


def worst_degrees(a: np.ndarray, b: np.ndarray) -> float:
    """The largest angle between rotations (..., 3) as rotation vectors."""
    turn = Rotation.from_rotvec(a.reshape(-1, 3)).inv() * Rotation.from_rotvec(b.reshape(-1, 3))
    return float(np.rad2deg(turn.magnitude().max()))


@pytest.mark.parametrize("settings", [InbetweenSettings(), LINEAR, VARIED])
def test_keys_and_what_lies_outside_them_stay_bit_equal(settings: InbetweenSettings) -> None:
    motion = swinging()
    keys = [31, 12, 13, 45]
    kept = np.ones(60, bool)
    kept[14:31] = kept[32:45] = False
    filled = inbetween(motion, keys, settings)
    np.testing.assert_array_equal(filled.poses[kept], motion.poses[kept])
    np.testing.assert_array_equal(filled.transl[kept], motion.transl[kept])
    assert (np.abs(filled.poses - motion.poses)[~kept].max(axis=(1, 2)) > 0).all()


@pytest.mark.parametrize("settings", [InbetweenSettings(), LINEAR, VARIED])
def test_what_the_gap_held_does_not_matter(settings: InbetweenSettings) -> None:
    motion = swinging()
    poses, path = motion.poses.copy(), motion.transl.copy()
    poses[14:31], path[14:31] = 2.0, -7.0
    spoiled = replace(motion, poses=poses, transl=path)
    made, again = (inbetween(m, [13, 31], settings) for m in (motion, spoiled))
    assert worst_degrees(made.poses, again.poses) < 1e-4
    np.testing.assert_allclose(made.transl, again.transl, atol=1e-9)


def test_linear_is_slerp() -> None:
    """SciPy's slerp of every joint between neighbouring keys, and a straight path."""
    motion = swinging()
    keys = [5, 20, 50]
    filled = inbetween(motion, keys, LINEAR)
    frames = np.arange(5, 51)
    for joint in (0, 4, 18):
        arc = Slerp(keys, Rotation.from_rotvec(motion.poses[keys, joint]))(frames).as_rotvec()
        assert worst_degrees(filled.poses[frames, joint], arc) < 1e-4
    for axis in range(3):
        line = np.interp(frames, keys, motion.transl[keys, axis])
        np.testing.assert_allclose(filled.transl[frames, axis], line, atol=1e-12)


@pytest.mark.parametrize("gap", [5, 15])
def test_the_default_comes_nearer_than_slerp(gap: int) -> None:
    """On smooth motion with neighbours on either side, at least a quarter nearer: it knows the velocity."""
    motion = swinging()
    keys = [20, 21 + gap]
    inner = slice(21, 21 + gap)
    errors = []
    for settings in (InbetweenSettings(), LINEAR):
        filled = inbetween(motion, keys, settings)
        turn = Rotation.from_rotvec(filled.poses[inner].reshape(-1, 3)).inv()
        turn = turn * Rotation.from_rotvec(motion.poses[inner].reshape(-1, 3))
        path = np.linalg.norm(filled.transl[inner] - motion.transl[inner], axis=1)
        errors.append((turn.magnitude().mean(), path.mean()))
    assert errors[0][0] < errors[1][0] / 1.33
    assert errors[0][1] < errors[1][1] / 1.33


def test_variation_repeats_by_seed_and_grows_with_its_size() -> None:
    motion = swinging()
    plain, half, whole, other = (
        inbetween(motion, [15, 45], InbetweenSettings(variation=size, seed=seed))
        for size, seed in ((0.0, 1), (0.5, 1), (1.0, 1), (1.0, 2))
    )
    again = inbetween(motion, [15, 45], InbetweenSettings(variation=1.0, seed=1))
    np.testing.assert_array_equal(whole.poses, again.poses)
    assert worst_degrees(whole.poses, other.poses) > 2.0
    np.testing.assert_allclose(whole.transl - plain.transl, 2.0 * (half.transl - plain.transl), atol=1e-12)
    near, middle = (worst_degrees(whole.poses[f], plain.poses[f]) for f in (slice(16, 17), slice(25, 35)))
    assert near < 0.3 * middle  # it vanishes towards keys


def test_a_clip_without_gaps_comes_back() -> None:
    motion = swinging()
    assert inbetween(motion, range(10, 20)) is motion


@pytest.mark.parametrize(
    ("keys", "settings"),
    [
        ([3], InbetweenSettings()),
        ([3, 60], InbetweenSettings()),
        ([-1, 10], InbetweenSettings()),
        ([3, 10], InbetweenSettings("cubic")),
        ([3, 10], InbetweenSettings(variation=-1.0)),
        ([3, 10], InbetweenSettings(dynamics_share=1.5)),
        ([3, 10], InbetweenSettings(path_scale=0.0)),
    ],
)
def test_what_cannot_be_filled_is_one_sentence(keys: list[int], settings: InbetweenSettings) -> None:
    with pytest.raises(MotionError) as error:
        inbetween(swinging(), keys, settings)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_it_can_be_cancelled() -> None:
    def cancel(done: int, total: int, stage: str) -> None:
        raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        inbetween(swinging(), [3, 30], on_step=cancel)


def test_latents_hit_the_keys_and_stay_between_them() -> None:
    """Latent slerp between two natural poses: keys are kept, and the path leaves and reaches them continuously."""
    motion = swinging(12)
    poses = motion.poses.copy()
    poses[[2, 9], 1:] = generate(2, GenerateSettings(steps=12, seed=5, device="cpu"))
    filled = inbetween(replace(motion, poses=poses), [2, 9], InbetweenSettings("latent", device="cpu"))
    np.testing.assert_array_equal(filled.poses[[2, 9]], poses[[2, 9]])
    ends = worst_degrees(poses[2, 1:], poses[9, 1:])
    assert worst_degrees(filled.poses[3, 1:], poses[2, 1:]) < 0.7 * ends
    assert worst_degrees(filled.poses[8, 1:], poses[9, 1:]) < 0.7 * ends
