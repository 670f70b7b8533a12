# SPDX-License-Identifier: GPL-3.0-or-later
"""Clean Motion: what it must never touch, and how much better it must make held-out captures."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from engine.errors import Cancelled, MappingError, MotionError, WeightsError
from engine.evaluation.clean import _clips, _joints
from engine.evaluation.corruption import KINDS
from engine.evaluation.foot_metrics import skate
from engine.evaluation.metrics import acceleration_error, mpjpe, pa_mpjpe
from engine.motion import bvh
from engine.motion.contacts import resting
from engine.motion.filters import Filter, smooth_rotations
from engine.motion.motion import BodyMotion, Motion
from engine.motion.retarget import to_body
from engine.motion.rigs import find_map
from engine.motion.skeleton import Skeleton
from engine.motion.windows import multiply, rotvec_to_quat
from engine.tasks.clean import METHODS, CleanSettings, clean, clean_body
from engine.tasks.clean_body import clean_poses
from engine.tasks.leg import feet_places
from engine.tasks.locks import meet


@pytest.fixture(scope="module")
def noisy(shared_data: Path) -> Motion:
    """Two seconds of a real walk, shaken."""
    motion = bvh.read(shared_data / "bvh_test" / "cmu_08_01.bvh").motion
    rng = np.random.default_rng(1)
    rotations = motion.rotations[4:244:2]
    bones = [motion.skeleton.index(bone) for bone in find_map(motion.skeleton).bones.values()]
    shake = np.zeros((*rotations.shape[:2], 3))
    shake[:, bones] = np.deg2rad(4.0) * rng.normal(size=(len(rotations), len(bones), 3))
    return Motion(
        motion.skeleton,
        multiply(rotations, rotvec_to_quat(shake)),
        motion.translations[4:244:2],
        motion.fps / 2,
    )


@pytest.mark.parametrize("method", METHODS)
def test_strength_zero_changes_nothing(noisy: Motion, method: str) -> None:
    result = clean(noisy, CleanSettings(method=method, strength=0.0))
    assert (result.motion.rotations == noisy.rotations).all() and not result.rotations_changed.any()


@pytest.mark.parametrize("method", ["prior", "butterworth"])
def test_what_was_not_asked_for_stays(noisy: Motion, method: str) -> None:
    settings = CleanSettings(
        method=method, frames=(20, 90), lock_frames=(40, 41), bones=("left_arm", "rShin")
    )
    result = clean(noisy, settings)
    kept = np.ones(len(noisy), bool)
    kept[20:90] = False
    kept[[40, 41]] = True
    assert (result.motion.rotations[kept] == noisy.rotations[kept]).all()
    allowed = {"lShldr", "lForeArm", "lHand", "lCollar", "rShin"}
    others = [j for j, name in enumerate(noisy.skeleton.names) if name not in allowed]
    assert (result.motion.rotations[:, others] == noisy.rotations[:, others]).all()
    assert (result.motion.translations == noisy.translations).all()
    changed = (result.motion.rotations != noisy.rotations).any(axis=-1)
    assert (changed <= result.rotations_changed).all() and changed.any()


def test_same_seed_same_result(noisy: Motion) -> None:
    results = [clean(noisy, CleanSettings(seed=3)) for _ in range(2)]
    assert (results[0].motion.rotations == results[1].motion.rotations).all()
    json.dumps(results[0].report, allow_nan=False)


def test_cancel_stops_the_work(noisy: Motion) -> None:
    def stop(done: int, total: int, stage: str) -> None:
        assert 0 <= done <= total
        if done > total // 4:
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        clean(noisy, CleanSettings(), on_step=stop)


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 12])
@pytest.mark.parametrize("method", METHODS)
def test_short_clips(noisy: Motion, frames: int, method: str) -> None:
    short = dataclasses.replace(
        noisy, rotations=noisy.rotations[:frames], translations=noisy.translations[:frames]
    )
    result = clean(short, CleanSettings(method=method))
    assert len(result.motion) == frames
    np.testing.assert_allclose(np.linalg.norm(result.motion.rotations, axis=-1), 1.0, atol=1e-9)


def two_bones() -> Motion:
    rest = np.tile(np.eye(4), (2, 1, 1))
    skeleton = Skeleton(("Root", "Tip"), (-1, 0), rest, np.zeros((2, 3)))
    angles = 0.3 * np.random.default_rng(0).normal(size=(60, 2, 3))
    return Motion(skeleton, rotvec_to_quat(angles), np.zeros((60, 2, 3)), 30.0)


def test_a_rig_of_two_bones_needs_a_filter() -> None:
    with pytest.raises(MappingError):
        clean(two_bones(), CleanSettings())
    result = clean(two_bones(), CleanSettings(method="gaussian"))
    assert result.rotations_changed[1:-1].all()  # the ends may be met as they are


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "magic"},
        {"strength": -1.0},
        {"strength": float("nan")},
        {"frames": (5, 500)},
        {"lock_frames": (900,)},
        {"bones": ("Tentacle",)},
    ],
)
def test_settings_that_do_not_fit_are_one_sentence(noisy: Motion, settings: dict) -> None:
    with pytest.raises(MotionError) as error:
        clean(noisy, CleanSettings(**settings))
    assert str(error.value).endswith(".") and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content", [None, b"", bytes(100), b"x" * 5000], ids=["missing", "empty", "zeros", "text"]
)
@pytest.mark.parametrize("kind", ["dynamics", "network"])
def test_weights_that_are_missing_or_damaged(
    noisy: Motion, content: bytes | None, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.priors import spectra_file, weights

    path = tmp_path / ("dynamics.safetensors" if kind == "dynamics" else "dposer.safetensors")
    if content is not None:
        path.write_bytes(content)
    if kind == "dynamics":
        monkeypatch.setattr(spectra_file, "FILE", path)
    else:
        monkeypatch.setattr(weights, "FOLDER", tmp_path)
    with pytest.raises(WeightsError) as error:
        clean(noisy, CleanSettings())
    assert path.name in str(error.value)


def test_locked_frames_are_met_without_a_step() -> None:
    truth = np.zeros((100, 1, 3))
    result = np.ones((100, 1, 3))
    locked = np.zeros(100, bool)
    locked[50] = True
    met = meet(result, truth, locked, 30.0)
    assert (met[50] == 0).all() and (met[:40] == 1).all() and (met[60:] == 1).all()
    assert np.abs(np.diff(met[:, 0, 0])).max() < 0.25


def test_a_spinning_body_keeps_spinning() -> None:
    """Twelve turns of the root are motion, not noise."""
    frames = 240
    poses = np.zeros((frames, 22, 3))
    yaw = np.linspace(0, 24 * np.pi, frames)
    poses[:, 0, 1] = (yaw + np.pi) % (2 * np.pi) - np.pi
    motion = BodyMotion(poses, np.zeros((frames, 3)), 30.0, np.zeros((22, 3)))
    after = clean_body(motion, CleanSettings()).motion
    turn = np.exp(1j * after.poses[:, 0, 1]) / np.exp(1j * yaw)
    assert np.abs(np.angle(turn)).max() < np.deg2rad(3.0)


def test_a_jump_of_the_pelvis_is_taken_out() -> None:
    frames = 120
    transl = np.zeros((frames, 3))
    transl[:, 2] = np.linspace(0, 4, frames)
    popped = transl.copy()
    popped[60:62] += 0.4
    motion = BodyMotion(np.zeros((frames, 22, 3)), popped, 30.0, np.zeros((22, 3)))
    after = clean_body(motion, CleanSettings()).motion.transl
    assert np.abs(after - transl).max() < 0.03


# Over the whole test split and three seeds (docs/evaluation.json) ours over the best tuned filter is 0.87 on white,
# 0.84 on correlated noise, 0.19 on spikes and 0.61 on drop-outs, where seeds differ by 9 %; an eighth of the clips
# varies more, hence these bounds.
MARGINS = {"white 5 deg": 0.95, "correlated 5 deg": 0.95, "spikes": 0.4, "drop-outs": 0.9}
GRIDS = {
    "butterworth": (1.0, 1.5, 2.5, 6.0, 12.0),
    "gaussian": (0.01, 0.1, 0.15),
    "median": (0.37, 0.43, 0.5),
}


@pytest.mark.parametrize("kind", MARGINS)
def test_better_than_any_filter_on_people_never_seen(shared_data: Path, kind: str) -> None:
    cases = list(_clips(shared_data / "test", 8))
    rng = np.random.default_rng(0)
    faulty = [KINDS[kind](case.quat, case.fps, rng) for case in cases]

    def error(quats: list[np.ndarray]) -> float:
        weights = [len(case.quat) for case in cases]
        return float(
            np.average(
                [mpjpe(_joints(q), c.joints) for q, c in zip(quats, cases, strict=True)], weights=weights
            )
        )

    # The filters may even be tuned on the test clips themselves.
    best = min(
        error([smooth_rotations(q, 30.0, Filter(method, parameter)) for q in faulty])
        for method, grid in GRIDS.items()
        for parameter in grid
    )
    ours = [clean_poses(q, np.zeros((len(q), 3)), 30.0, 1.0, 0, "cpu", None).quat for q in faulty]
    assert error(ours) < MARGINS[kind] * best, f"{error(ours):.2f} mm against {best:.2f} mm"


def test_cleaning_a_clean_clip_costs_little(shared_data: Path) -> None:
    cases = list(_clips(shared_data / "test", 8))
    for case in cases:
        ours = clean_poses(case.quat, np.zeros((len(case.quat), 3)), 30.0, 1.0, 0, "cpu", None).quat
        assert mpjpe(_joints(ours), case.joints) < 3.0


def test_metrics_against_closed_forms() -> None:
    rng = np.random.default_rng(0)
    joints = rng.normal(size=(10, 22, 3))
    assert mpjpe(joints + np.array([0.003, 0.0, 0.004]), joints) == pytest.approx(5.0)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    assert pa_mpjpe(2.0 * joints @ turn + 1.0, joints) < 1e-6
    seconds = np.arange(30)[:, None, None] / 30.0
    parabola = np.concatenate([0.5 * 9.81 * seconds**2, 0 * seconds, 0 * seconds], axis=2)
    assert acceleration_error(parabola, np.zeros_like(parabola), 30.0) == pytest.approx(9.81)


def test_feet_that_rest_stand_still_on_the_rig(shared_data: Path) -> None:
    """A capture with noise, cleaned with and without the foot lock: the rig's own foot bones, in true contacts."""
    motion = bvh.read(shared_data / "bvh_test" / "cmu_05_01.bvh").motion
    rig_map = find_map(motion.skeleton)
    body = to_body(motion, rig_map)
    contact = resting(feet_places(body), body.fps)
    rng = np.random.default_rng(0)
    turn = np.deg2rad(1.5) * rng.normal(size=(*motion.rotations.shape[:2], 3))
    noisy = dataclasses.replace(motion, rotations=multiply(motion.rotations, rotvec_to_quat(turn)))
    slid = {}
    for feet in ("auto", "never"):
        result = clean(noisy, CleanSettings(feet=feet, device="cpu")).motion
        slid[feet] = skate(feet_places(to_body(result, rig_map)), contact, body.fps)
    assert slid["auto"] < 0.6 * slid["never"], slid


@pytest.mark.parametrize("wrong", [{"feet": "sometimes"}, {"prior": "magic"}])
def test_settings_of_the_motion_prior_are_checked(wrong: dict[str, str]) -> None:
    with pytest.raises(MotionError, match="choose"):
        CleanSettings(**wrong)


def test_the_wiener_smoother_and_the_pose_prior_remain(shared_data: Path) -> None:
    case = next(_clips(shared_data / "test", 8))
    faulty = KINDS["white 5 deg"](case.quat, case.fps, np.random.default_rng(0))
    errors = {
        prior: mpjpe(
            _joints(clean_poses(faulty, np.zeros((len(faulty), 3)), 30.0, 1.0, 0, "cpu", None, prior).quat),
            case.joints,
        )
        for prior in ("motion", "pose", "none")
    }
    assert errors["motion"] < errors["none"] < 0.5 * mpjpe(_joints(faulty), case.joints)
    assert errors["pose"] < 1.02 * errors["none"]
