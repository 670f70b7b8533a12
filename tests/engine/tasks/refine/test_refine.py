# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses refined by what was seen: with a prior that knows nothing, and with the bundled one on captured poses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rotation_priors import untrained
from scipy.spatial.transform import Rotation
from seen_person import CAMERA, person
from torch import Tensor

from engine.body import forward_kinematics
from engine.diffusion.guidance import Guidance
from engine.diffusion.refinement import RefinementSettings, invert, latent_times
from engine.diffusion.samplers import ddim, integrate
from engine.errors import Cancelled, MotionError
from engine.evaluation import filmed
from engine.evaluation.metrics import pa_mpjpe
from engine.evaluation.starts import QUALITIES, perturbed, wrong_shape
from engine.motion.joints import JOINTS
from engine.priors.prior_file import FOLDER
from engine.priors.rotation_prior import from_event
from engine.priors.rotation_weights import load_rotation_prior
from engine.tasks.lift.camera_space import Sight
from engine.tasks.refine.refine import PRESETS, PoseProblem, RefineSettings, View, preset, refine

WEIGHTS = FOLDER / "scorehmr.safetensors"
BUNDLED = pytest.mark.skipif(not WEIGHTS.exists(), reason="the weights of ScoreHMR are not in this checkout")
FRAMES = 4
SOMEONE = person(FRAMES, seed=1)
OFFSETS = SOMEONE.motion.offsets
SETTINGS = RefineSettings(RefinementSettings(rounds=3, depth=60, stride=6), smooth=0.0, device="cpu")
WRIST = 6 * JOINTS.index("left_wrist")


def sight(frames: int = FRAMES) -> Sight:
    return Sight.of(SOMEONE.pixels[:frames], np.ones((frames, 17)), None, CAMERA, None)


def start(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return perturbed(SOMEONE.motion.poses, SOMEONE.motion.transl, "near", np.random.default_rng(seed))


def joints(poses: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    turns = torch.from_numpy(Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix()).unflatten(0, poses.shape[:2])
    return forward_kinematics(turns, torch.from_numpy(offsets), torch.zeros(3).double())[0].numpy()


def between(poses: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(T, J) radians between rotations."""
    first, second = (Rotation.from_rotvec(some.reshape(-1, 3)) for some in (poses, others))
    return (first.inv() * second).magnitude().reshape(poses.shape[:-1])


@pytest.mark.parametrize("through", [True, False])
def test_keypoints_pull_a_pose_and_its_place(through: bool) -> None:
    settings = replace(SETTINGS, loop=replace(SETTINGS.loop, through_network=through))
    poses, transl = start()
    found = refine([View(poses, transl, sight())], OFFSETS, None, settings, untrained())
    (view,) = found.views
    assert (view.after < 0.6 * view.before).all()
    off, was = (np.linalg.norm(places - SOMEONE.motion.transl, axis=1) for places in (view.transl, transl))
    assert off.mean() < 0.6 * was.mean()
    assert (np.linalg.eigvalsh(view.certainty) > 0).all()
    # A camera knows least how far away somebody is.
    assert (view.certainty[:, 2, 2] < 0.5 * view.certainty[:, 0, 0]).all()
    assert found.rounds.tolist() == [3] * FRAMES and not found.betas.any()
    np.testing.assert_array_equal(found.evaluations, found.rounds * 2 * 10)


def test_poses_by_themselves_do_not_depend_on_each_other() -> None:
    poses, transl = start()
    settings = replace(SETTINGS, loop=replace(SETTINGS.loop, rounds=8, tolerance=0.3))
    seen, prior = sight(), untrained()
    whole = refine([View(poses, transl, seen)], OFFSETS, None, settings, prior)
    assert len(set(whole.rounds.tolist())) > 1
    for row in range(FRAMES):
        part = slice(row, row + 1)
        alone = refine([View(poses[part], transl[part], seen.rows(part))], OFFSETS, None, settings, prior)
        np.testing.assert_allclose(alone.views[0].poses, whole.views[0].poses[part], atol=1e-4)
        np.testing.assert_allclose(alone.views[0].transl, whole.views[0].transl[part], atol=1e-4)
        assert alone.rounds[0] == whole.rounds[row]


def test_any_loss_may_guide() -> None:
    """Here one that turns the left wrist; it is told of all poses, however soon some of them fit."""
    target = Rotation.from_rotvec([0.0, 0.4, 0.0])
    wanted = torch.from_numpy(target.as_matrix()[:, :2].reshape(6)).float()

    def held(x0: Tensor) -> Tensor:
        assert x0.shape == (FRAMES, 144)
        return 500.0 * (x0[:, WRIST : WRIST + 6] - wanted).square().sum(dim=1)

    settings = replace(SETTINGS, loop=replace(SETTINGS.loop, rounds=6, tolerance=0.2))
    poses, transl = start()
    found = refine([View(poses, transl)], OFFSETS, None, settings, untrained(), held)
    (view,) = found.views
    away = (target.inv() * Rotation.from_rotvec(view.poses[:, JOINTS.index("left_wrist")])).magnitude()
    was = (target.inv() * Rotation.from_rotvec(poses[:, JOINTS.index("left_wrist")])).magnitude()
    assert away.max() < 0.02 < 0.2 < was.min()
    others = np.delete(between(view.poses, poses), JOINTS.index("left_wrist"), axis=1)
    assert others.max() < 0.02
    np.testing.assert_array_equal(view.transl, transl)
    # And with keypoints, both are obeyed.
    both = refine([View(poses, transl, sight())], OFFSETS, None, settings, untrained(), held).views[0]
    away = (target.inv() * Rotation.from_rotvec(both.poses[:, JOINTS.index("left_wrist")])).magnitude()
    assert away.max() < 0.02 and (both.after < 0.6 * both.before).all()


@pytest.mark.parametrize(
    "extra",
    [
        lambda x0: torch.ones(len(x0)),
        lambda x0: x0.sum(),
        lambda x0: x0[:, :2].square(),
        lambda x0: x0.sum(dim=1) * torch.nan,
    ],
)
def test_losses_that_are_none_are_said(extra: Guidance) -> None:
    poses, transl = start()
    with pytest.raises(MotionError, match="further loss"):
        refine([View(poses, transl, sight())], OFFSETS, None, SETTINGS, untrained(), extra)


def test_views_pull_each_other_and_share_no_root() -> None:
    (first, place), (second, _) = start(0), start(1)
    settings = replace(SETTINGS, loop=RefinementSettings(rounds=5, depth=60, stride=6))
    found = refine([View(first, place), View(second, place)], OFFSETS, None, settings, untrained()).views
    before, after = between(first, second)[:, 1:], between(found[0].poses, found[1].poses)[:, 1:]
    assert after.mean() < 0.1 * before.mean()
    for view, own in zip(found, (first, second), strict=True):
        assert between(view.poses, own)[:, 0].max() < 0.02
    # In the middle between both.
    middle = [between(view.poses, own)[:, 1:].mean() for view, own in zip(found, (first, second), strict=True)]
    assert middle[0] == pytest.approx(middle[1], rel=0.1)


def test_the_pose_is_the_same_wherever_in_the_picture() -> None:
    """A camera that looks aside sees the same person, turned: the axis is where they are."""
    aside = Rotation.from_euler("YX", [0.3, -0.2])
    poses, transl = start()
    turned = poses.copy()
    turned[:, 0] = (aside * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    there = aside.apply(SOMEONE.joints.reshape(-1, 3)).reshape(FRAMES, 17, 3)
    pixels = CAMERA.project(torch.from_numpy(there)).numpy()
    elsewhere = Sight.of(pixels, np.ones((FRAMES, 17)), None, CAMERA, None)
    prior = untrained()
    ahead = refine([View(poses, transl, sight())], OFFSETS, None, SETTINGS, prior).views[0]
    beside = refine([View(turned, aside.apply(transl), elsewhere)], OFFSETS, None, SETTINGS, prior).views[0]
    assert between(ahead.poses, beside.poses)[:, 1:].mean() < 0.05
    back = (aside.inv() * Rotation.from_rotvec(beside.poses[:, 0])).as_rotvec()
    assert between(ahead.poses[:, 0], back).mean() < 0.05
    np.testing.assert_allclose(aside.inv().apply(beside.transl), ahead.transl, atol=0.05)


def test_features_must_be_those_that_the_prior_knows() -> None:
    poses, transl = start()
    for features, prior, words in (
        (None, untrained(24), "24 features"),
        (np.zeros((FRAMES, 23)), untrained(24), "24 features"),
        (np.zeros((FRAMES - 1, 24)), untrained(24), "24 features"),
        (np.zeros((FRAMES, 24)), untrained(), "sees keypoints"),
    ):
        with pytest.raises(MotionError, match=words):
            refine([View(poses, transl, sight(), features)], OFFSETS, None, SETTINGS, prior)
    prior = untrained(24)
    told = refine([View(poses, transl, sight(), np.ones((FRAMES, 24)))], OFFSETS, None, SETTINGS, prior)
    assert (told.views[0].after < 0.6 * told.views[0].before).all()


@pytest.mark.parametrize(
    ("views", "words"),
    [
        ([], "Poses must be"),
        ([View(np.zeros((0, 22, 3)), np.zeros((0, 3)))], "Poses must be"),
        ([View(np.zeros((2, 21, 3)), np.zeros((2, 3)))], "Poses must be"),
        ([View(np.zeros((2, 22, 3)), np.zeros((1, 3)))], "as many poses"),
        ([View(np.zeros((2, 22, 3)), np.zeros((2, 3))), View(np.zeros((1, 22, 3)), np.zeros((1, 3)))], "as many poses"),
        ([View(np.full((2, 22, 3), np.nan), np.zeros((2, 3)))], "finite"),
        ([View(np.zeros((2, 22, 3)), np.full((2, 3), np.inf))], "finite"),
        ([View(np.zeros((2, 22, 3)), np.zeros((2, 3)), sight(3))], "Keypoints of 3 frames"),
        ([View(np.zeros((2, 22, 3)), np.zeros((2, 3)), sight(2))], "behind"),
        ([View(np.zeros((2, 22, 3)), np.full((2, 3), -3.0))], "Nothing guides"),
    ],
)
def test_what_cannot_be_refined_is_said(views: list[View], words: str) -> None:
    with pytest.raises(MotionError, match=words):
        refine(views, OFFSETS, None, SETTINGS, untrained())


@pytest.mark.parametrize(
    "change",
    [
        {"keypoints": -1.0}, {"smooth": np.nan}, {"views": np.inf}, {"loop": RefinementSettings(rounds=0)},
        {"loop": RefinementSettings(stride=0)}, {"loop": RefinementSettings(depth=0)},
        {"loop": RefinementSettings(depth=1001)},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(change: dict) -> None:
    with pytest.raises(MotionError):
        RefineSettings(**change)


def test_presets_of_several_views_have_a_loop_of_their_own() -> None:
    assert preset("paper") is PRESETS["paper"] and preset("best") is PRESETS["best"]
    assert preset("best", 3).loop.depth < preset("best").loop.depth
    for name, through in (("paper", True), ("released", False)):
        loop = preset(name, 2).loop
        assert (loop.rounds, loop.depth, loop.through_network) == (2, 100, through)


def test_weights_too_large_for_gradient_steps_are_said() -> None:
    views = [View(*start(seed), sight()) for seed in range(2)]
    steep = replace(SETTINGS, views=1e6)
    with pytest.raises(MotionError, match="too large"):
        refine(views, OFFSETS, None, steep, untrained())
    found = refine(views, OFFSETS, None, replace(steep, implicit=True), untrained())
    assert (found.views[0].after < 0.6 * found.views[0].before).all()


def test_it_can_be_cancelled_within_a_round() -> None:
    told: list[int] = []

    def stop(done: int, total: int, stage: str) -> None:
        told.append(done)
        assert total == FRAMES and stage == "Refining"
        if len(told) == 7:
            raise Cancelled("Cancelled.")

    poses, transl = start()
    with pytest.raises(Cancelled):
        refine([View(poses, transl, sight())], OFFSETS, None, SETTINGS, untrained(), on_step=stop)
    assert len(told) == 7


@BUNDLED
@pytest.mark.parametrize("depth", [50, 100])
def test_inversion_and_unguided_sampling_return_the_start(shared_data: Path, depth: int) -> None:
    """Within 1e-3 on average with steps of one, and in every dimension of every pose where inversion is corrected."""
    people = filmed.snap(shared_data / "test", 24, seed=3)
    poses, transl, pixels, sigma = (
        np.concatenate([getattr(one, name) for one in people]) for name in ("poses", "transl", "pixels", "sigma")
    )
    seen = Sight.of(pixels, np.ones(sigma.shape), sigma, filmed.CAMERA, None)
    problem = PoseProblem([View(poses, transl, seen)], OFFSETS, None, RefineSettings(), load_rotation_prior(), None)
    x, denoise, sde = problem.start(), problem.denoise(torch.arange(len(poses))), problem.prior.sde
    for stride, corrections in ((1, 0), (2, 2)):
        times = latent_times(RefinementSettings(depth=depth, stride=stride), sde)
        with torch.no_grad():
            latent = invert(denoise, sde, x, times, corrections)
            back = integrate(denoise, sde, latent, times[::-1], ddim()).x
        off = (back - x).abs()
        assert float((latent - x).square().mean().sqrt()) > 0.02, "it has gone somewhere"
        assert float(off.mean()) < 1e-3
    assert float(off.max()) < 1e-3
    torch.testing.assert_close(from_event(back), from_event(x), atol=2e-3, rtol=0)


@BUNDLED
@pytest.mark.slow
@pytest.mark.parametrize("quality", list(QUALITIES))
def test_the_bundled_prior_brings_captured_people_nearer(shared_data: Path, quality: str) -> None:
    people, rng = filmed.snap(shared_data / "test", 40, seed=5), np.random.default_rng(0)
    poses, transl, pixels, sigma = (
        np.concatenate([getattr(one, name) for one in people]) for name in ("poses", "transl", "pixels", "sigma")
    )
    offsets = np.stack([wrong_shape(one.betas, quality, rng) for one in people])
    truth = np.concatenate([joints(one.poses, one.offsets) for one in people])
    seen = Sight.of(pixels, np.ones(sigma.shape), sigma, filmed.CAMERA, None)
    wrong, place = perturbed(poses, transl, quality, rng)
    settings = RefineSettings(RefinementSettings(rounds=3, depth=100, stride=5), device="cpu")
    found = refine([View(wrong, place, seen)], offsets, None, settings).views[0].poses
    assert pa_mpjpe(joints(found, offsets), truth) < 0.9 * pa_mpjpe(joints(wrong, offsets), truth)
